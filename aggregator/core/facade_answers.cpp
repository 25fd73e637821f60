// The facade's way back: from a satellite's answer to the client.
#include "aggregator/core/facade.hpp"
#include "aggregator/core/header_rules.hpp"
#include "aggregator/core/messages.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/uri/uri_map.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

namespace {

constexpr int refusedForNow = 503;

}  // namespace

void Facade::onWritten(ExchangeId id, std::size_t bytes)
{
    broker->consumed(id, bytes, now);
}

void Facade::onAborted(ExchangeId id)
{
    Exchange* exchange = find(id);
    if (exchange == nullptr) {
        return;
    }
    std::vector<ExchangeId> followers;
    endAudit(*exchange, 0);
    if (!exchange->waitsAmong.empty()) {
        turns.leave(exchange->waitsAmong, id);
    }
    if (exchange->phase == Phase::refused) {
        refusals.leave(id);
    }
    if (exchange->phase == Phase::gathering) {
        gather.cancel(id, now);
    } else if (exchange->follows) {
        joinedGets.leave(exchange->key, id);
    } else if (exchange->phase == Phase::forwarded) {
        broker->cancel(id, now);
        followers = joinedGets.take(exchange->key, id);
        if (!exchange->reads()) {
            joinedGets.written(exchange->satellite);
        }
    }
    exchanges.erase(id);
    forwardAgain(followers, Joining::allowed);
}

void Facade::onTimer(Now current)
{
    now = current;
    gather.onTimer(now);
    for (const ExchangeId id : turns.next()) {
        Exchange* exchange = find(id);
        if (exchange == nullptr || std::exchange(exchange->waitsAmong, {}).empty()) {
            continue;
        }
        if (const auto request = std::move(exchange->waiting)) {
            broker->start(id, std::move(*request), now);
        } else {
            answerHere(id, *exchange);
        }
    }
    for (auto& [id, refusal] : refusals.due(now)) {
        tell(id, std::move(refusal));
    }
}

Instant Facade::nextDeadline() const
{
    return turns.isWanted() ? Instant{} : std::min(gather.nextDeadline(), refusals.nextDeadline());
}

bool Facade::waitsForTurn(ExchangeId id, Exchange& exchange, const std::string& tenant)
{
    if (turns.mayGo(tenant, id, now)) {
        return false;
    }
    exchange.waitsAmong = tenant;
    return true;
}

// Who joined late may have been told of a write that the answer does not show, through whichever aggregator it went. Those
// ask together once more; that request is begun after all of them, so whatever it brings is new enough.
void Facade::onAnswer(Ticket ticket, ResponseHead head, std::string body, bool last, Instant asOf, Now current)
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
    if (!exchange->reads()) {
        joinedGets.written(exchange->satellite);
    }
    std::vector<ExchangeId> followers = joinedGets.take(exchange->key, ticket);
    if (last) {
        const auto tooLate = std::stable_partition(followers.begin(), followers.end(), [this, asOf](ExchangeId id) {
            const Exchange* follower = find(id);
            return follower == nullptr || follower->asked <= asOf;
        });
        for (auto served = followers.begin(); served != tooLate; ++served) {
            deliver(*served, head, body, true);
        }
        followers.erase(followers.begin(), tooLate);
        count.joinedAnew += followers.size();
    }
    deliver(ticket, std::move(head), std::move(body), last);
    // An answer that comes in pieces is passed on as it comes, to one.
    forwardAgain(followers, last ? Joining::allowed : Joining::no);
}

void Facade::deliver(ExchangeId id, ResponseHead head, std::string body, bool last)
{
    Exchange* exchange = find(id);
    if (exchange == nullptr || ((head.status == 404 || head.status >= 500) && askAnother(id, *exchange))) {
        return;
    }
    const auto* who = std::get_if<Principal>(&exchange->who);
    if (!last && exchange->reads() && who != nullptr && !access.isCurrent(*who)) {  // it changed while the satellite was asked
        broker->cancel(id, now);
        return answer(id, errorAnswer(403, {"InsufficientPrivilege", {}, {}}));
    }
    ResponseHead filtered = filterHead(*exchange, std::move(head));
    endAudit(*exchange, filtered.status);
    if (last) {
        exchanges.erase(id);
    } else {
        exchange->answered = true;
    }
    http.respond(id, std::move(filtered), std::move(body), last);
}

