// Commands that connectors ask for.
#include "aggregator/core/commands.hpp"

#include "aggregator/core/command_deeds.hpp"
#include "shoset/base/limits.hpp"

#include <utility>

namespace mesh::aggregator {

using shoset::Reply;
using shoset::ReplyState;

void Commands::refuseAsker(const shoset::Address& asker, const MessageId& id, const Error& error, Now now)
{
    Reply reply;
    reply.state = ReplyState::fail;
    reply.code = error.code;
    reply.message = error.message;
    mesh.send(asker, id, std::move(reply), {}, true, never, now);
}

void Commands::onAsked(const shoset::Address& from, const MessageId& id, shoset::Command command, std::string_view payload,
                       std::optional<Instant> deadline, Now now)
{
    ++count.asked;
    if (isAskedAgain({from, id}, command, now)) {
        return;
    }
    if (!deadline || *deadline <= now.mono) {
        ++count.refused;
        refuseAsker(from, id, {Code::deadlineExceeded, "it could not be shown to be in time; not executed"}, now);
        return;
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
        return refuseAsker(from, id, targets.error(), now);
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
    std::erase_if(pastAsks, [&now](const auto& past) { return past.second <= now.mono; });
    const bool ofAnother = command.incarnation != 0 && command.incarnation != mesh.incarnation();
    if (ofAnother || pastAsks.contains(key)) {
        ++count.refused;
        refuseAsker(key.first, key.second, {Code::outcomeUnknown, "it was asked for before, and what became of that is not known here"}, now);
        return true;
    }
    if (pastAsks.size() >= limits::maxPastAsks) {
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
    trail->begin(std::move(deed), now, [this, ask = std::move(ask)](const Result<AuditToken>& stored, Now then) mutable {
        recording.erase({ask.asker, ask.askerId});
        if (!stored) {
            ++count.refused;
            return refuseAsker(ask.asker, ask.askerId, {Code::notSent, "it could not be recorded: " + stored.error().message + "; nothing was sent"},
                               then);
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
    const Result<MessageId> started = ask.deadline > now.mono
                                          ? start(std::move(ask), now)
                                          : Error{Code::deadlineExceeded, "its time ran out before it was recorded; nothing was sent"};
    if (started) {
        return;
    }
    if (trail != nullptr) {
        trail->end(audit, statusOf(started.error().code), now);
    }
    refuseAsker(asker, id, started.error(), now);
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
    mesh.send(entry.asker, entry.askerId, std::move(reply), payload, true, never, now);
}

}  // namespace mesh::aggregator
