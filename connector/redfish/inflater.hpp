#pragma once

#include "shoset/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mesh::connector {

// Content-Encoding gzip (RFC 1952) or deflate (RFC 1950, and the bare RFC 1951 that some servers send) undone as a
// stream: compressed pieces in, decoded pieces of a bounded size out.
class Inflater {
public:
    enum class Format { gzip, deflate };
    explicit Inflater(Format format);
    ~Inflater();
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    // What next() has not yet used is copied: give pieces only as large as may be kept.
    void feed(std::string_view compressed);
    // At most `room` decoded bytes, valid until the next call. Empty: wants more input, or finished, or room is 0.
    // Code::corrupt for damaged data, and where the output is limits::maxInflateRatio times the input.
    Result<std::string_view> next(std::size_t room);

    bool drained() const;   // all that can be decoded was handed out
    bool finished() const;  // the compressed data had its proper end, or there was none

private:
    struct Zlib;
    std::unique_ptr<Zlib> zlib;
    std::string waiting;
    std::uint64_t in = 0, out = 0;
};

}  // namespace mesh::connector
