#pragma once

#include "shoset/base/http.hpp"

#include <cstdint>
#include <string>

namespace mesh::aggregator {

// One request and its answer on one connection; never used again.
using ExchangeId = std::uint64_t;

struct RequestInfo {
    RequestHead head;
    std::string remote;       // "address:port" of the client, for the audit
    bool bodyFollows = false; // false: `body` is all of it
    std::string body;         // the first piece, at most limits::inlineBodyBytes
    std::uint64_t contentLength = 0;  // of the whole body; 0 and bodyFollows: not known (chunked)
};

// What the server tells its owner; all on the loop's thread, never from inside a call into the server.
class ServerEvents {
public:
    virtual ~ServerEvents() = default;
    virtual void onRequest(ExchangeId id, RequestInfo request) = 0;
    // Further pieces of the request's body, at most as many bytes as were granted.
    virtual void onRequestBody(ExchangeId id, std::string piece, bool last) = 0;
    // `bytes` of what was given to respond()/writeBody() have left for the kernel: the owner may give as many more.
    virtual void onWritten(ExchangeId id, std::size_t bytes) = 0;
    // The client went away, or sent nonsense in mid-body. The exchange is over; nothing more may be said of it.
    virtual void onAborted(ExchangeId id) = 0;
};

// How requests are answered. Implemented by aggregator/http over sockets and by tests. Never calls back from inside a call.
class HttpPort {
public:
    virtual ~HttpPort() = default;
    // Answers. `last`: `body` is all there is (Content-Length is set from it unless the head has one, as for HEAD).
    // Otherwise the body is streamed: by Content-Length if the head has it, else chunked (HTTP/1.0: until close).
    // May come before the request's body was read to its end: the rest is then discarded within a bound, or the
    // connection closed.
    virtual void respond(ExchangeId id, ResponseHead head, std::string body, bool last) = 0;
    virtual void writeBody(ExchangeId id, std::string piece, bool last) = 0;
    // Cuts the connection, so that a started answer never looks complete.
    virtual void abort(ExchangeId id) = 0;
    // The owner can take `bytes` more of the request's body. Also sends "100 Continue" when the client waits for it.
    virtual void grant(ExchangeId id, std::size_t bytes) = 0;
};

}  // namespace mesh::aggregator
