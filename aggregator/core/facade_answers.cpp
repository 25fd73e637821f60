// The facade's way back: from a satellite's answer to the client.
#include "aggregator/core/facade.hpp"
#include "aggregator/core/header_rules.hpp"
#include "shoset/uri/uri_map.hpp"

namespace mesh::aggregator {

void Facade::onWritten(ExchangeId id, std::size_t bytes)
{
    broker->consumed(id, bytes, now);
}

void Facade::onAborted(ExchangeId id)
{
    if (const Exchange* exchange = find(id)) {
        if (exchange->phase == Phase::forwarded) {
            broker->cancel(id, now);
        } else if (exchange->phase == Phase::gathering) {
            gather.cancel(id, now);
        }
        exchanges.erase(id);
    }
}

void Facade::onTimer(Now current)
{
    now = current;
    gather.onTimer(now);
}

void Facade::onAnswer(Ticket ticket, ResponseHead head, std::string body, bool last, Now current)
{
    now = current;
    if (Gather::owns(ticket)) {
        gather.onAnswer(ticket, head, body, last, now);
        return;
    }
    Exchange* exchange = find(ticket);
    if (exchange == nullptr) {
        broker->cancel(ticket, now);
        return;
    }
    if ((head.status == 404 || head.status >= 500) && askAnother(ticket, *exchange)) {
        return;
    }
    ResponseHead filtered = filterHead(*exchange, std::move(head));
    if (last) {
        exchanges.erase(ticket);
    } else {
        exchange->answered = true;
    }
    http.respond(ticket, std::move(filtered), std::move(body), last);
}

// Lets the next satellite answer that can as well. False: there is none.
bool Facade::askAnother(ExchangeId id, Exchange& exchange)
{
    while (!exchange.others.empty()) {
        const Satellite* next = satellites.find(exchange.others.back());
        exchange.others.pop_back();
        if (next != nullptr) {
            broker->cancel(id, now);
            forward(id, exchange, *next);
            return true;
        }
    }
    return false;
}

ResponseHead Facade::filterHead(const Exchange& exchange, ResponseHead head)
{
    head.headers = responseHeadersFromSatellite(std::move(head.headers));
    const std::string* location = findHeader(head.headers, "Location");
    if (location != nullptr) {
        const uri::UriMap map(exchange.satellitePrefix);
        if (map.ownerOf(*location) != uri::Owner::satellite && location->starts_with('/')) {
            ++count.forgedLocations;
            removeHeader(head.headers, "Location");
        }
    }
    return head;
}

void Facade::onAnswerBody(Ticket ticket, std::string piece, bool last, Now current)
{
    now = current;
    if (Gather::owns(ticket)) {
        gather.onAnswerBody(ticket, piece, last, now);
        return;
    }
    if (find(ticket) == nullptr) {
        broker->cancel(ticket, now);
        return;
    }
    if (last) {
        exchanges.erase(ticket);
    }
    http.writeBody(ticket, std::move(piece), last);
}

void Facade::onAnswerFailed(Ticket ticket, Error error, bool started, Now current)
{
    now = current;
    if (Gather::owns(ticket)) {
        gather.onAnswerFailed(ticket, error, now);
        return;
    }
    Exchange* exchange = find(ticket);
    if (exchange == nullptr || (!started && askAnother(ticket, *exchange))) {
        return;
    }
    if (started) {
        ++count.cutAnswers;
        exchanges.erase(ticket);
        http.abort(ticket);
        return;
    }
    answer(ticket, satelliteFailure(error, exchange->satelliteName, exchange->path));
}

void Facade::onBodyWanted(Ticket ticket, std::size_t bytes, Now current)
{
    now = current;
    if (find(ticket) != nullptr) {
        http.grant(ticket, bytes);
    }
}

void Facade::answer(ExchangeId id, Answer result)
{
    const auto found = exchanges.find(id);
    if (found == exchanges.end()) {
        return;
    }
    const bool headOnly = found->second.request.head.method == "HEAD";
    exchanges.erase(found);
    if (headOnly) {
        setHeader(result.head.headers, "Content-Length", std::to_string(result.body.size()));
        result.body.clear();
    }
    http.respond(id, std::move(result.head), std::move(result.body), true);
}

}  // namespace mesh::aggregator
