#include "shoset/core/outbox_records.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace mesh::shoset {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view recordMark = "\xF5\xC0\xFE\xFF"sv;
constexpr std::size_t markedBytes = 12;  // mark, length, checksum
constexpr std::size_t headerBytes = 1 + 4 * 8;
constexpr std::size_t itemBytes = 1 + 4 * 8 + 4 + 2;
constexpr std::size_t maxItemBytes = itemBytes + 2 * limits::maxTopicBytes + limits::maxEventBytes;

enum class RecordKind : std::uint8_t { header = 1, item = 2 };

constexpr std::array<std::uint32_t, 256> checksumTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value & 1U) != 0 ? 0xEDB88320U ^ (value >> 1U) : value >> 1U;
        }
        table[i] = value;
    }
    return table;
}();

std::uint32_t checksumOf(std::string_view bytes)
{
    std::uint32_t value = 0xFFFFFFFFU;
    for (const char c : bytes) {
        value = checksumTable[(value ^ static_cast<unsigned char>(c)) & 0xFFU] ^ (value >> 8U);
    }
    return ~value;
}

void putNumber(std::string& out, std::uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; ++i) {
        out.push_back(static_cast<char>(value >> (8 * i)));
    }
}

std::uint64_t numberAt(std::string_view in, std::size_t at, int bytes)
{
    std::uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; --i) {
        value = value << 8 | static_cast<unsigned char>(in[at + static_cast<std::size_t>(i)]);
    }
    return value;
}

void appendMarked(std::string& out, std::string_view content)
{
    out += recordMark;
    putNumber(out, content.size(), 4);
    putNumber(out, checksumOf(content), 4);
    out += content;
}

OutboxHeader headerFrom(std::string_view in)
{
    return {numberAt(in, 1, 8), numberAt(in, 9, 8), numberAt(in, 17, 8), static_cast<std::int64_t>(numberAt(in, 25, 8))};
}

// What no clock shows is taken for the nearest that one does.
WallTime timeFrom(std::uint64_t micros)
{
    return WallTime(std::chrono::microseconds(std::clamp(static_cast<std::int64_t>(micros), -lastMicros, lastMicros)));
}

// What another program wrote may keep the checksum and be none all the same.
std::optional<OutboxRecord> itemFrom(std::string_view in)
{
    OutboxItem item;
    item.event.sequence = numberAt(in, 1, 8);
    item.event.lostTo = numberAt(in, 9, 8);
    item.synced = numberAt(in, 17, 8);
    item.event.time = timeFrom(numberAt(in, 25, 8));
    item.spent = numberAt(in, 33, 4) * limits::flashPageBytes;
    const std::size_t topic = numberAt(in, 37, 1);
    const std::size_t name = numberAt(in, 38, 1);
    std::string_view texts = in.substr(itemBytes);
    if (item.event.sequence == 0 || texts.size() < topic + name ||
        (item.event.lostTo != 0 && item.event.lostTo < item.event.sequence)) {
        return std::nullopt;
    }
    item.event.topic = texts.substr(0, topic);
    item.event.name = texts.substr(topic, name);
    item.payload = texts.substr(topic + name);
    return item;
}

}  // namespace

void appendOutboxHeader(std::string& out, const OutboxHeader& header)
{
    std::string content(1, static_cast<char>(RecordKind::header));
    putNumber(content, header.epoch, 8);
    putNumber(content, header.next, 8);
    putNumber(content, header.spent, 8);
    putNumber(content, static_cast<std::uint64_t>(header.wallMs), 8);
    appendMarked(out, content);
}

void appendOutboxItem(std::string& out, const Event& event, std::string_view payload, std::uint64_t synced,
                      std::uint64_t spent)
{
    std::string content(1, static_cast<char>(RecordKind::item));
    putNumber(content, event.sequence, 8);
    putNumber(content, event.lostTo, 8);
    putNumber(content, synced, 8);
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(event.time.time_since_epoch()).count();
    putNumber(content, static_cast<std::uint64_t>(micros), 8);
    putNumber(content, (spent + limits::flashPageBytes - 1) / limits::flashPageBytes, 4);
    putNumber(content, event.topic.size(), 1);
    putNumber(content, event.name.size(), 1);
    content.append(event.topic).append(event.name).append(payload);
    appendMarked(out, content);
}

std::size_t outboxItemBytes(std::string_view topic, std::string_view name, std::string_view payload)
{
    return markedBytes + itemBytes + topic.size() + name.size() + payload.size();
}

std::optional<OutboxRecord> OutboxReader::peek(std::size_t& length) const
{
    if (rest.size() < markedBytes || !rest.starts_with(recordMark)) {
        return std::nullopt;
    }
    const std::uint64_t size = numberAt(rest, 4, 4);
    if (size == 0 || size > maxItemBytes || size > rest.size() - markedBytes) {
        return std::nullopt;
    }
    const std::string_view content = rest.substr(markedBytes, size);
    if (checksumOf(content) != numberAt(rest, 8, 4)) {
        return std::nullopt;
    }
    length = markedBytes + size;
    const auto kind = static_cast<RecordKind>(content[0]);
    if (kind == RecordKind::header && size == headerBytes) {
        return headerFrom(content);
    }
    return kind == RecordKind::item && size >= itemBytes ? itemFrom(content) : std::nullopt;
}

std::optional<OutboxRecord> OutboxReader::next()
{
    std::size_t length = 0;
    std::optional<OutboxRecord> record = peek(length);
    if (record) {
        rest.remove_prefix(length);
    }
    return record;
}

bool OutboxReader::skip()
{
    for (std::size_t at = rest.find(recordMark, 1); at != std::string_view::npos; at = rest.find(recordMark, 1)) {
        rest.remove_prefix(at);
        std::size_t length = 0;
        if (peek(length)) {
            return true;
        }
    }
    return false;
}

}  // namespace mesh::shoset
