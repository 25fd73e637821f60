#include "cluster/core/archive.hpp"

#include <algorithm>

namespace mesh::cluster {

namespace {

constexpr std::int64_t maxMillis = 9'000'000'000'000;  // the year 2255: its nanoseconds still fit

}  // namespace

void Encoder::number(std::uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        out.push_back(static_cast<char>(value | 0x80));
    }
    out.push_back(static_cast<char>(value));
}

void Encoder::small(std::uint32_t value, std::uint32_t limit)
{
    count(value, limit);
}

void Encoder::text(const std::string& value, std::size_t limit)
{
    if (value.size() > limit && overLimit.empty()) {
        overLimit =
            "a text of " + std::to_string(value.size()) + " bytes is over the limit of " + std::to_string(limit);
    }
    number(value.size());
    out += value;
}

void Encoder::flag(bool value)
{
    number(value ? 1 : 0);
}

void Encoder::time(WallTime value)
{
    number(static_cast<std::uint64_t>(std::clamp<std::int64_t>(toMillis(value), 0, maxMillis)));
}

void Encoder::id(const MessageId& value)
{
    out += value.bytes();
}

void Encoder::count(std::size_t value, std::size_t limit)
{
    if (value > limit && overLimit.empty()) {
        overLimit = std::to_string(value) + " is over the limit of " + std::to_string(limit);
    }
    number(value);
}

void Decoder::number(std::uint64_t& value)
{
    value = 0;
    for (unsigned shift = 0; good && shift < 64 && !rest.empty(); shift += 7) {
        const auto byte = static_cast<unsigned char>(rest.front());
        rest.remove_prefix(1);
        value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if (byte < 0x80) {
            const bool shortest = byte != 0 || shift == 0;
            good = shortest && (shift < 63 || byte == 1);
            value = good ? value : 0;
            return;
        }
    }
    good = false;
    value = 0;
}

std::uint64_t Decoder::bounded(std::uint64_t limit)
{
    std::uint64_t value = 0;
    number(value);
    good = good && value <= limit;
    return good ? value : 0;
}

void Decoder::small(std::uint32_t& value, std::uint32_t limit)
{
    value = static_cast<std::uint32_t>(bounded(limit));
}

void Decoder::text(std::string& value, std::size_t limit)
{
    const std::size_t size = bounded(std::min(limit, rest.size()));
    good = good && size <= rest.size();
    value.assign(good ? rest.substr(0, size) : std::string_view());
    rest.remove_prefix(good ? size : 0);
}

void Decoder::flag(bool& value)
{
    value = bounded(1) == 1;
}

void Decoder::time(WallTime& value)
{
    value = WallTime(std::chrono::milliseconds(bounded(static_cast<std::uint64_t>(maxMillis))));
}

void Decoder::id(MessageId& value)
{
    const auto read = MessageId::fromBytes(rest.substr(0, MessageId::size));
    good = good && read.ok();
    value = good ? *read : MessageId{};
    rest.remove_prefix(good ? MessageId::size : 0);
}

void Decoder::count(std::size_t& value, std::size_t limit)
{
    value = bounded(limit);
    good = good && value <= rest.size();
    value = good ? value : 0;
}

}  // namespace mesh::cluster
