#pragma once

#include "shoset/core/message.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

// What stands in a file of the outbox: a header, then events and gaps in their order. Each record is
//
//     4 bytes of which no two may stand in UTF-8 | length of the rest | CRC-32 of the rest | kind, numbers, texts
//
// in little endian, so that what a power loss tore, and what the flash lost, is recognised and passed over.
namespace mesh::shoset {

struct OutboxHeader {
    std::uint64_t epoch = 0;
    std::uint64_t next = 1;      // all sequences below were on disk when the file was begun, and none from here on
    std::uint64_t spent = 0;     // of the bytes that may be written on a day
    std::int64_t wallMs = 0;     // when
    bool operator==(const OutboxHeader&) const = default;
};

struct OutboxItem {
    Event event;               // without an epoch; with `lostTo`: a gap
    std::string payload;
    std::uint64_t synced = 0;  // all up to this sequence were on disk when it was written
    std::uint64_t spent = 0;   // as in the header, in whole pages
};

using OutboxRecord = std::variant<OutboxHeader, OutboxItem>;

void appendOutboxHeader(std::string& out, const OutboxHeader& header);
void appendOutboxItem(std::string& out, const Event& event, std::string_view payload, std::uint64_t synced,
                      std::uint64_t spent);
std::size_t outboxItemBytes(std::string_view topic, std::string_view name, std::string_view payload);

class OutboxReader {
public:
    explicit OutboxReader(std::string_view content) : rest(content) {}
    // nullopt at the end, and at what is no record.
    std::optional<OutboxRecord> next();
    std::string_view unread() const { return rest; }
    // Behind what is no record, to the next one that is. False: there is none.
    bool skip();

private:
    std::optional<OutboxRecord> peek(std::size_t& length) const;

    std::string_view rest;
};

}  // namespace mesh::shoset
