#pragma once

#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mesh {

// 128 bits, ordered by time: 48 bits of wall milliseconds, then 80 random bits (the layout of ULID). Equal ids are the
// same command, whoever sends them.
class MessageId {
public:
    static constexpr std::size_t size = 16;

    MessageId() = default;
    static MessageId make(WallTime now, Rng& rng);
    // Exactly 16 raw bytes, or an error.
    static Result<MessageId> fromBytes(std::string_view raw);
    // 32 hexadecimal digits, any case.
    static Result<MessageId> fromHex(std::string_view hex);

    std::string_view bytes() const { return {raw.data(), raw.size()}; }
    std::string hex() const;
    std::int64_t millis() const;
    bool isNil() const { return *this == MessageId{}; }
    std::size_t hash() const;
    bool operator==(const MessageId&) const = default;
    // As unsigned bytes, which is by time; std::array<char> would compare signed ones.
    std::strong_ordering operator<=>(const MessageId& other) const { return bytes() <=> other.bytes(); }

private:
    std::array<char, size> raw{};
};

std::string toHex(std::string_view raw);
// Any case; an error for odd length or another character.
Result<std::string> fromHex(std::string_view hex);

// Names of nodes, connectors and tenants: [A-Za-z0-9][A-Za-z0-9._-]{0,62}.
bool isValidName(std::string_view name);
// Prefixes of satellites: [A-Za-z0-9]{1,16}.
bool isValidPrefix(std::string_view prefix);
// 32 bytes in Z85 (ZeroMQ RFC 32): 40 characters.
bool isPublicKey(std::string_view z85);

}  // namespace mesh

template <>
struct std::hash<mesh::MessageId> {
    std::size_t operator()(const mesh::MessageId& id) const { return id.hash(); }
};
