#include "aggregator/core/query_options.hpp"

#include "shoset/base/ids.hpp"

#include <algorithm>
#include <charconv>

namespace mesh::aggregator {

namespace {

std::string unescapeOption(std::string_view text)
{
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const Result<std::string> byte = text[at] == '%' ? fromHex(text.substr(at + 1, 2)) : Result<std::string>(Error{});
        if (byte && byte->size() == 1) {
            out += *byte;
            at += 2;
        } else {
            out += text[at] == '+' ? ' ' : text[at];
        }
    }
    return out;
}

}  // namespace

std::map<std::string, std::string> queryOptions(std::string_view query)
{
    std::map<std::string, std::string> out;
    while (!query.empty()) {
        const std::string_view one = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), one.size() + 1));
        const std::size_t equals = std::min(one.find('='), one.size());
        out[std::string(one.substr(0, equals))] = unescapeOption(one.substr(std::min(one.size(), equals + 1)));
    }
    return out;
}

std::optional<std::uint64_t> wholeNumber(std::string_view text)
{
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

Answer wrongOption(const std::string& name, const std::string& value)
{
    return errorAnswer(400, {"QueryParameterValueFormatError", {value, name}, {}});
}

}  // namespace mesh::aggregator
