#pragma once

#include "connector/core/bmc.hpp"
#include "shoset/http/stream.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>

namespace mesh::connector {

struct BmcTarget {
    enum class Auth { none, basic, session };
    std::string url;  // "http://host[:port]" or "https://host[:port]", no path
    Auth auth = Auth::none;
    std::string user;
    std::string password;
    http::ClientTrust trust;
};

struct BmcCounters {
    std::uint64_t requests = 0, connects = 0, staleRetries = 0, logins = 0, relogins = 0, failures = 0, queuedFull = 0,
                  gzipDecoded = 0;
};

// HTTP/1.1 client of one BMC: a pool of limits::bmcConnections connections and a bounded queue before it, one retry on
// a stale kept-alive connection, basic or session authentication with one new login on 401, deadlines, gzip that comes
// unasked decoded (Content-Encoding removed, streamed, bounded). OpenSSL is started only for an https URL.
// Decisions are made by the pure machines of connector/core/bmc_*.hpp; this shell carries them out.
class RedfishClient final : public BmcPort {
public:
    RedfishClient(boost::asio::io_context& context, BmcTarget target, BmcEvents& events, std::function<Now()> now);
    ~RedfishClient() override;

    Result<void> configure();  // checks URL and trust; call once before the first start()

    void start(BmcExchange id, RequestHead head, std::string body, bool bodyFollows, std::int64_t bodyLength,
               bool repeatable, Instant deadline) override;
    void sendBody(BmcExchange id, std::string piece, bool last) override;
    void grant(BmcExchange id, std::size_t bytes) override;
    void cancel(BmcExchange id) override;
    // Ends the BMC session (DELETE, best effort within 1 s), then closes everything and calls done.
    void stop(std::function<void()> done);

    const BmcCounters& counters() const;

private:
    class Impl;
    std::shared_ptr<Impl> impl;
};

}  // namespace mesh::connector