void Facade::forwardAgain(const std::vector<ExchangeId>& ids, Joining joining)
{
    for (const ExchangeId id : ids) {
        Exchange* exchange = find(id);
        const Satellite* satellite = exchange == nullptr ? nullptr : satellites.find(exchange->satellite);
        if (satellite != nullptr) {
            forward(id, *exchange, *satellite, joining);
        } else if (exchange != nullptr) {
            fail(id, {Code::notSent, "it is no longer registered"}, false);
        }
    }
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
        if (map.ownerOf(*location) != uri::Owner::satellite) {
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
    const Exchange* exchange = find(ticket);
    if (exchange == nullptr) {
        return;
    }
    if (!exchange->reads()) {
        joinedGets.written(exchange->satellite);
    }
    if (started) {
        ++count.cutAnswers;
        exchanges.erase(ticket);
        http.abort(ticket);
        return;
    }
    const bool outOfTime = exchange->attemptDeadline <= now.mono;
    std::vector<ExchangeId> waiting = joinedGets.take(exchange->key, ticket);
    fail(ticket, error, false);
    for (const ExchangeId follower : waiting) {
        fail(follower, error, outOfTime);
    }
}

void Facade::endStreamsOfExpelled()
{
    std::vector<ExchangeId> ending;
    for (const auto& [id, exchange] : exchanges) {
        const auto* who = std::get_if<Principal>(&exchange.who);
        if (exchange.answered && who != nullptr && !access.isCurrent(*who)) {
            ending.push_back(id);
        }
    }
    for (const ExchangeId id : ending) {
        ++count.cutAnswers;
        broker->cancel(id, now);
        exchanges.erase(id);
        http.abort(id);
    }
}

// `outOfTime`: the error says that the time of another exchange was up, which this one has waited for.
void Facade::fail(ExchangeId id, const Error& error, bool outOfTime)
{
    Exchange* exchange = find(id);
    if (exchange == nullptr || askAnother(id, *exchange)) {
        return;
    }
    if (outOfTime && exchange->deadline > now.mono) {
        forwardAgain({id}, Joining::allowed);
        return;
    }
    answer(id, satelliteFailure(error, exchange->satelliteName, exchange->path));
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
    endAudit(found->second, result.head.status);
    if (result.head.status == refusedForNow && refusals.holds(id, result, now)) {
        found->second.phase = Phase::refused;
        return;
    }
    tell(id, std::move(result));
}

void Facade::tell(ExchangeId id, Answer result)
{
    const auto found = exchanges.find(id);
    if (found == exchanges.end()) {
        return;
    }
    const RequestHead& asked = found->second.request.head;
    const bool headOnly = asked.method == "HEAD";
    const std::string* type = findHeader(result.head.headers, "Content-Type");
    // Clients that want JSON everywhere are not kept from what is not JSON ($metadata, metrics).
    if (found->second.reads() && result.head.status == 200 && type != nullptr && !accepts(asked.headers, *type) &&
        !accepts(asked.headers, "application/json")) {
        result = errorAnswer(406, {"HeaderInvalid", {"Accept"}, {}}, "This resource can be had as " + *type + " only.");
    }
    exchanges.erase(found);
    count.unauthenticated += result.head.status == 401 ? 1 : 0;
    count.forbidden += result.head.status == 403 ? 1 : 0;
    if (headOnly && result.head.status != 304) {
        setHeader(result.head.headers, "Content-Length", std::to_string(result.body.size()));
        result.body.clear();
    }
    http.respond(id, std::move(result.head), std::move(result.body), true);
}

std::int64_t Facade::bodyLengthOf(const RequestInfo& request)
{
    return request.bodyFollows && request.contentLength == 0
               ? -1
               : static_cast<std::int64_t>(std::max<std::uint64_t>(request.contentLength, request.body.size()));
}

// Within the quota of the satellite's tenant. Of a body that streams, as much counts as this node holds of it at a time. Asked anew, after
// it was recorded or of another satellite of the tenant, it is still the one message that was let in, and held once.
Result<void> Facade::admit(Exchange& exchange, const std::string& tenant, std::int64_t bodyLength)
{
    if (quotas == nullptr) {
        return {};
    }
    constexpr auto window = static_cast<std::int64_t>(limits::streamWindowBytes);
    const std::int64_t bytes = bodyLength < 0 ? window : std::min(bodyLength, window);
    const bool wasLetIn = exchange.admission.isOf(quotas->find(tenant));
    exchange.admission.release();
    Result<Admission> admitted = quotas->admit(tenant, static_cast<std::uint64_t>(bytes), now, wasLetIn ? 0 : 1);
    if (!admitted) {
        return admitted.error();
    }
    exchange.admission = std::move(*admitted);
    return {};
}

// Before it is recorded: what is not let in is no intent, or who floods would fill the trail with them.
bool Facade::admitOrder(ExchangeId id, Exchange& exchange, const Satellite& satellite)
{
    const Result<void> admitted = admit(exchange, satellite.tenant, bodyLengthOf(exchange.request));
    if (!admitted) {
        Answer refusal = temporarilyUnavailable(admitted.error().message);
        trail->noteRefused({satellite.tenant, std::get<Principal>(exchange.who).user, exchange.request.remote, exchange.request.head.method,
                            exchange.path},
                           refusal.head.status, now);
        answer(id, std::move(refusal));
    }
    return admitted.ok();
}

// Else the client is told, unless another satellite can answer.
bool Facade::admitToSend(ExchangeId id, Exchange& exchange, const Satellite& satellite, std::int64_t bodyLength)
{
    const Result<void> admitted = admit(exchange, satellite.tenant, bodyLength);
    if (admitted) {
        return true;
    }
    joinedGets.take(exchange.key, id);  // nobody follows it yet
    if (!askAnother(id, exchange)) {
        answer(id, temporarilyUnavailable(admitted.error().message));
    }
    return false;
}

}  // namespace mesh::aggregator
