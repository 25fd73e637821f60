#include "shoset/base/ids.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace mesh {

namespace {

constexpr std::string_view z85Alphabet =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
constexpr std::size_t keyCharacters = 40;
constexpr std::size_t groupCharacters = 5;

int hexDigit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

bool isAlnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

MessageId MessageId::make(WallTime now, Rng& rng)
{
    MessageId id;
    const auto ms = static_cast<std::uint64_t>(toMillis(now));
    for (int i = 0; i < 6; ++i) {
        id.raw[static_cast<std::size_t>(i)] = static_cast<char>(ms >> (40 - 8 * i));
    }
    const std::uint64_t low = rng.next();
    const std::uint64_t high = rng.next();
    std::memcpy(id.raw.data() + 6, &high, 2);
    std::memcpy(id.raw.data() + 8, &low, 8);
    return id;
}

Result<MessageId> MessageId::fromBytes(std::string_view raw)
{
    if (raw.size() != size) {
        return Error{Code::corrupt, "a message id has 16 bytes, not " + std::to_string(raw.size())};
    }
    MessageId id;
    std::copy(raw.begin(), raw.end(), id.raw.begin());
    return id;
}

Result<MessageId> MessageId::fromHex(std::string_view hex)
{
    auto raw = mesh::fromHex(hex);
    if (!raw) {
        return raw.error();
    }
    return fromBytes(*raw);
}

std::string MessageId::hex() const
{
    return toHex(bytes());
}

std::int64_t MessageId::millis() const
{
    std::uint64_t ms = 0;
    for (std::size_t i = 0; i < 6; ++i) {
        ms = ms << 8 | static_cast<unsigned char>(raw[i]);
    }
    return static_cast<std::int64_t>(ms);
}

std::size_t MessageId::hash() const
{
    std::size_t value = 0;
    std::memcpy(&value, raw.data() + size - sizeof(value), sizeof(value));
    return value;
}

std::string toHex(std::string_view raw)
{
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(raw.size() * 2);
    for (const char c : raw) {
        const auto byte = static_cast<unsigned char>(c);
        out.push_back(digits[byte >> 4]);
        out.push_back(digits[byte & 15]);
    }
    return out;
}

Result<std::string> fromHex(std::string_view hex)
{
    if (hex.size() % 2 != 0) {
        return Error{Code::invalidArgument, "an odd number of hexadecimal digits"};
    }
    std::string out;
    out.reserve(hex.size() / 2);
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        const int high = hexDigit(hex[i]);
        const int low = hexDigit(hex[i + 1]);
        if (high < 0 || low < 0) {
            return Error{Code::invalidArgument, "not a hexadecimal digit"};
        }
        out.push_back(static_cast<char>(high << 4 | low));
    }
    return out;
}

bool isValidName(std::string_view name)
{
    return !name.empty() && name.size() <= 63 && isAlnum(name.front()) &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return isAlnum(c) || c == '.' || c == '_' || c == '-'; });
}

bool isValidPrefix(std::string_view prefix)
{
    return !prefix.empty() && prefix.size() <= 16 && std::all_of(prefix.begin(), prefix.end(), isAlnum);
}

bool isPublicKey(std::string_view z85)
{
    if (z85.size() != keyCharacters) {
        return false;
    }
    for (std::size_t group = 0; group < z85.size(); group += groupCharacters) {
        std::uint64_t value = 0;
        for (const char c : z85.substr(group, groupCharacters)) {
            const std::size_t digit = z85Alphabet.find(c);
            if (digit == std::string_view::npos) {
                return false;
            }
            value = value * z85Alphabet.size() + digit;
        }
        if (value > UINT32_MAX) {
            return false;
        }
    }
    return true;
}

}  // namespace mesh
