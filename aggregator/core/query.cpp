#include "aggregator/core/query.hpp"

#include "shoset/base/http.hpp"
#include "shoset/uri/classify.hpp"

#include <charconv>

namespace mesh::aggregator {

namespace {

struct Option {
    std::string name;        // with '$' also where the client has encoded it
    std::string_view value;  // empty also where there is none
};

Option takeOption(std::string_view& query)
{
    const std::string_view text = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), text.size() + 1));
    const std::size_t equals = text.find('=');
    std::string name(text.substr(0, equals));
    if (name.starts_with("%24")) {
        name.replace(0, 3, "$");
    }
    return {std::move(name), equals == std::string_view::npos ? std::string_view() : text.substr(equals + 1)};
}

Answer badValue(const Option& option)
{
    return errorAnswer(400, {"QueryParameterValueFormatError", {std::string(option.value), option.name}, {}});
}

Answer notSupported(const Option& option)
{
    return errorAnswer(501, {"QueryNotSupported", {}, {}}, "Query option " + option.name + " is not supported here.");
}

bool hasOption(std::string_view query, std::string_view name)
{
    while (!query.empty()) {
        if (takeOption(query).name == name) {
            return true;
        }
    }
    return false;
}

bool parseCount(std::string_view text, std::size_t& out)
{
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

ParsedQuery parseCollectionQuery(std::string_view query)
{
    CollectionQuery wanted;
    while (!query.empty()) {
        const Option option = takeOption(query);
        if (option.name == "$skip" || option.name == "$top") {
            if (!parseCount(option.value, option.name == "$skip" ? wanted.skip : wanted.top)) {
                return badValue(option);
            }
        } else if (option.name == "only") {
            if (!option.value.empty()) {
                return badValue(option);
            }
            wanted.only = true;
        } else if (option.name.starts_with('$')) {
            return notSupported(option);
        }
    }
    return wanted;
}

tenants::Expansion expansionOf(std::string_view query)
{
    std::string text = toLower(uri::decoded(query));
    if (text.find("$expand") == std::string::npos) {
        return hasOption(text, "only") ? tenants::Expansion::oneLevel : tenants::Expansion::none;
    }
    constexpr std::string_view oneLevel = "($levels=1)";
    for (std::size_t at = text.find(oneLevel); at != std::string::npos; at = text.find(oneLevel, at)) {
        text.replace(at, oneLevel.size(), " ");
    }
    const bool clear = text.find('(') == std::string::npos && text.find("levels") == std::string::npos;
    return clear ? tenants::Expansion::oneLevel : tenants::Expansion::deep;
}

std::optional<Answer> refuseQuery(std::string_view query)
{
    while (!query.empty()) {
        const Option option = takeOption(query);
        if (option.name.starts_with('$')) {
            return notSupported(option);
        }
        if (option.name == "only" || option.name == "excerpt") {
            return badValue(option);
        }
    }
    return std::nullopt;
}

}  // namespace mesh::aggregator
