#pragma once

#include "shoset/base/result.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mesh::shoset {

// A ZeroMQ message is one frame: a sequence of records, each
//
//     prelude (24 bytes, little endian) | protobuf header | body
//
//     0  version (1)      1  kind          2  flags         3  hops left
//     4  remaining ms     8  send stamp, sender's monotonic microseconds
//     16 header length    20 body length
//
// Everything a router changes stands in the prelude, so that it forwards the rest untouched.
constexpr std::size_t preludeBytes = 24;
constexpr std::uint8_t wireVersion = 1;
constexpr std::uint32_t noDeadline = 0xffffffff;

enum Flag : std::uint8_t {
    flagLast = 1,  // command, reply, chunk: the body ends with this record
};

struct Prelude {
    Kind kind = Kind::heartbeat;
    std::uint8_t flags = 0;
    std::uint8_t hops = 0;
    std::uint32_t remainingMs = noDeadline;
    std::int64_t sentMicros = 0;
};

// A decoded record; header and body are views into the frame.
struct Record {
    Prelude prelude;
    std::string_view header;
    std::string_view body;
    std::string_view whole;  // with the prelude, as it stands in the frame
};

// Appends one record to `frame`.
void appendRecord(std::string& frame, const Prelude& prelude, std::string_view header, std::string_view body);
// Appends a received record with hops, remaining time and stamp replaced.
void appendForwarded(std::string& frame, const Record& record, const Prelude& patched);

// Cuts a frame into records. Validates version, kind, lengths and limits before anything else is looked at.
class FrameReader {
public:
    explicit FrameReader(std::string_view frame);
    // The next record; nullopt at the end. An error (Code::corrupt, Code::tooLarge, Code::unsupported) ends the frame:
    // what follows cannot be trusted.
    Result<std::optional<Record>> next();

private:
    std::string_view rest;
};

}  // namespace mesh::shoset
