#pragma once

#include <boost/asio/buffer.hpp>

#include <cstddef>
#include <deque>
#include <span>
#include <string>

namespace mesh::aggregator {

// Bytes to write, in order. Payload is what the owner gave, the rest is framing. Bounded by its user: the owner gives
// more only as onWritten() says, framing adds a few bytes to each piece.
class OutputQueue {
public:
    enum class Kind { framing, payload };

    void push(std::string bytes, Kind kind);
    bool empty() const { return segments.empty(); }
    // Describes the front of the queue, at most limits::httpWriteBytes; returns how many of `into` were filled. What
    // they point to stays until consume().
    std::size_t front(std::span<boost::asio::const_buffer> into) const;
    // That many bytes were written; returns how many of them were payload.
    std::size_t consume(std::size_t size);

private:
    struct Segment {
        std::string bytes;
        Kind kind;
    };
    std::deque<Segment> segments;
    std::size_t offset = 0;  // in the first segment
};

}  // namespace mesh::aggregator
