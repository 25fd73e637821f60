#include "aggregator/core/peer_questions.hpp"

#include "cluster/core/state.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace mesh::aggregator {

std::string listOf(const std::set<shoset::Address>& nodes)
{
    std::string out;
    for (const shoset::Address& node : nodes) {
        out += (out.empty() ? "" : ", ") + node;
    }
    return out;
}

PeerQuestions::PeerQuestions(Mesh& links, const cluster::StateEngine& stateEngine, Rng& random)
    : mesh(links), engine(stateEngine), rng(random)
{
}

Result<void> PeerQuestions::ask(const std::string& name, const std::string& body, Duration patience, OnAnswer onAnswer, OnEnd onEnd, Now now)
{
    if (questions.size() >= limits::maxPeerQuestions) {
        return Error{Code::full, "too many questions to the other nodes are open"};
    }
    shoset::Command asking;
    asking.name = name;
    Question fresh{{}, {}, now.mono + patience, std::move(onAnswer), std::move(onEnd)};
    const MessageId id = MessageId::make(now.wall, rng);
    for (const auto& [number, node] : engine.state().nodes) {
        if (node.witness || node.name == mesh.name()) {
            continue;
        }
        const bool sent = mesh.send(node.name, id, asking, body, true, fresh.until, now).has_value();
        (sent ? fresh.asked : fresh.silent).insert(node.name);
    }
    const bool nobody = fresh.asked.empty();
    questions.emplace(id, std::move(fresh));
    if (nobody) {
        end(id, now);
    }
    return {};
}

void PeerQuestions::end(const MessageId& id, Now now)
{
    const auto found = questions.find(id);
    Question ended = std::move(found->second);
    questions.erase(found);
    ended.silent.merge(ended.asked);
    ended.onEnd(ended.silent, now);
}

void PeerQuestions::answer(const shoset::Address& to, const MessageId& id, const Result<std::string>& document, Now now)
{
    shoset::Reply reply;
    const bool fits = document && document->size() <= limits::maxPayloadBytes;
    if (fits) {
        reply.http.status = 200;
    } else {
        reply.state = shoset::ReplyState::fail;
        reply.code = document ? Code::tooLarge : document.error().code;
    }
    mesh.send(to, id, std::move(reply), fits ? std::string_view(*document) : std::string_view(), true, never, now);
}

bool PeerQuestions::onAsked(const shoset::Address& from, const MessageId& id, const shoset::Command& command, std::string_view body, Now now)
{
    const auto handler = handlers.find(command.name);
    if (handler == handlers.end()) {
        return false;
    }
    handler->second(from, id, body, now);
    return true;
}

bool PeerQuestions::onReply(const shoset::Address& from, const MessageId& id, const shoset::Reply& reply, std::string_view body, Now now)
{
    const auto found = questions.find(id);
    if (found == questions.end()) {
        return false;
    }
    Question& asked = found->second;
    // One that should have passed on a question could not: who was meant stays silent.
    if (!asked.asked.contains(from) || reply.code == Code::notSent) {
        return true;
    }
    asked.asked.erase(from);
    const bool success = reply.state == shoset::ReplyState::success;
    const Heard heard = asked.onAnswer(from, success ? Result<std::string>(std::string(body)) : Error{reply.code, {}}, now);
    if (heard == Heard::noHelp) {
        asked.silent.insert(from);
    }
    if (heard == Heard::enough || asked.asked.empty()) {
        end(id, now);
    }
    return true;
}

void PeerQuestions::onTimer(Now now)
{
    std::vector<MessageId> late;
    for (const auto& [id, asked] : questions) {
        if (asked.until <= now.mono) {
            late.push_back(id);
        }
    }
    std::sort(late.begin(), late.end());
    for (const MessageId& id : late) {
        end(id, now);
    }
}

Instant PeerQuestions::nextDeadline() const
{
    Instant next = never;
    for (const auto& [id, asked] : questions) {
        next = std::min(next, asked.until);
    }
    return next;
}

}  // namespace mesh::aggregator
