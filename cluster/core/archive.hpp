#pragma once

#include "shoset/base/ids.hpp"
#include "shoset/base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mesh::cluster {

// Plain values to bytes and back. Both classes have the same members, so that one list of a record's fields writes and
// reads it. Numbers are LEB128 in their shortest spelling, texts a length and their bytes, ids their 16 bytes, times
// milliseconds.
class Encoder {
public:
    void number(std::uint64_t value);
    void small(std::uint32_t value, std::uint32_t limit);
    void text(const std::string& value, std::size_t limit);
    void flag(bool value);
    void time(WallTime value);
    void id(const MessageId& value);
    void count(std::size_t value, std::size_t limit);

    std::uint64_t level = 1;  // the feature level in whose format is written
    std::string out;
    std::string overLimit;  // a sentence about the first value that a Decoder would refuse; empty when there is none
};

// Bounded: a value over its limit, a missing byte or another spelling makes `good` false, and from then on every value
// read is 0 or empty. The end must be checked by the caller: good && rest.empty().
class Decoder {
public:
    explicit Decoder(std::string_view bytes) : rest(bytes) {}

    void number(std::uint64_t& value);
    void small(std::uint32_t& value, std::uint32_t limit);
    void text(std::string& value, std::size_t limit);
    void flag(bool& value);
    void time(WallTime& value);
    void id(MessageId& value);
    // At most as many as there are bytes left: a record takes one at least.
    void count(std::size_t& value, std::size_t limit);

    std::uint64_t level = 1;  // the feature level in whose format is read
    std::string_view rest;
    bool good = true;

private:
    std::uint64_t bounded(std::uint64_t limit);
};

}  // namespace mesh::cluster
