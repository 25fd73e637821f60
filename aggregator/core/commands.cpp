#include "aggregator/core/commands.hpp"

#include "aggregator/core/command_deeds.hpp"
#include "aggregator/core/redfish_rules.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/outcome.hpp"
#include "shoset/core/redfish_command.hpp"

#include <algorithm>

namespace mesh::aggregator {

using shoset::Reply;
using shoset::ReplyState;

namespace {

constexpr std::size_t recordOverhead = 1024;  // of an ended command without what its replies brought

bool anyOf(const shoset::Target& to)
{
    return to.name.empty() && !to.all;
}

// Another connector may be asked: this one has not got it, or could not take it.
bool leavesItToOthers(Code code)
{
    return code == Code::notSent || code == Code::notFound || code == Code::full || code == Code::unsupported;
}

Reply failureOf(const Error& error)
{
    Reply reply;
    reply.state = ReplyState::fail;
    reply.code = error.code;
    reply.message = error.message;
    return reply;
}

Result<void> checkAsk(const CommandAsk& ask)
{
    if (ask.to.name.empty() == ask.to.type.empty()) {
        return Error{Code::invalidArgument, "name one connector, or a connector type"};
    }
    for (const std::string* name : {&ask.tenant, &ask.to.name, &ask.to.type, &ask.wanted.command, &ask.wanted.type}) {
        if (!name->empty() && !isValidName(*name)) {
            return Error{Code::invalidArgument, "a name is of 1 to 63 letters, digits, '.', '_' and '-'"};
        }
    }
    if (ask.tenant.empty() || ask.wanted.command.empty()) {
        return Error{Code::invalidArgument, "a tenant and a command are to be named"};
    }
    if (ask.wanted.command == shoset::redfishRequest) {
        return Error{Code::invalidArgument, "Redfish requests go to the facade"};
    }
    if (ask.payload.size() > limits::maxPayloadBytes) {
        return Error{Code::tooLarge, "a payload has at most " + std::to_string(limits::maxPayloadBytes) + " bytes"};
    }
    if (shoset::isRedfishCommand(ask.wanted.command)) {
        if (const auto needed = requirementOfRedfish(ask.wanted.command, ask.payload); !needed) {
            return needed.error();
        }
    }
    return {};
}

}  // namespace

Error noSuchTarget(const CommandAsk& ask)
{
    return {Code::notFound, ask.to.name.empty() ? "no connector of tenant " + ask.tenant + " offers " + describe(ask.wanted)
                                                : "there is no connector " + ask.to.name + " in tenant " + ask.tenant};
}

Commands::Commands(Mesh& links, Broker& requests, const Satellites& known, const OfferBook& book, const tenants::Policy& grants,
                   MayOrder leave, Rng& random)
    : mesh(links), broker(requests), satellites(known), offers(book), policy(grants), mayOrder(std::move(leave)), rng(random)
{
}

Commands::~Commands() = default;

bool Commands::mayAsk(const CommandAsk& ask, const shoset::Address& target) const
{
    return ask.asker.empty() || policy.mayCommand(shoset::tenantOf(ask.asker), shoset::nameOf(ask.asker), ask.wanted.command,
                                                  shoset::tenantOf(target), shoset::nameOf(target));
}

// Who may not is told the same whether there is such a target or not.
Result<std::vector<shoset::Address>> Commands::resolve(const CommandAsk& ask) const
{
    if (!ask.to.name.empty() && !mayAsk(ask, shoset::connectorAddress(ask.tenant, ask.to.name))) {
        return Error{Code::permissionDenied, "no policy lets " + std::string(shoset::nameOf(ask.asker)) + " send " + ask.wanted.command +
                                                 " to " + ask.to.name};
    }
    return ask.to.name.empty() ? resolveType(ask) : resolveName(ask);
}

Result<std::vector<shoset::Address>> Commands::resolveName(const CommandAsk& ask) const
{
    const shoset::Address address = shoset::connectorAddress(ask.tenant, ask.to.name);
    if (satellites.find(address) == nullptr) {
        return noSuchTarget(ask);
    }
    if (!mesh.isReachable(address)) {
        return Error{Code::notSent, ask.to.name + " is not linked; nothing was sent"};
    }
    if (const auto offer = chooseOffer(offers.of(address), ask.wanted); !offer) {
        return Error{offer.error().code, "connector " + ask.to.name + " " + offer.error().message};
    }
    return std::vector<shoset::Address>{address};
}

// To all: all that offer it, linked or not, as each has to be accounted for.
Result<std::vector<shoset::Address>> Commands::resolveType(const CommandAsk& ask) const
{
    OfferBook::Offering offering = offers.offering(ask.tenant, ask.wanted);
    std::vector<shoset::Address>& found = offering.connectors;
    const bool offered = !found.empty();
    std::erase_if(found, [&](const shoset::Address& address) { return !mayAsk(ask, address); });
    if (found.empty() && !ask.asker.empty()) {
        return Error{Code::permissionDenied, "no policy lets " + std::string(shoset::nameOf(ask.asker)) + " send " + ask.wanted.command +
                                                 " to a connector of type " + ask.to.type};
    }
    if (!offered && offering.inAnotherVersion) {
        return Error{Code::unsupported, "no connector of tenant " + ask.tenant + " offers " + describe(ask.wanted) + " in that version"};
    }
    if (!offered) {
        return noSuchTarget(ask);
    }
    if (!ask.to.all) {
        std::erase_if(found, [this](const shoset::Address& address) { return !mesh.isReachable(address); });
        if (found.empty()) {
            return Error{Code::notSent, "no connector that offers " + ask.wanted.command + " is linked; nothing was sent"};
        }
    }
    if (ask.to.all && found.size() > limits::maxFanOut) {
        return Error{Code::tooLarge, std::to_string(found.size()) + " connectors offer it, and one command goes to at most " +
                                         std::to_string(limits::maxFanOut)};
    }
    return std::move(found);
}

// The one with the fewest commands of this node under way, by lot among equals.
shoset::Address Commands::pickOne(const std::vector<shoset::Address>& candidates)
{
    std::vector<const shoset::Address*> best;
    std::size_t least = SIZE_MAX;
    for (const shoset::Address& candidate : candidates) {
        const auto busy = load.find(candidate);
        const std::size_t has = busy == load.end() ? 0 : busy->second;
        if (has < least) {
            best.clear();
            least = has;
        }
        if (has == least) {
            best.push_back(&candidate);
        }
    }
    return *best[rng.below(best.size())];
}

Result<void> Commands::hasRoom(const CommandAsk& ask)
{
    const auto ofTenant = underWay.find(ask.tenant);
    const auto ofAsker = askedBy.find(ask.asker);
    const bool tooMany = (ofTenant != underWay.end() && ofTenant->second >= limits::maxCommandsPerTenant) ||
                         (ofAsker != askedBy.end() && ofAsker->second >= limits::maxCommandsPerAsker);
    if (!tooMany && records.size() >= limits::maxCommands) {
        forgetOne();
    }
    if (tooMany || records.size() >= limits::maxCommands) {
        ++count.refusedFull;
        return Error{Code::full, "too many commands are under way; nothing was sent"};
    }
    return {};
}

// Each connector that gets it is a message to it.
Result<Admission> Commands::makeRoom(const CommandAsk& ask, std::size_t parts, Now now)
{
    if (const Result<void> room = hasRoom(ask); !room) {
        return room.error();
    }
    if (ask.admission != nullptr) {
        return std::move(*ask.admission);
    }
    return quotas == nullptr ? Admission{} : quotas->admit(ask.tenant, ask.payload.size() * parts, now, parts);
}

// Those that would get it now, or why nobody does.
Result<std::vector<shoset::Address>> Commands::targetsOf(const CommandAsk& ask, Now now) const
{
    Result<void> admitted = checkAsk(ask);
    admitted = admitted ? mayOrder(now) : admitted;
    return admitted ? resolve(ask) : Result<std::vector<shoset::Address>>(admitted.error());
}

Result<std::shared_ptr<Admission>> Commands::reserve(CommandAsk ask, Now now)
{
    if (ask.wanted.type.empty()) {
        ask.wanted.type = ask.to.type;
    }
    const auto targets = targetsOf(ask, now);
    if (!targets) {
        return std::shared_ptr<Admission>();
    }
    Result<Admission> room = makeRoom(ask, anyOf(ask.to) ? 1 : targets->size(), now);
    if (!room) {
        ++count.refused;
        return room.error();
    }
    return std::make_shared<Admission>(std::move(*room));
}

Result<MessageId> Commands::start(CommandAsk ask, Now now)
{
    if (ask.wanted.type.empty()) {
        ask.wanted.type = ask.to.type;
    }
    const auto targets = targetsOf(ask, now);
    const std::size_t parts = !targets ? 0 : anyOf(ask.to) ? 1 : targets->size();
    Result<Admission> room = targets ? makeRoom(ask, parts, now) : Result<Admission>(targets.error());
    if (!room) {
        ++count.refused;
        return room.error();
    }
    ++count.started;
    auto owned = std::make_unique<Entry>();
    Entry& entry = *owned;
    const MessageId id = MessageId::make(now.wall, rng);
    entry.record = {id, std::move(ask.tenant), std::move(ask.user), std::move(ask.to), std::move(ask.wanted), now.wall, {}, {}};
    entry.payload = std::move(ask.payload);
    entry.deadline = ask.deadline;
    entry.admission = std::move(*room);
    entry.asker = std::move(ask.asker);
    entry.askerId = ask.askerId;
    entry.audit = ask.audit;
    records.emplace(id, std::move(owned));
    ++underWay[entry.record.tenant];
    if (!entry.asker.empty()) {
        ++askedBy[entry.asker];
        byAsker.emplace(AskerKey{entry.asker, entry.askerId}, id);
    }
    for (const shoset::Address& target : anyOf(entry.record.to) ? std::vector{pickOne(*targets)} : *targets) {
        entry.record.parts.emplace_back().connector = target;
    }
    entry.underWay = parts;
    const bool asked = !entry.asker.empty();
    note(entry.record.tenant,
         {.fate = HopFate::taken, .id = id, .about = asked ? entry.askerId : ask.about, .from = asked ? entry.asker : mesh.name(),
          .to = parts == 1 ? entry.record.parts.front().connector : shoset::Address()},
         now);
    for (std::size_t part = 0; part < parts; ++part) {
        dispatch(entry, part, parts == 1 ? id : MessageId::make(now.wall, rng), now);
    }
    return id;
}

void Commands::dispatch(Entry& entry, std::size_t part, const MessageId& id, Now now)
{
    const CommandRecord& record = entry.record;
    const Ticket ticket = nextTicket++;
    places.emplace(ticket, Place{&entry, part});
    const shoset::Address& connector = record.parts[part].connector;
    ++load[connector];
    shoset::Command command;
    command.name = record.wanted.command;
    command.user = record.user;
    command.type = record.wanted.type;
    command.major = record.wanted.major;
    command.minor = record.wanted.minor;
    broker.startCommand(ticket, {id, connector, std::move(command), entry.payload, entry.deadline, id == record.id ? MessageId{} : record.id}, *this,
                        now);
}

void Commands::onCommandReply(Ticket ticket, Reply reply, std::string payload, Now now)
{
    const auto place = places.find(ticket);
    if (place == places.end()) {
        return;
    }
    if (reply.state != ReplyState::onGoing) {
        settle(ticket, std::move(reply), std::move(payload), now);
        return;
    }
    Entry& entry = *place->second.entry;
    CommandPart& part = entry.record.parts[place->second.part];
    part.progress = reply.progress;
    part.text = reply.message.substr(0, limits::maxReplyTextBytes);
    if (!entry.asker.empty() && entry.record.parts.size() == 1) {
        mesh.send(entry.asker, entry.askerId, std::move(reply), {}, true, never, now);
    }
    touch(entry, now);
}

void Commands::onCommandFailed(Ticket ticket, Error error, Now now)
{
    settle(ticket, failureOf(error), {}, now);
}

// A part has ended, unless another connector gets it.
void Commands::settle(Ticket ticket, Reply reply, std::string payload, Now now)
{
    const auto place = places.find(ticket);
    if (place == places.end()) {
        return;
    }
    Entry& entry = *place->second.entry;
    const std::size_t at = place->second.part;
    places.erase(place);
    CommandPart& part = entry.record.parts[at];
    if (const auto busy = load.find(part.connector); busy != load.end() && --busy->second == 0) {
        load.erase(busy);
    }
    const bool failed = reply.state == ReplyState::fail;
    if (failed && reply.failure.empty() && goOn(entry, at, reply.code, now)) {
        return;
    }
    part.state = reply.state;
    part.code = failed ? reply.code : Code::ok;
    part.failure = std::move(reply.failure);
    part.text = reply.message.substr(0, limits::maxReplyTextBytes);
    part.progress = failed ? part.progress : 100;
    part.payloadDropped = payload.size() > limits::maxPayloadBytes || entry.bytes + payload.size() > limits::maxCommandResultBytes ||
                          runningBytes + payload.size() > limits::maxCommandMemoryBytes;
    count.payloadsDropped += part.payloadDropped ? 1 : 0;
    if (!part.payloadDropped) {
        entry.bytes += payload.size();
        runningBytes += payload.size();
        part.payload = std::move(payload);
    }
    const bool unknown = failed && part.failure.empty() && !shoset::provesNotExecuted(part.code);
    ++(unknown ? count.unknown : failed ? count.failed : count.succeeded);
    if (--entry.underWay == 0) {
        finish(entry, now);
    } else {
        touch(entry, now);
    }
}

// Of any one of a type: the next that was not tried yet gets it. False: there is none, or this one may have executed it.
bool Commands::goOn(Entry& entry, std::size_t at, Code code, Now now)
{
    CommandRecord& record = entry.record;
    CommandPart& part = record.parts[at];
    if (!anyOf(record.to) || !leavesItToOthers(code) || now.mono >= entry.deadline ||
        part.tried.size() + 1 >= limits::maxCommandChoices) {
        return false;
    }
    std::vector<shoset::Address> tried = part.tried;
    tried.push_back(part.connector);
    CommandAsk ask{record.tenant, record.user, record.to, record.wanted, {}, entry.deadline, entry.asker, entry.askerId};
    Result<std::vector<shoset::Address>> found = resolveType(ask);
    if (!found) {
        return false;
    }
    std::erase_if(*found, [&tried](const shoset::Address& address) {
        return std::find(tried.begin(), tried.end(), address) != tried.end();
    });
    if (found->empty()) {
        return false;
    }
    ++count.rechosen;
    part.connector = pickOne(*found);
    part.tried = std::move(tried);
    touch(entry, now);
    dispatch(entry, at, record.id, now);
    return true;
}

void Commands::finish(Entry& entry, Now now)
{
    CommandRecord& record = entry.record;
    record.ended = now.wall;
    entry.payload.clear();
    entry.admission.release();
    if (const auto running = underWay.find(record.tenant); --running->second == 0) {
        underWay.erase(running);
    }
    if (!entry.asker.empty()) {
        if (const auto asks = askedBy.find(entry.asker); --asks->second == 0) {
            askedBy.erase(asks);
        }
        tellAsker(entry, now);
    }
    if (trail != nullptr && entry.audit != 0) {
        trail->end(std::exchange(entry.audit, 0), statusOf(record), now);
    }
    Share& share = shares[record.tenant];
    share.ended.push_back(record.id);
    share.bytes += recordOverhead + entry.bytes;
    runningBytes -= entry.bytes;
    rememberedBytes += recordOverhead + entry.bytes;
    byEnd.emplace_back(now.mono, record.id);
    touch(entry, now);
    while (rememberedBytes > limits::maxCommandMemoryBytes) {
        forgetOne();
    }
}

// Whoever waits is told, once the command is as it has become.
void Commands::touch(Entry& entry, Now now)
{
    ++entry.record.revision;
    std::vector<std::function<void(Now)>> told;
    for (const auto& key : std::exchange(entry.waiting, {})) {
        if (const auto waiter = waiters.find(key); waiter != waiters.end()) {
            told.push_back(std::move(waiter->second.second));
            waiters.erase(waiter);
        }
    }
    for (const auto& done : told) {
        done(now);
    }
}

bool Commands::await(const MessageId& id, std::uint64_t seen, Instant until, std::function<void(Now)> done, Now now)
{
    const auto found = records.find(id);
    if (found == records.end() || found->second->record.ended || found->second->record.revision != seen || until <= now.mono) {
        return false;
    }
    Entry& entry = *found->second;
    if (entry.waiting.size() >= limits::maxCommandWaiters) {
        ++count.waitersRefused;
        return false;
    }
    const std::pair<Instant, std::uint64_t> key{until, nextWaiter++};
    entry.waiting.push_back(key);
    waiters.emplace(key, std::pair{id, std::move(done)});
    return true;
}

const CommandRecord* Commands::record(const MessageId& id) const
{
    const auto found = records.find(id);
    return found == records.end() ? nullptr : &found->second->record;
}

void Commands::onTimer(Now now)
{
    while (!waiters.empty() && waiters.begin()->first.first <= now.mono) {
        const auto first = waiters.begin();
        const auto [id, done] = std::move(first->second);
        if (const auto found = records.find(id); found != records.end()) {
            std::erase(found->second->waiting, first->first);
        }
        waiters.erase(first);
        done(now);
    }
    while (!byEnd.empty() && byEnd.front().first + limits::commandMemory <= now.mono) {
        forget(MessageId(byEnd.front().second));
    }
}

Instant Commands::nextDeadline() const
{
    const Instant waiter = waiters.empty() ? never : waiters.begin()->first.first;
    return byEnd.empty() ? waiter : std::min(waiter, byEnd.front().first + limits::commandMemory);
}

// The oldest of the tenant that takes the most room, so that nobody's outcomes are pushed out by another's flood.
void Commands::forgetOne()
{
    const auto most = std::max_element(shares.begin(), shares.end(),
                                       [](const auto& a, const auto& b) { return a.second.bytes < b.second.bytes; });
    if (most != shares.end()) {
        ++count.forgotten;
        forget(MessageId(most->second.ended.front()));
    }
}

void Commands::forget(const MessageId& id)
{
    const auto found = records.find(id);
    const Entry& entry = *found->second;
    const auto share = shares.find(entry.record.tenant);
    const std::size_t bytes = recordOverhead + entry.bytes;
    std::erase(share->second.ended, id);
    share->second.bytes -= bytes;
    rememberedBytes -= bytes;
    if (share->second.ended.empty()) {
        shares.erase(share);
    }
    std::erase_if(byEnd, [&id](const auto& ended) { return ended.second == id; });
    if (byAsker.erase({entry.asker, entry.askerId}) > 0) {
        pastAsks.emplace(AskerKey{entry.asker, entry.askerId}, PastAsk{entry.deadline, std::nullopt});
    }
    records.erase(found);
}

}  // namespace mesh::aggregator
