#include "connector/worker/secret_answer.hpp"

#include <cstdint>

namespace mesh::worker {

std::string secretValue(std::string_view text)
{
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string out;
    out.reserve(text.size());  // growing would leave parts of it behind
    std::uint32_t bits = 0;
    int held = 0;
    for (const char c : text) {
        const std::size_t value = alphabet.find(c);
        if (value == std::string_view::npos) {
            break;
        }
        bits = (bits << 6U) | static_cast<std::uint32_t>(value);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out += static_cast<char>((bits >> static_cast<unsigned>(held)) & 0xffU);
        }
    }
    return out;
}

Error noSecret(const std::string& failure, const std::string& text)
{
    for (const Code code : {Code::notFound, Code::permissionDenied, Code::full, Code::unavailable, Code::corrupt, Code::refused,
                            Code::unsupported}) {
        if (failure == codeName(code)) {
            return {code, text};
        }
    }
    return {Code::unavailable, text};
}

}  // namespace mesh::worker
