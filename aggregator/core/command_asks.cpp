// Commands that connectors ask for.
#include "aggregator/core/commands.hpp"

#include "aggregator/core/command_deeds.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

using shoset::Reply;
using shoset::ReplyState;

// So that one connector cannot have all others refused.
static constexpr std::size_t askersShareOfPast = limits::maxPastAsks / 4;

void Commands::note(std::string_view tenant, const HopEntry& entry, Now now)
{
    if (notes != nullptr) {
        notes->add(HopRing::messages, tenant, entry, now);
    }
}

void Commands::refuseAsker(const shoset::Address& asker, const MessageId& id, const Error& error, Now now)
{
    Reply reply;
    reply.state = ReplyState::fail;
    reply.code = error.code;
    reply.message = error.message;
    mesh.send(asker, id, std::move(reply), {}, true, never, now);
    note(shoset::tenantOf(asker),
         {.kind = shoset::Kind::reply, .fate = HopFate::refused, .code = error.code, .id = id, .from = mesh.name(), .to = asker}, now);
    if (const std::string_view name = refusalName(error.code); refusals != nullptr && !name.empty()) {
        refusals->note(shoset::tenantOf(asker), name, {.connector = shoset::nameOf(asker), .message = id, .reason = error.message}, now);
    }
}

void Commands::tellRefused(const std::string& tenant, const std::string& account, const Error& error, Now now)
{
    if (const std::string_view name = refusalName(error.code); refusals != nullptr && !name.empty()) {
        refusals->note(tenant, name, {.account = account, .reason = error.message}, now);
    }
}

// Another copy of it may be under way, and its asker may send it anew under another id: this one must not be begun any more.
void Commands::refuseForGood(const AskerKey& key, const Error& error, Instant until, Now now)
{
    pastAsks.emplace(key, PastAsk{std::min(until, now.mono + limits::maxRequestDeadline), error});
    refuseAsker(key.first, key.second, error, now);
}

bool Commands::hasRoomForAnother(const shoset::Address& asker) const
{
    std::size_t ofAsker = 0;
    for (auto past = pastAsks.lower_bound({asker, MessageId{}}); past != pastAsks.end() && past->first.first == asker; ++past) {
        ++ofAsker;
    }
    return pastAsks.size() < limits::maxPastAsks && ofAsker < askersShareOfPast;
}

void Commands::onAsked(const shoset::Address& from, const MessageId& id, shoset::Command command, std::string_view payload,
                       std::optional<Instant> deadline, Now now)
{
    ++count.asked;
    const AskerKey key{from, id};
    const bool before = byAsker.contains(key) || recording.contains(key) || pastAsks.contains(key);
    note(shoset::tenantOf(from), {.fate = before ? HopFate::duplicate : HopFate::delivered, .id = id, .from = from, .to = mesh.name()}, now);
    if (isAskedAgain(key, command, now)) {
        return;
    }
    if (!deadline || *deadline <= now.mono) {
        ++count.refused;
        return refuseForGood({from, id}, {Code::deadlineExceeded, "it could not be shown to be in time; not executed"}, never, now);
    }
    CommandAsk ask;
    ask.tenant = shoset::tenantOf(from);
    ask.user = from;
    ask.to = std::move(command.to);
    ask.wanted = {std::move(command.name), std::move(command.type), command.major, command.minor};
    ask.payload = payload;
    ask.deadline = std::min(*deadline, now.mono + limits::maxRequestDeadline);
    ask.asker = from;
    ask.askerId = id;
    if (ask.wanted.type.empty()) {
        ask.wanted.type = ask.to.type;
    }
    if (const auto targets = targetsOf(ask, now); !targets) {
        ++count.refused;
        count.denied += targets.error().code == Code::permissionDenied ? 1 : 0;
        return refuseForGood({from, id}, targets.error(), ask.deadline, now);
    }
    record(std::move(ask), now);
}

