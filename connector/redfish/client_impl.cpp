#include "connector/redfish/client_impl.hpp"

#include "shoset/base/limits.hpp"

#include <boost/asio/post.hpp>

namespace mesh::connector {

namespace {

// Deadlines are met this late at most; waking up less often is worth it.
constexpr Duration timerGranularity = 10ms;

BmcAuth authOf(BmcTarget::Auth auth)
{
    switch (auth) {
        case BmcTarget::Auth::none: break;
        case BmcTarget::Auth::basic: return BmcAuth::basic;
        case BmcTarget::Auth::session: return BmcAuth::session;
    }
    return BmcAuth::none;
}

}  // namespace

RedfishClient::Impl::Impl(boost::asio::io_context& loop, const BmcTarget& configured, BmcEvents& receiver,
                          std::function<Now()> clock)
    : context(loop), target(configured), events(receiver), now(std::move(clock)), timer(loop)
{
}

Result<void> RedfishClient::Impl::configure()
{
    Result<BmcUrl> parsed = parseBmcUrl(target.url);
    if (!parsed) {
        return parsed.error();
    }
    url = std::move(*parsed);
    if (url.tls) {
        Result<std::shared_ptr<http::ClientTls>> made = http::makeClientTls(target.trust);
        if (!made) {
            return made.error();
        }
        tls = std::move(*made);
    }
    dispatcher = std::make_unique<BmcDispatcher>("BMC " + url.authority, authOf(target.auth), target.user,
                                                 target.password, rng, BmcPool::Options{});
    wipe(target.password);
    return {};
}

Exchange* RedfishClient::Impl::find(BmcExchange id)
{
    const auto it = exchanges.find(id);
    return it == exchanges.end() || it->second.failed ? nullptr : &it->second;
}

std::shared_ptr<Connection> RedfishClient::Impl::connection(BmcConnection id) const
{
    const auto it = connections.find(id);
    return it == connections.end() ? nullptr : it->second;
}

Exchange* RedfishClient::Impl::carriedBy(BmcConnection id)
{
    const auto it = connections.find(id);
    Exchange* exchange = it == connections.end() ? nullptr : find(it->second->exchange());
    return exchange != nullptr && exchange->connection == id ? exchange : nullptr;
}

void RedfishClient::Impl::start(BmcExchange id, RequestHead head, std::string body, bool bodyFollows,
                                std::int64_t bodyLength, bool repeatable, Instant deadline)
{
    ++count.requests;
    Exchange& exchange = exchanges[id];
    exchange.head = std::move(head);
    Result<void> valid = checkBmcRequest(exchange.head);
    if (bodyFollows || !body.empty()) {
        exchange.body = BmcBody(bodyFollows ? bodyLength : static_cast<std::int64_t>(body.size()));
        if (valid) {
            valid = exchange.body.add(body, !bodyFollows);
        }
    }
    if (!valid) {
        failLater(id, valid.error());
        return;
    }
    dispatcher->start(id, repeatable, deadline, now().mono);
    perform();
}

void RedfishClient::Impl::sendBody(BmcExchange id, std::string_view piece, bool last)
{
    Exchange* exchange = find(id);
    if (exchange == nullptr) {
        return;
    }
    if (const Result<void> added = exchange->body.add(piece, last); !added) {
        dispatcher->cancel(id, now().mono);
        perform();
        failLater(id, added.error());
        return;
    }
    if (const auto carrier = connection(exchange->connection); carrier && !carrier->writing()) {
        writeMore(*carrier, *exchange);
    }
}

void RedfishClient::Impl::grant(BmcExchange id, std::size_t bytes)
{
    Exchange* exchange = find(id);
    if (exchange == nullptr) {
        return;
    }
    exchange->credit += bytes;
    if (exchange->inflater && (exchange->ended || !exchange->inflater->drained())) {
        boost::asio::post(context, [weak = weak_from_this(), id] {
            if (const auto self = weak.lock()) {
                self->goOnInflating(id);
            }
        });
    } else if (const auto carrier = connection(exchange->connection)) {
        carrier->resume();
    }
}

void RedfishClient::Impl::cancel(BmcExchange id)
{
    if (exchanges.erase(id) != 0) {
        dispatcher->cancel(id, now().mono);
        perform();
    }
}

void RedfishClient::Impl::stop(std::function<void()> done)
{
    onStopped = std::move(done);
    dispatcher->stop(now().mono);
    perform();
}

void RedfishClient::Impl::abandon()
{
    timer.cancel();
    for (auto& [id, open] : connections) {
        open->close();
    }
    connections.clear();
    exchanges.clear();
    failures.clear();
    onStopped = nullptr;
}

const BmcCounters& RedfishClient::Impl::counters()
{
    if (dispatcher) {
        const auto& pool = dispatcher->poolCounters();
        const auto& login = dispatcher->loginCounters();
        count.connects = pool.connects;
        count.staleRetries = pool.staleRetries;
        count.queuedFull = pool.queuedFull;
        count.logins = login.logins;
        count.relogins = login.relogins;
    }
    return count;
}

// None of the actions calls the core, so nothing comes back in while they are carried out.
void RedfishClient::Impl::perform()
{
    BmcActions& actions = dispatcher->actions;
    for (std::size_t i = 0; i < actions.size(); ++i) {
        BmcAction& action = actions[i];
        switch (action.kind) {
            case BmcAction::Kind::connect: openConnection(action.connection); break;
            case BmcAction::Kind::send: send(action.connection, action.exchange); break;
            case BmcAction::Kind::close: closeConnection(action.connection); break;
            case BmcAction::Kind::fail: failLater(action.exchange, std::move(action.error)); break;
            case BmcAction::Kind::stopped: stopped(); break;
        }
    }
    actions.clear();
    armTimer();
}

void RedfishClient::Impl::openConnection(BmcConnection id)
{
    const auto opened = std::make_shared<Connection>(id, weak_from_this());
    connections.emplace(id, opened);
    opened->connect(context.get_executor(), url, tls);
}

void RedfishClient::Impl::closeConnection(BmcConnection id)
{
    if (const auto it = connections.find(id); it != connections.end()) {
        it->second->close();
        connections.erase(it);
    }
}

void RedfishClient::Impl::send(BmcConnection id, BmcExchange exchangeId)
{
    if (isInternal(exchangeId) && !exchanges.contains(exchangeId)) {
        const BmcLogin::Request& request = dispatcher->internalRequest();
        Exchange& own = exchanges[exchangeId];
        own.head = request.head;
        if (!request.body.empty()) {
            own.body = BmcBody(static_cast<std::int64_t>(request.body.size()));
            (void)own.body.add(request.body, true);
        }
    }
    Exchange* exchange = find(exchangeId);
    const auto carrier = connection(id);
    if (exchange == nullptr || !carrier) {
        return;
    }
    exchange->connection = id;
    exchange->discard = false;
    exchange->discarded = 0;
    exchange->inflater.reset();
    exchange->body.rewind();
    carrier->begin(exchangeId, exchange->head.method == "HEAD");
    carrier->out.clear();
    appendBmcRequest(carrier->out, exchange->head, url, dispatcher->credential(exchangeId), exchange->body);
    exchange->body.take(carrier->out, limits::chunkBytes);
    carrier->write(exchange->body.complete());
}

void RedfishClient::Impl::writeMore(Connection& carrier, Exchange& exchange)
{
    if (exchange.body.hasMore()) {
        carrier.out.clear();
        exchange.body.take(carrier.out, limits::chunkBytes);
        carrier.write(exchange.body.complete());
    }
}

void RedfishClient::Impl::failLater(BmcExchange id, Error error)
{
    if (isInternal(id)) {
        exchanges.erase(id);
        return;
    }
    const auto it = exchanges.find(id);
    if (it == exchanges.end() || it->second.failed) {
        return;
    }
    it->second.failed = true;
    failures.emplace_back(id, std::move(error));
    if (failures.size() == 1) {
        boost::asio::post(context, [weak = weak_from_this()] {
            if (const auto self = weak.lock()) {
                self->deliverFailures();
            }
        });
    }
}

void RedfishClient::Impl::deliverFailures()
{
    std::vector<std::pair<BmcExchange, Error>> due;
    due.swap(failures);
    for (auto& [id, error] : due) {
        if (exchanges.erase(id) != 0) {  // else cancelled meanwhile
            ++count.failures;
            events.onFailure(id, std::move(error), now());
        }
    }
}

void RedfishClient::Impl::stopped()
{
    timer.cancel();
    boost::asio::post(context, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (self && self->onStopped) {
            std::exchange(self->onStopped, nullptr)();
        }
    });
}

void RedfishClient::Impl::armTimer()
{
    const Instant next = dispatcher->nextDeadline();
    if (next == never || timerAt <= next + timerGranularity) {
        return;
    }
    timerAt = next + timerGranularity;
    timer.expires_after(std::max(timerAt - now().mono, Duration::zero()));
    timer.async_wait([weak = weak_from_this()](boost::system::error_code error) {
        if (const auto self = weak.lock(); self && !error) {
            self->onTimer();
        }
    });
}

void RedfishClient::Impl::onTimer()
{
    timerAt = never;
    dispatcher->tick(now().mono);
    perform();
}

}  // namespace mesh::connector
