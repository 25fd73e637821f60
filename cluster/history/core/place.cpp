#include "cluster/history/core/place.hpp"

#include "cluster/history/core/database_url.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace mesh::history {

namespace {

constexpr std::string_view header = "bmcmesh-places-1\n";

// The text up to `end`, which goes as well.
std::string_view cut(std::string_view& text, char end)
{
    const std::string_view out = text.substr(0, text.find(end));
    text.remove_prefix(std::min(text.size(), out.size() + 1));
    return out;
}

bool readNumber(std::string_view text, std::uint64_t& number)
{
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && number <= INT64_MAX;
}

}  // namespace

Result<std::uint64_t> idAtPlace(const Place& place, std::uint64_t shown, const std::vector<MovedEvent>& recent)
{
    if (shown >= place.base || shown == 0) {  // the base itself: of the database while it has none
        return shown == 0 ? 0 : shown - place.base;
    }
    if (shown >= place.last) {
        return place.at;
    }
    const bool all = recent.size() < limits::historyMoveRecent;  // there were no others
    if (!recent.empty() && (all || shown + 1 >= recent.front().shown)) {
        std::uint64_t behind = place.at;
        for (const MovedEvent& event : recent) {
            behind = event.shown > shown && event.id != 0 ? std::min(behind, event.id - 1) : behind;
        }
        return behind;
    }
    return Error{Code::refused, "the tenant's history has moved to another database meanwhile, and there was more behind this place: begin anew"};
}

Place placeAfter(const Place& before, const Place& to, std::uint64_t greatest, std::uint64_t last, std::uint64_t at)
{
    return {to.name, to.secret, std::max(before.base, greatest) + limits::historyMoveGap, last, at};
}

std::string placesText(const Places& places)
{
    std::string out(header);
    for (const auto& [tenant, place] : places) {
        out += tenant + " " + (place.name.empty() ? std::string("sqlite") : place.name) + " " +
               (place.secret.empty() ? std::string("-") : place.secret) + " " + std::to_string(place.base) + " " +
               std::to_string(place.last) + " " + std::to_string(place.at) + "\n";
    }
    return out;
}

Result<Places> parsePlaces(std::string_view text)
{
    const auto wrong = [](const std::string& line) {
        return Error{Code::corrupt, "this is no list of where tenants' history is: '" + line + "'"};
    };
    if (!text.starts_with(header)) {
        return wrong(std::string(text.substr(0, std::min(text.find('\n'), header.size()))));
    }
    text.remove_prefix(header.size());
    Places out;
    while (!text.empty()) {
        std::string_view line = cut(text, '\n');
        const std::string whole(line);
        const std::string tenant(cut(line, ' '));
        const std::string name(cut(line, ' '));
        const std::string secret(cut(line, ' '));
        Place place{plainPlace(name), secret == "-" ? std::string() : secret, 0, 0, 0};
        const bool numbers = readNumber(cut(line, ' '), place.base) && readNumber(cut(line, ' '), place.last) && readNumber(line, place.at);
        if (!numbers || !isValidName(tenant) || !checkPlace(name) || (secret != "-" && !isValidName(secret))) {
            return wrong(whole);
        }
        out[tenant] = std::move(place);
    }
    return out;
}

}  // namespace mesh::history
