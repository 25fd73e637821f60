#include "aggregator/core/member_page.hpp"

#include <nlohmann/json.hpp>

namespace mesh::aggregator {

namespace {


// A walk through one level of valid JSON, so that what stands below keeps its bytes.
class Level {
public:
    // `text` begins with the bracket that opens the level, or is not an object or array at all.
    explicit Level(std::string_view value) : text(value) { next(1); }

    bool atEnd() const { return at >= text.size() || text[at] == '}' || text[at] == ']'; }
    // The value that begins here; goes on to what stands after it and after a comma or colon.
    std::string_view take()
    {
        const std::size_t begin = at;
        std::size_t end = begin;
        for (int depth = 0; end < text.size(); ++end) {
            const char c = text[end];
            if (c == '"') {
                end = stringEnd(end);
            } else if (c == '{' || c == '[') {
                ++depth;
            } else if (depth > 0 && (c == '}' || c == ']')) {
                --depth;
            } else if (depth == 0 && isBetween(c)) {
                break;
            }
        }
        next(end);
        return withoutBlanks(text.substr(begin, end - begin));
    }

private:
    static bool isBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
    static bool isBetween(char c) { return c == ',' || c == ':' || c == '}' || c == ']'; }

    std::size_t stringEnd(std::size_t quote) const
    {
        std::size_t end = quote + 1;
        while (end < text.size() && text[end] != '"') {
            end += text[end] == '\\' ? 2 : 1;
        }
        return end;
    }
    void next(std::size_t from)
    {
        at = from;
        while (at < text.size() && (isBlank(text[at]) || text[at] == ',' || text[at] == ':')) {
            ++at;
        }
    }
    static std::string_view withoutBlanks(std::string_view value)
    {
        while (!value.empty() && isBlank(value.back())) {
            value.remove_suffix(1);
        }
        return value;
    }

    std::string_view text;
    std::size_t at = 0;
};

std::string_view trimmed(std::string_view text)
{
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

// The value of an object's member, as written; the last one of that name counts, as with most readers.
std::string_view valueOf(std::string_view object, std::string_view quotedName)
{
    std::string_view found;
    for (Level level(object); !level.atEnd();) {
        const bool wanted = level.take() == quotedName;
        const std::string_view value = level.take();
        found = wanted ? value : found;
    }
    return found;
}

std::string textOf(std::string_view value)
{
    return value.starts_with('"') ? nlohmann::json::parse(value).get<std::string>() : std::string();
}

}  // namespace

std::optional<MemberPage> memberPageOf(std::string_view body)
{
    body = trimmed(body);
    if (!body.starts_with('{') || !nlohmann::json::accept(body)) {
        return std::nullopt;
    }
    const std::string_view list = valueOf(body, "\"Members\"");
    if (!list.starts_with('[')) {
        return std::nullopt;
    }
    MemberPage page;
    for (Level level(list); !level.atEnd();) {
        page.members.emplace_back(level.take());
    }
    page.nextLink = textOf(valueOf(body, "\"Members@odata.nextLink\""));
    return page;
}

std::string idOfMember(std::string_view member)
{
    return member.starts_with('{') ? textOf(valueOf(member, "\"@odata.id\"")) : std::string();
}

}  // namespace mesh::aggregator
