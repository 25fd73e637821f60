#pragma once

#include "shoset/base/result.hpp"
#include "shoset/zmq/context.hpp"

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mesh::shoset {

struct ZapCounters {
    std::uint64_t admitted = 0;
    std::uint64_t refused = 0;        // the key is not known, or may not use that domain
    std::uint64_t refusedOther = 0;   // neither CURVE nor a process of this machine
    std::uint64_t malformed = 0;      // not a request of RFC 27
};

// The latest refusal, and how many there were since the previous report.
struct ZapRefusal {
    std::string domain;
    std::string key;  // Z85, of a stranger: for the operator's log; empty: a process of this machine
    std::string address;
    std::uint64_t count = 0;
};

// Decides who may connect to the listeners of one context (ZAP, ZeroMQ RFC 27). Without it nobody may: listeners
// enforce their domain. Create it before the context's first listener and end it after the last.
class Zap {
public:
    // The registry id of a client's key (Z85) in a listener's domain, or nothing to refuse it. Runs on the loop's
    // thread and must answer at once. `address` is the client's IP. An empty id refuses.
    using Authenticator = std::function<std::optional<std::string>(std::string_view domain, std::string_view key,
                                                                   std::string_view address)>;
    // The same for a local listener (ipc), where no key is shown: `peer` is what the kernel says of the process that
    // connected, "uid:gid:pid". Without it all such are refused.
    using LocalAuthenticator = std::function<std::optional<std::string>(std::string_view domain, std::string_view peer)>;
    // Called at most once per limits::refusalReportInterval.
    using RefusalHandler = std::function<void(const ZapRefusal&)>;

    // Code::unavailable when the context has a handler already.
    static Result<std::unique_ptr<Zap>> start(const Context& context, boost::asio::io_context& loop,
                                              Authenticator authenticate, RefusalHandler onRefused = {},
                                              LocalAuthenticator authenticateLocal = {});
    ~Zap();

    const ZapCounters& counters() const;

private:
    class Server;
    explicit Zap(std::unique_ptr<Server> owned);
    std::unique_ptr<Server> server;
};

}  // namespace mesh::shoset
