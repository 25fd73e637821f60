#include "aggregator/http/server.hpp"

#include "aggregator/http/address.hpp"
#include "aggregator/http/connection.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <vector>

namespace mesh::aggregator {

using boost::asio::ip::tcp;
using boost::system::error_code;

namespace {

// An exchange's id names the slot of its connection in the low bits, so that finding it costs no look-up.
constexpr unsigned slotBits = 16;
constexpr Duration shortestTick = 10ms;
constexpr Duration longestTick = 500ms;

}  // namespace

class Server::Impl final : public ConnectionOwner, public std::enable_shared_from_this<Server::Impl> {
public:
    Impl(boost::asio::io_context& io, ServerOptions given, ServerEvents& target, MakeErrorDocument document)
        : context(io), options(std::move(given)), handler(target), makeErrorDocument(document), acceptor(io), sweepTimer(io),
          tickLength(std::clamp(std::min(options.idleTimeout, options.headerTimeout) / 4, shortestTick, longestTick))
    {
    }

    Result<void> start();
    void accept();
    void stopAccepting();
    void closeAll();
    void stopSweeping() { sweepTimer.cancel(); }
    Connection* find(ExchangeId id) const;

    ServerEvents& events() override { return handler; }
    ServerCounters& count() override { return counters; }
    const ServerOptions& settings() const override { return options; }
    ErrorDocument errorDocument(int status, std::string_view sentence) const override
    {
        return makeErrorDocument(status, sentence);
    }
    ExchangeId nextExchange(const Connection& connection) override
    {
        return ++exchanges << slotBits | connection.slot();
    }
    void post(std::function<void()> task) override { boost::asio::post(context, std::move(task)); }
    std::uint64_t tickAfter(Duration duration) const override
    {
        return tick + 1 + static_cast<std::uint64_t>((duration + tickLength - Duration(1)) / tickLength);
    }
    void release(Connection& connection) override;

    boost::asio::io_context& context;
    ServerOptions options;
    ServerEvents& handler;
    MakeErrorDocument makeErrorDocument;
    tcp::acceptor acceptor;
    std::uint16_t boundPort = 0;
    std::shared_ptr<http::ServerTls> tls;
    ServerCounters counters;

private:
    void onAccepted(error_code error, tcp::socket socket);
    void add(tcp::socket socket);
    void sweep();
    void armSweep();

    std::vector<std::shared_ptr<Connection>> slots;
    std::vector<std::size_t> freeSlots;
    std::uint64_t exchanges = 0;
    boost::asio::steady_timer sweepTimer;  // runs while there are connections, or to accept again
    const Duration tickLength;
    std::uint64_t tick = 1;
    bool sweeping = false;
    bool acceptLater = false;
};

Result<void> Server::Impl::start()
{
    const auto endpoint = parseEndpoint(options.bind);
    if (!endpoint) {
        return endpoint.error();
    }
    if (options.maxConnections + limits::httpRefusedConnections > std::size_t(1) << slotBits) {
        return Error{Code::invalidArgument, "at most 60000 connections can be served"};
    }
    if (!options.certificatePem.empty()) {
        auto made = http::makeServerTls(options.certificatePem, options.keyPem);
        if (!made) {
            return made.error();
        }
        tls = *made;
    }
    error_code error;
    acceptor.open(endpoint->protocol(), error);
    if (!error) {
        acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    }
    if (!error) {
        acceptor.bind(*endpoint, error);
    }
    if (!error) {
        acceptor.listen(boost::asio::socket_base::max_listen_connections, error);
    }
    if (error) {
        return Error{Code::unavailable, "cannot listen on " + options.bind + ": " + error.message()};
    }
    boundPort = acceptor.local_endpoint(error).port();
    accept();
    return {};
}

void Server::Impl::accept()
{
    acceptor.async_accept([self = shared_from_this()](error_code error, tcp::socket socket) {
        self->onAccepted(error, std::move(socket));
    });
}

void Server::Impl::onAccepted(error_code error, tcp::socket socket)
{
    if (!acceptor.is_open()) {
        return;
    }
    if (!error) {
        add(std::move(socket));
        return accept();
    }
    // Out of descriptors or memory: an attempt per tick, until some are free again.
    acceptLater = true;
    armSweep();
}

void Server::Impl::add(tcp::socket socket)
{
    ++counters.accepted;
    if (counters.open >= options.maxConnections + limits::httpRefusedConnections) {
        ++counters.refusedFull;
        return;  // closes it
    }
    if (freeSlots.empty()) {
        freeSlots.push_back(slots.size());
        slots.emplace_back();
    }
    const std::size_t slot = freeSlots.back();
    freeSlots.pop_back();
    const bool refuse = counters.open++ >= options.maxConnections;
    slots[slot] = std::make_shared<Connection>(*this, std::move(socket), slot, refuse);
    slots[slot]->start(tls);
    armSweep();
}

void Server::Impl::release(Connection& connection)
{
    freeSlots.push_back(connection.slot());
    slots[connection.slot()].reset();
    --counters.open;
}

void Server::Impl::armSweep()
{
    if (std::exchange(sweeping, true)) {
        return;
    }
    sweepTimer.expires_after(tickLength);
    sweepTimer.async_wait([self = shared_from_this()](error_code error) {
        self->sweeping = false;
        if (!error) {
            self->sweep();
        }
    });
}

void Server::Impl::sweep()
{
    ++tick;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (const auto connection = slots[i]) {
            connection->onTick(tick);
        }
    }
    if (std::exchange(acceptLater, false) && acceptor.is_open()) {
        accept();
    }
    if (counters.open > 0 || acceptLater) {
        armSweep();
    }
}

