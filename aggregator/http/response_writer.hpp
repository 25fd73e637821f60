#pragma once

#include "aggregator/http/output_queue.hpp"
#include "shoset/base/http.hpp"

#include <cstdint>
#include <string>

namespace mesh::aggregator {

// What of a request decides how its response is framed.
struct RequestFacts {
    bool head = false;  // HEAD: no body, whatever is given
    bool http10 = false;
    bool keepAlive = true;  // the client wants it, and the rest of the request can be read
};

// Framing of one response (RFC 9112, 6): from what the owner gives to bytes. Pure.
class ResponseWriter {
public:
    void begin(const RequestFacts& facts);

    // Both: false when what was given contradicts the Content-Length announced; then the connection must be cut.
    // Hop-by-hop headers in `head` are replaced by our own.
    bool start(ResponseHead head, std::string body, bool last, OutputQueue& out);
    bool add(std::string piece, bool last, OutputQueue& out);

    bool started() const { return phase != Phase::waiting; }
    bool ended() const { return phase == Phase::ended; }
    // Valid once started: the connection ends with this response.
    bool closes() const { return !keepAlive; }
    // Payload that is not to be sent at all (HEAD), counted as written: since the last call.
    std::size_t takeDropped();

private:
    enum class Phase { waiting, body, ended };
    enum class Framing { none, length, chunked, untilClose };

    void frame(ResponseHead& head, std::size_t bodySize, bool last);

    RequestFacts request;
    Phase phase = Phase::waiting;
    Framing framing = Framing::none;
    bool keepAlive = true;
    std::uint64_t remaining = 0;  // of Framing::length
    std::size_t dropped = 0;
};

}  // namespace mesh::aggregator
