#include "aggregator/core/joined_gets.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <array>

namespace mesh::aggregator {

namespace {

// Headers that say who asks, and change no answer.
constexpr std::array<std::string_view, 5> askersOwn{"User-Agent", "Via", "X-Request-Id", "traceparent", "tracestate"};

bool isAskersOwn(std::string_view name)
{
    return std::any_of(askersOwn.begin(), askersOwn.end(), [name](std::string_view own) { return equalsIgnoreCase(own, name); });
}

bool wantsItsOwn(const Header& header)
{
    const bool control = equalsIgnoreCase(header.name, "Cache-Control") || equalsIgnoreCase(header.name, "Pragma");
    const bool accept = equalsIgnoreCase(header.name, "Accept");
    return (control && toLower(header.value).find("no-cache") != std::string::npos) ||
           (accept && toLower(header.value).find("event-stream") != std::string::npos);
}

}  // namespace

JoinedGets::Key JoinedGets::keyOf(const shoset::Address& satellite, std::string_view tenant, const std::string& target,
                                  const Headers& headers) const
{
    const auto written = writes.find(satellite);
    Key key = satellite;
    key.reserve(256);
    key.append(1, '\n').append(written == writes.end() ? "0" : std::to_string(written->second));
    key.append(1, '\n').append(tenant).append(1, '\n').append(target);
    for (const Header& header : headers) {
        if (wantsItsOwn(header)) {
            return {};
        }
        if (!isAskersOwn(header.name)) {
            key.append(1, '\n').append(header.name).append(1, ':').append(header.value);
        }
    }
    return key;
}

bool JoinedGets::join(const Key& key, Id id)
{
    if (key.empty()) {
        return false;
    }
    const auto [place, first] = flights.try_emplace(key, Flight{id, {}});
    Flight& flight = place->second;
    if (first || flight.followers.size() >= limits::maxGetFollowers) {
        return false;
    }
    ++count;
    flight.followers.push_back(id);
    return true;
}

std::vector<JoinedGets::Id> JoinedGets::take(const Key& key, Id sent)
{
    const auto found = flights.find(key);
    if (found == flights.end() || found->second.leader != sent) {
        return {};
    }
    std::vector<Id> followers = std::move(found->second.followers);
    flights.erase(found);
    return followers;
}

void JoinedGets::leave(const Key& key, Id follower)
{
    if (const auto found = flights.find(key); found != flights.end()) {
        std::erase(found->second.followers, follower);
    }
}

}  // namespace mesh::aggregator
