// What workers want of the connector and of others, as far as the configuration lets their users.
#include "connector/core/workers.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"
#include "shoset/core/redfish_command.hpp"

#include <utility>

namespace mesh::connector {

void Workers::takeSecretAsk(WorkerId id, WorkerSecretAsk ask, Now now)
{
    const LocalPeer& peer = workers.at(id).peer;
    if (rules.mayHave(peer, ask.name)) {
        return events.onSecretAsked(id, std::move(ask), now);
    }
    ++count.secretsDenied;
    const Error why{Code::permissionDenied, "no 'secrets' of workers.allow let user id " + std::to_string(peer.uid) + " have " + ask.name};
    port.sendToWorker(id, noSecretWord(ask, why));
}

// Who the sender is decides here whether it may leave, and the schema if it is known here: that of workers of our own.
void Workers::takeSend(WorkerId id, WorkerSend send, Now now)
{
    const LocalPeer& peer = workers.at(id).peer;
    if (!send.wrong && isReservedCommand(send.command) && !shoset::isRedfishCommand(send.command)) {
        send.wrong = Error{Code::permissionDenied, send.command + " is between the mesh's own programs"};
    } else if (!send.wrong && !rules.maySend(peer, send.command)) {
        send.wrong = Error{Code::permissionDenied, "the connector's configuration (send of workers.allow) does not let user id " +
                                                       std::to_string(peer.uid) + " send " + send.command};
    } else if (!send.wrong) {
        Result<std::string> payload = payloadOf(send);
        if (payload) {
            send.payload = std::move(*payload);
        } else {
            send.wrong = Error{payload.error().code, send.command + ": " + payload.error().message};
        }
    }
    events.onWorkerSend(id, std::move(send), now);
}

Result<std::string> Workers::payloadOf(const WorkerSend& send) const
{
    shoset::Command wanted;
    wanted.name = send.command;
    wanted.type = send.type;
    wanted.major = send.version.major;
    wanted.minor = send.version.minor;
    const std::string_view given = send.payload.empty() ? std::string_view("{}") : send.payload;
    if (const Entry* own = pick(wanted)) {
        if (const Served& served = own->second.commands.find(send.command)->second; served.schema) {
            return served.schema->check(given);
        }
    }
    return shoset::compactJson(given, limits::maxPayloadBytes, limits::maxPayloadDepth);
}

void Workers::takeEmit(WorkerId id, const LocalPeer& peer, WorkerEmit word, Now now)
{
    const auto refuseIt = [&](const char* code, const std::string& reason) {
        ++count.eventsRefused;
        events.onWorkerRefused(id, notAcceptedWord(word.ref, code, reason), now);
    };
    if (!shoset::isTopic(word.topic) || !shoset::isTopic(word.name)) {
        return refuseIt("invalid", "expected 'topic' and 'name' of letters, digits, '.', '_' and '-', at most " +
                                       std::to_string(limits::maxTopicBytes));
    }
    if (word.payload.size() > limits::maxEventBytes || shoset::nestingOfJson(word.payload) > limits::maxPayloadDepth) {
        return refuseIt("too_large", "expected a payload of at most " + std::to_string(limits::maxEventBytes) + " bytes and " +
                                         std::to_string(limits::maxPayloadDepth) + " lists and objects inside each other");
    }
    if (isReservedTopic(word.topic)) {
        return refuseIt("not_allowed", word.topic + ": topics that begin with redfish. and mesh. are reserved");
    }
    if (!rules.mayEmit(peer, word.topic)) {
        return refuseIt("not_allowed", "the connector's configuration (workers.allow, events) does not let user id " +
                                           std::to_string(peer.uid) + " emit " + word.topic);
    }
    events.onWorkerEmit(id, std::move(word), now);
}

void Workers::takeSubscribe(WorkerId id, const LocalPeer& peer, WorkerSubscribe word, Now now)
{
    for (const std::string& topic : word.topics) {
        if (!rules.maySubscribe(peer, topic)) {
            ++count.subscriptionsRefused;
            return events.onWorkerRefused(id, notSubscribedWord(word.subscription, "not_allowed",
                                                                "the connector's configuration (workers.allow, subscribe) does not let "
                                                                "user id " + std::to_string(peer.uid) + " listen to " + topic), now);
        }
    }
    events.onWorkerSubscribe(id, std::move(word), now);
}

}  // namespace mesh::connector
