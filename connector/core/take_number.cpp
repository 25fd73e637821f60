#include "connector/core/take_number.hpp"

#include <charconv>
#include <cstddef>
#include <system_error>

namespace mesh::connector {

bool takeNumber(std::string_view& text, char end, std::uint64_t& out)
{
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    const auto used = static_cast<std::size_t>(at - text.data());
    if (error != std::errc{} || used >= text.size() || *at != end) {
        return false;
    }
    text.remove_prefix(used + 1);
    return true;
}

}  // namespace mesh::connector
