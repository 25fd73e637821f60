// Commands that connectors ask for.
#include "aggregator/core/commands.hpp"

#include "shoset/base/limits.hpp"

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
    if (const auto known = byAsker.find({from, id}); known != byAsker.end()) {
        ++count.askedAgain;
        tellAsker(*records.at(known->second), now);
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
    if (const Result<MessageId> started = start(std::move(ask), now); !started) {
        count.denied += started.error().code == Code::permissionDenied ? 1 : 0;
        refuseAsker(from, id, started.error(), now);
    }
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
