#pragma once

#include "shoset/base/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mesh::history {

enum class Phase : std::uint8_t { intent = 1, result = 2 };

// Who did what to which resource, from where, with what result. An intent is stored before the order is given; one without a
// result says that the outcome is not known, because the node ended in between.
struct AuditRecord {
    WallTime time{};      // by the node's clock, in microseconds
    std::string tenant;   // whose the resource is; empty: the system's
    std::string account;  // empty: nobody had logged in
    std::string client;   // "address:port"
    std::string node;     // that took the request
    std::string method;
    std::string uri;      // as asked, without query
    std::string request;  // 32 hexadecimal digits; the same in an intent and its result
    Phase phase = Phase::intent;
    int status = 0;       // of a result: what the client was answered; 0: it could not be told
    bool operator==(const AuditRecord&) const = default;
};

struct EventRecord {
    WallTime time{};
    std::string tenant;
    std::string connector;
    std::uint64_t epoch = 0;     // (connector, epoch, sequence) names an event: it is stored once
    std::uint64_t sequence = 0;
    std::string topic;
    std::string name;
    std::string payload;  // any bytes
    std::uint64_t lostTo = 0;    // not 0: no event; those from `sequence` to this one were lost, and only that is known
    bool operator==(const EventRecord&) const = default;
};

// The last of a connector's events that is stored, or was: retention does not move it.
struct EventHead {
    std::string tenant;
    std::string connector;
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
    bool operator==(const EventHead&) const = default;
};

// What one tenant has stored.
struct EventTotal {
    std::string tenant;
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;  // as storedBytes() counts
    bool operator==(const EventTotal&) const = default;
};

const char* phaseName(Phase phase);

// As it goes into a record: printable ASCII of at most `most` bytes; any other byte becomes %XX. So no database refuses it, and
// nothing in it can end a line or a field.
std::string plainText(std::string_view text, std::size_t most);

// What a record takes up in a database, its indexes included, roughly: retention goes by that.
std::uint64_t storedBytes(const AuditRecord& record);
std::uint64_t storedBytes(const EventRecord& record);

}  // namespace mesh::history