void Server::Impl::stopAccepting()
{
    error_code ignored;
    acceptor.close(ignored);
    const auto current = slots;
    for (const auto& connection : current) {
        if (connection) {
            connection->drain();
        }
    }
}

void Server::Impl::closeAll()
{
    const auto current = slots;
    for (const auto& connection : current) {
        if (connection) {
            connection->close();
        }
    }
}

Connection* Server::Impl::find(ExchangeId id) const
{
    const std::size_t slot = id & ((std::size_t(1) << slotBits) - 1);
    if (slot >= slots.size() || !slots[slot] || slots[slot]->exchangeId() != id) {
        return nullptr;
    }
    return slots[slot].get();
}

Server::Server(boost::asio::io_context& context, ServerOptions options, ServerEvents& events, MakeErrorDocument errorDocument)
    : impl(std::make_shared<Impl>(context, std::move(options), events, errorDocument))
{
}

Server::~Server()
{
    stopAccepting();
    closeAll();
    impl->stopSweeping();
}

Result<void> Server::start()
{
    return impl->start();
}

std::uint16_t Server::port() const
{
    return impl->boundPort;
}

void Server::stopAccepting()
{
    impl->stopAccepting();
}

void Server::closeAll()
{
    impl->closeAll();
}

// The calls of an exchange that is over come too late to matter: the owner heard onAborted, or will.
void Server::respond(ExchangeId id, ResponseHead head, std::string body, bool last)
{
    if (Connection* connection = impl->find(id)) {
        connection->respond(std::move(head), std::move(body), last);
    }
}

void Server::writeBody(ExchangeId id, std::string piece, bool last)
{
    if (Connection* connection = impl->find(id)) {
        connection->writeBody(std::move(piece), last);
    }
}

void Server::abort(ExchangeId id)
{
    if (Connection* connection = impl->find(id)) {
        connection->abort();
    }
}

void Server::grant(ExchangeId id, std::size_t bytes)
{
    if (Connection* connection = impl->find(id)) {
        connection->grant(bytes);
    }
}

Result<void> Server::setCertificate(const std::string& certificatePem, const std::string& keyPem)
{
    auto made = http::makeServerTls(certificatePem, keyPem);
    if (!made) {
        return made.error();
    }
    impl->tls = *made;
    return {};
}

const ServerCounters& Server::counters() const
{
    return impl->counters;
}

}  // namespace mesh::aggregator