// Whether it was asked for before, by what is known here. Of what another process of this node was asked for, and of what was
// forgotten, nobody knows here what became of it.
bool Commands::isAskedAgain(const AskerKey& key, const shoset::Command& command, Now now)
{
    if (const auto known = byAsker.find(key); known != byAsker.end()) {
        ++count.askedAgain;
        tellAsker(*records.at(known->second), now);
        return true;
    }
    if (recording.contains(key)) {
        ++count.askedAgain;
        return true;
    }
    std::erase_if(pastAsks, [&now](const auto& past) { return past.second.until <= now.mono; });
    const bool ofAnother = command.incarnation != 0 && command.incarnation != mesh.incarnation();
    if (const auto past = pastAsks.find(key); ofAnother || past != pastAsks.end()) {
        ++count.refused;
        const Error unknown{Code::outcomeUnknown, "it was asked for before, and what became of that is not known here"};
        refuseAsker(key.first, key.second, past == pastAsks.end() ? unknown : past->second.refusal.value_or(unknown), now);
        return true;
    }
    if (!hasRoomForAnother(key.first)) {
        ++count.refusedFull;
        refuseAsker(key.first, key.second, {Code::full, "too many commands were asked for; nothing was sent"}, now);
        return true;
    }
    return false;
}

// Who asks is on disk before anything is sent.
void Commands::record(CommandAsk ask, Now now)
{
    if (trail == nullptr) {
        return startAsked(std::move(ask), now);
    }
    recording.insert({ask.asker, ask.askerId});
    Deed deed{ask.tenant, ask.asker, "mesh", "POST", commandUri(ask.tenant, ask.to, ask.wanted.command, ask.payload)};
    Result<std::shared_ptr<Admission>> reserved = reserve(ask, now);
    if (!reserved) {
        trail->noteRefused(std::move(deed), statusOf(reserved.error().code), now);
        recording.erase({ask.asker, ask.askerId});
        return refuseForGood({ask.asker, ask.askerId}, reserved.error(), ask.deadline, now);
    }
    ask.admission = std::move(*reserved);
    trail->begin(std::move(deed), now, [this, ask = std::move(ask)](const Result<AuditToken>& stored, Now then) mutable {
        recording.erase({ask.asker, ask.askerId});
        if (!stored) {
            ++count.refused;
            return refuseForGood({ask.asker, ask.askerId},
                                 {Code::notSent, "it could not be recorded: " + stored.error().message + "; nothing was sent"}, ask.deadline, then);
        }
        ask.audit = *stored;
        startAsked(std::move(ask), then);
    });
}

void Commands::startAsked(CommandAsk ask, Now now)
{
    const shoset::Address asker = ask.asker;
    const MessageId id = ask.askerId;
    const AuditToken audit = ask.audit;
    if (trail != nullptr && audit != 0) {
        note(ask.tenant, {.fate = HopFate::recorded, .id = id, .about = trail->requestOf(audit), .from = asker, .to = mesh.name()}, now);
    }
    const Instant deadline = ask.deadline;
    const Result<MessageId> started = ask.deadline > now.mono
                                          ? start(std::move(ask), now)
                                          : Error{Code::deadlineExceeded, "its time ran out before it was recorded; nothing was sent"};
    if (started) {
        return;
    }
    if (trail != nullptr) {
        trail->end(audit, statusOf(started.error().code), now);
    }
    refuseForGood({asker, id}, started.error(), deadline, now);
}

// How it ended; nothing while it goes on. Of one to all it is a summary, without what each has brought where that is too much.
void Commands::tellAsker(const Entry& entry, Now now)
{
    const CommandRecord& record = entry.record;
    if (!record.ended) {
        return;
    }
    Reply reply;
    reply.state = record.state();
    reply.http.status = reply.state == ReplyState::success ? 200 : 0;
    std::string payload;
    if (record.to.all) {
        payload = commandDocument(record);
        payload = payload.size() > limits::maxPayloadBytes ? commandDocument(record, false) : payload;
        payload = payload.size() > limits::maxPayloadBytes ? std::string() : payload;
        reply.code = reply.state == ReplyState::fail ? Code::refused : Code::ok;
        reply.failure = reply.state == ReplyState::fail ? "not_all" : "";
        reply.message = reply.state == ReplyState::fail ? "not all have executed it" : "";
    } else {
        const CommandPart& part = record.parts.front();
        payload = part.payload;
        reply.code = part.code;
        reply.failure = part.failure;
        reply.message = part.text;
    }
    note(record.tenant,
         {.kind = shoset::Kind::reply, .fate = HopFate::sent, .code = reply.code, .id = entry.askerId, .from = mesh.name(), .to = entry.asker},
         now);
    mesh.send(entry.asker, entry.askerId, std::move(reply), payload, true, never, now);
}

}  // namespace mesh::aggregator
