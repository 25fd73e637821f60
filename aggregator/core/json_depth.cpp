#include "aggregator/core/json_depth.hpp"

namespace mesh::aggregator {

bool nestsDeeperThan(std::string_view text, std::size_t depth)
{
    std::size_t now = 0;
    bool quoted = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (quoted) {
            at += c == '\\' ? 1 : 0;
            quoted = c != '"';
        } else if (c == '{' || c == '[') {
            if (++now > depth) {
                return true;
            }
        } else if ((c == '}' || c == ']') && now > 0) {
            --now;
        } else {
            quoted = c == '"';
        }
    }
    return false;
}

}  // namespace mesh::aggregator
