#include "shoset/zmq/zap.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/zmq/connection.hpp"
#include "shoset/zmq/keys.hpp"
#include "shoset/zmq/pump.hpp"

#include <array>
#include <chrono>
#include <utility>

namespace mesh::shoset {
namespace {

constexpr std::size_t rawKeyBytes = 32;

struct Verdict {
    std::string_view status;
    std::string_view text;
    std::string userId;
};

}  // namespace

class Zap::Server final : public PumpClient {
public:
    Server(const Context& owner, Authenticator decide, RefusalHandler report, LocalAuthenticator decideLocal)
        : context(owner), authenticate(std::move(decide)), authenticateLocal(std::move(decideLocal)), onRefused(std::move(report))
    {
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server()
    {
        if (pump) {
            pump->close();
        }
    }

    Result<void> start(boost::asio::io_context& loop);
    void onParts(std::span<const Part> parts, std::size_t total) override;
    ZapCounters counters;

private:
    Verdict judge(std::span<const Part> parts, std::size_t total);
    Verdict judgeKey(std::string_view domain, std::string_view address, std::string_view rawKey);
    Verdict judgeLocal(std::string_view domain, std::string_view address);
    Verdict verdictOn(const std::optional<std::string>& id, std::string_view domain, const char* key, std::string_view address);
    void reportRefusal(std::string_view domain, const char* key, std::string_view address);

    Context context;
    Authenticator authenticate;
    LocalAuthenticator authenticateLocal;
    RefusalHandler onRefused;
    std::shared_ptr<Pump> pump;
    std::uint64_t unreported = 0;
    std::optional<std::chrono::steady_clock::time_point> lastReport;
};

Result<void> Zap::Server::start(boost::asio::io_context& loop)
{
    auto socket = Socket::open(context, ZMQ_REP);
    if (!socket) {
        return socket.error();
    }
    if (auto bound = socket->bind("inproc://zeromq.zap.01"); !bound) {
        return bound.error();
    }
    auto started = Pump::start(loop, std::move(socket.value()), *this);
    if (!started) {
        return started.error();
    }
    pump = started.value();
    return {};
}

// Request: version, request id, domain, address, routing id, mechanism, credentials. The only asker is libzmq's I/O
// thread of this context, one request at a time in the order of REP; each one must be answered.
void Zap::Server::onParts(std::span<const Part> parts, std::size_t total)
{
    const Verdict verdict = judge(parts, total);
    const std::string_view requestId = total > 1 ? parts[1].view() : std::string_view();
    const std::array<std::string_view, 6> reply{"1.0", requestId, verdict.status, verdict.text, verdict.userId, ""};
    pump->sendParts(reply);
}

Verdict Zap::Server::judge(std::span<const Part> parts, std::size_t total)
{
    if (total < 6 || total > parts.size() || parts[0].view() != "1.0") {
        ++counters.malformed;
        return {"500", "malformed request", {}};
    }
    if (parts[5].view() == "NULL" && authenticateLocal && total == 6) {
        return judgeLocal(parts[2].view(), parts[3].view());
    }
    if (parts[5].view() != "CURVE") {
        ++counters.refusedOther;
        return {"400", "CURVE is required", {}};
    }
    if (total != 7 || parts[6].view().size() != rawKeyBytes) {
        ++counters.malformed;
        return {"500", "malformed request", {}};
    }
    return judgeKey(parts[2].view(), parts[3].view(), parts[6].view());
}

Verdict Zap::Server::judgeKey(std::string_view domain, std::string_view address, std::string_view rawKey)
{
    std::array<char, keyChars + 1> key{};
    zmq_z85_encode(key.data(), reinterpret_cast<const std::uint8_t*>(rawKey.data()), rawKey.size());
    return verdictOn(authenticate(domain, std::string_view(key.data(), keyChars), address), domain, key.data(), address);
}

// libzmq names the peer of a Unix socket "localhost:uid:gid:pid"; of any other address there is nothing to prove.
Verdict Zap::Server::judgeLocal(std::string_view domain, std::string_view address)
{
    constexpr std::string_view local = "localhost:";
    const bool proved = address.starts_with(local);
    const std::string_view peer = proved ? address.substr(local.size()) : std::string_view();
    return verdictOn(proved ? authenticateLocal(domain, peer) : std::nullopt, domain, "", proved ? peer : address);
}

Verdict Zap::Server::verdictOn(const std::optional<std::string>& id, std::string_view domain, const char* key,
                               std::string_view address)
{
    // A User-Id travels as one byte of length in some of libzmq's paths and as a C string in others.
    if (!id || id->empty() || id->size() > 200 || id->find('\0') != std::string::npos) {
        ++counters.refused;
        reportRefusal(domain, key, address);
        return {"400", "unknown key", {}};
    }
    ++counters.admitted;
    return {"200", "OK", formatOrigin(context.nextSerial(), *id)};
}

void Zap::Server::reportRefusal(std::string_view domain, const char* key, std::string_view address)
{
    ++unreported;
    const auto now = std::chrono::steady_clock::now();
    if (!onRefused || (lastReport && now - *lastReport < limits::refusalReportInterval)) {
        return;
    }
    lastReport = now;
    onRefused({std::string(domain), key, std::string(address), std::exchange(unreported, 0)});
}

Result<std::unique_ptr<Zap>> Zap::start(const Context& context, boost::asio::io_context& loop,
                                        Authenticator authenticate, RefusalHandler onRefused,
                                        LocalAuthenticator authenticateLocal)
{
    auto server = std::make_unique<Server>(context, std::move(authenticate), std::move(onRefused), std::move(authenticateLocal));
    if (auto started = server->start(loop); !started) {
        return started.error();
    }
    return std::unique_ptr<Zap>(new Zap(std::move(server)));
}

Zap::Zap(std::unique_ptr<Server> owned) : server(std::move(owned)) {}
Zap::~Zap() = default;
const ZapCounters& Zap::counters() const
{
    return server->counters;
}

}  // namespace mesh::shoset
