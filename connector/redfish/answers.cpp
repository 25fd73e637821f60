#include "connector/redfish/client_impl.hpp"

#include "shoset/base/limits.hpp"

#include <limits>

// The half of RedfishClient::Impl that Connections call: answers on their way to the core.
namespace mesh::connector {

void RedfishClient::Impl::onConnected(BmcConnection id)
{
    dispatcher->connected(id, now().mono);
    perform();
}

void RedfishClient::Impl::onConnectFailed(BmcConnection id, Error error)
{
    connections.erase(id);
    if (error.code == Code::permissionDenied) {
        error.code = Code::refused;
    }
    dispatcher->connectFailed(id, error, now().mono);
    perform();
}

void RedfishClient::Impl::onWritten(BmcConnection id)
{
    Exchange* exchange = carriedBy(id);
    if (exchange == nullptr) {
        return;
    }
    const BmcExchange exchangeId = connection(id)->exchange();
    const std::size_t sent = exchange->body.acknowledge();
    if (sent > 0 && !isInternal(exchangeId)) {
        events.onBodySent(exchangeId, sent, now());
        exchange = carriedBy(id);
    }
    const auto carrier = connection(id);
    if (exchange != nullptr && !carrier->writing()) {
        writeMore(*carrier, *exchange);
    }
}

void RedfishClient::Impl::onAnswering(BmcConnection id)
{
    dispatcher->answering(id);
}

std::size_t RedfishClient::Impl::answerRoom(BmcConnection id) const
{
    const auto carrier = connection(id);
    const auto it = carrier ? exchanges.find(carrier->exchange()) : exchanges.end();
    if (it == exchanges.end() || it->second.discard) {
        return limits::bmcReadBytes;
    }
    const Exchange& exchange = it->second;
    if (exchange.inflater) {
        return exchange.inflater->drained() ? limits::bmcReadBytes : 0;
    }
    return exchange.credit;
}

void RedfishClient::Impl::onAnswerHead(BmcConnection id, ResponseHead head, std::optional<std::uint64_t> length)
{
    Exchange* exchange = carriedBy(id);
    if (exchange == nullptr) {
        return;
    }
    if (head.status < 200) {
        dispatcher->answering(id);
        connection(id)->giveUp("it switched protocols without being asked");
        return;
    }
    const BmcExchange exchangeId = connection(id)->exchange();
    const auto verdict = dispatcher->head(id, head, now().mono);
    perform();
    exchange = carriedBy(id);
    if (exchange == nullptr) {
        return;
    }
    exchange->discard = verdict == BmcDispatcher::Answer::discard;
    if (exchange->discard) {
        return;
    }
    const bool bodyFollows =
        exchange->head.method != "HEAD" && head.status != 204 && head.status != 304 && length != 0u;
    deliverHead(exchangeId, *exchange, std::move(head), bodyFollows);
}

void RedfishClient::Impl::deliverHead(BmcExchange id, Exchange& exchange, ResponseHead head, bool bodyFollows)
{
    removeConnectionHeaders(head.headers);
    if (decode(exchange, head, bodyFollows)) {
        removeHeader(head.headers, "Content-Encoding");
        removeHeader(head.headers, "Content-Length");
    }
    if (bodyFollows) {
        events.onHead(id, std::move(head), true, now());
    } else {
        exchange.bodiless = std::move(head);
    }
}

// Whether the head speaks of a compressed body that the core is not to know of.
bool RedfishClient::Impl::decode(Exchange& exchange, ResponseHead& head, bool bodyFollows)
{
    const BmcEncoding encoding = contentEncoding(head.headers);
    if (encoding != BmcEncoding::gzip && encoding != BmcEncoding::deflate) {
        return false;
    }
    if (bodyFollows) {
        ++count.gzipDecoded;
        exchange.inflater = std::make_shared<Inflater>(encoding == BmcEncoding::gzip ? Inflater::Format::gzip
                                                                                     : Inflater::Format::deflate);
    }
    return true;
}

void RedfishClient::Impl::onAnswerBody(BmcConnection id, std::string_view piece)
{
    Exchange* exchange = carriedBy(id);
    if (exchange == nullptr) {
        return;
    }
    if (exchange->discard) {
        exchange->discarded += piece.size();
        if (exchange->discarded > limits::inlineBodyBytes) {
            connection(id)->giveUp("its refusal is too long");
        }
        return;
    }
    const BmcExchange exchangeId = connection(id)->exchange();
    if (exchange->inflater) {
        exchange->inflater->feed(piece);
        inflate(id, exchangeId);
        return;
    }
    deliverHeld(exchangeId);
    exchange = carriedBy(id);
    if (exchange != nullptr) {
        exchange->held = piece;
    }
}

void RedfishClient::Impl::onAnswerPause(BmcConnection id)
{
    if (carriedBy(id) != nullptr) {
        deliverHeld(connection(id)->exchange());
    }
}

void RedfishClient::Impl::deliverHeld(BmcExchange id)
{
    Exchange* exchange = find(id);
    if (exchange != nullptr && !exchange->held.empty()) {
        const std::string_view piece = std::exchange(exchange->held, {});
        exchange->credit -= std::min(exchange->credit, piece.size());
        events.onBody(id, piece, false, now());
    }
}

bool RedfishClient::Impl::inflate(BmcConnection id, BmcExchange exchangeId)
{
    while (Exchange* exchange = carriedBy(id)) {
        const std::shared_ptr<Inflater> inflater = exchange->inflater;  // the core may cancel while it reads the piece
        const Result<std::string_view> decoded = inflater->next(exchange->credit);
        if (!decoded) {
            connection(id)->giveUp(decoded.error().message);
            return false;
        }
        if (decoded->empty()) {
            return true;
        }
        exchange->credit -= decoded->size();
        events.onBody(exchangeId, *decoded, false, now());
    }
    return false;
}

// After a grant.
void RedfishClient::Impl::goOnInflating(BmcExchange id)
{
    Exchange* exchange = find(id);
    const auto carrier = exchange == nullptr ? nullptr : connection(exchange->connection);
    if (!carrier || !exchange->inflater || !inflate(exchange->connection, id)) {
        return;
    }
    exchange = find(id);
    const BmcConnection connectionId = exchange->connection;
    if (exchange->ended) {
        onAnswerEnd(connectionId, exchange->reusable);
    }
    carrier->resume();
}

void RedfishClient::Impl::onAnswerEnd(BmcConnection id, bool reusable)
{
    Exchange* exchange = carriedBy(id);
    if (exchange == nullptr) {
        return;
    }
    if (exchange->inflater && !exchange->discard) {
        exchange->ended = true;
        exchange->reusable = reusable;
        if (!exchange->inflater->drained()) {
            return;
        }
        if (!exchange->inflater->finished()) {
            connection(id)->giveUp("its compressed body has no end");
            return;
        }
    }
    exchange->reusable = reusable;
    complete(id, connection(id)->exchange());
}

// The connection is freed first, so that what the core starts in answer finds it.
void RedfishClient::Impl::complete(BmcConnection id, BmcExchange exchangeId)
{
    const auto it = exchanges.find(exchangeId);
    const bool reusable = it->second.reusable;
    const bool replayable = it->second.body.replayable();
    const bool forUs = it->second.discard;
    decltype(exchanges)::node_type over;
    it->second.connection = 0;
    if (!forUs || isInternal(exchangeId)) {
        over = exchanges.extract(it);
    }
    connection(id)->release();
    dispatcher->finished(id, reusable, replayable, now().mono);
    perform();
    if (forUs) {
        return;
    }
    Exchange& ended = over.mapped();
    if (ended.bodiless) {
        events.onHead(exchangeId, std::move(*ended.bodiless), false, now());
    } else {
        events.onBody(exchangeId, ended.held, true, now());
    }
}

void RedfishClient::Impl::onLost(BmcConnection id, bool nothingSent, const std::string& why)
{
    const auto it = connections.find(id);
    if (it == connections.end()) {
        return;
    }
    Exchange* exchange = carriedBy(id);
    const bool replayable = exchange == nullptr || exchange->body.replayable();
    if (exchange != nullptr) {
        exchange->connection = 0;
    }
    connections.erase(it);
    dispatcher->lost(id, nothingSent, replayable, why, now().mono);
    perform();
}

}  // namespace mesh::connector
