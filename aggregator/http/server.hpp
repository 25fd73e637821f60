#pragma once

#include "aggregator/core/http_port.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/base/result.hpp"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mesh::aggregator {

struct ServerOptions {
    std::string bind;            // "address:port", "[::1]:0"; port 0 picks one
    std::string certificatePem;  // empty: plain HTTP (tests and the benchmark only)
    std::string keyPem;
    std::uint64_t maxBodyBytes = limits::maxRequestBodyBytes;
    // Between requests, between two pieces of a request's body, and without progress of a write. An answer that is open
    // but has nothing to say has no limit here.
    Duration idleTimeout = limits::httpIdleTimeout;
    // From the accept (TLS handshake included) or a request's first byte to the end of its head.
    Duration headerTimeout = limits::httpHeaderTimeout;
    std::size_t maxConnections = limits::maxHttpConnections;
};

struct ServerCounters {
    std::uint64_t accepted = 0, refusedFull = 0, tlsFailed = 0, malformed = 0, tooLarge = 0, timedOut = 0, requests = 0,
                  aborted = 0, redirected = 0,
                  cut = 0;  // by abort(), or because an answer contradicted its own Content-Length
    std::size_t open = 0;
};

// What is in an answer that the server makes itself: its body, and the headers that do not depend on the status.
struct ErrorDocument {
    Headers headers;
    std::string body;
};

// HTTPS/1.1 server: connections, TLS, framing, keep-alive, timeouts, limits. Knows nothing of Redfish: it answers by
// itself only what never becomes a request (400 malformed, 408, 413, 414, 431, 501 unknown transfer-coding, 503 when
// full, and a redirect to https for plain HTTP on the TLS port), with what `errorDocument` gives.
class Server final : public HttpPort {
public:
    using MakeErrorDocument = ErrorDocument (*)(int status, std::string_view sentence);

    Server(boost::asio::io_context& context, ServerOptions options, ServerEvents& events, MakeErrorDocument errorDocument);
    ~Server() override;

    Result<void> start();         // binds and listens; the error names address and reason
    std::uint16_t port() const;   // the bound one
    // For an orderly end: no new connections, idle ones close, the others after the answer they wait for.
    void stopAccepting();
    // Cuts what is left. No events follow.
    void closeAll();

    void respond(ExchangeId id, ResponseHead head, std::string body, bool last) override;
    void writeBody(ExchangeId id, std::string piece, bool last) override;
    void abort(ExchangeId id) override;
    void grant(ExchangeId id, std::size_t bytes) override;
    // Replaces the certificate for new connections.
    Result<void> setCertificate(const std::string& certificatePem, const std::string& keyPem);

    const ServerCounters& counters() const;

private:
    class Impl;
    std::shared_ptr<Impl> impl;
};

}  // namespace mesh::aggregator
