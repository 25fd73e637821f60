#pragma once

#include "connector/core/configuration.hpp"
#include "connector/core/worker_messages.hpp"
#include "connector/core/worker_rules.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"
#include "shoset/core/json_schema.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mesh::connector {

// One connection of a worker, never used again.
using WorkerId = std::uint64_t;

// The workers' socket. Never calls back from inside a call.
class WorkerPort {
public:
    virtual ~WorkerPort() = default;
    // Code::ok: it is on its way, and may yet be lost with the worker. Anything else: it did not leave.
    virtual Code sendToWorker(WorkerId worker, std::string word) = 0;
};

// What workers answer; called from inside a call into Workers.
class WorkerEvents {
public:
    virtual ~WorkerEvents() = default;
    // Of a command that was given and has not ended; ON_GOING any number of times, then one more.
    virtual void onWorkerReply(WorkerReply reply, Now now) = 0;
    // The worker is gone, or its last word is late: nobody knows whether it was executed.
    virtual void onWorkerLost(const MessageId& id, const Error& error, Now now) = 0;
    virtual void onOffersChanged(Now now) = 0;
    // A worker that may have it asks for a secret.
    virtual void onSecretAsked(WorkerId, WorkerSecretAsk, Now) {}

    // Of what it may emit; to be answered with acceptedWord() or notAcceptedWord().
    virtual void onWorkerEmit(WorkerId, WorkerEmit, Now) {}
    // To what it may listen to.
    virtual void onWorkerSubscribe(WorkerId, WorkerSubscribe, Now) {}
    // What it may not emit or listen to. It is to be told this word, also where its socket is full just now.
    virtual void onWorkerRefused(WorkerId, std::string, Now) {}
    virtual void onWorkerUnsubscribe(WorkerId, const WorkerUnsubscribe&, Now) {}
    virtual void onWorkerTaken(WorkerId, const WorkerTaken&, Now) {}
    // A worker sends a command to others; `send.wrong` says why it must not leave.
    virtual void onWorkerSend(WorkerId, WorkerSend, Now) {}
    // It listens no more, and nobody hears the answers of what it has sent.
    virtual void onWorkerEnded(WorkerId, Now) {}
    // Some worker was asked to take a configuration, has answered, or is gone: see Workers::configured().
    virtual void onConfigurationAnswered(Now) {}
};

struct WorkerCounters {
    std::uint64_t registered = 0, refused = 0, malformed = 0, gone = 0, silent = 0, drained = 0, given = 0, lateReplies = 0,
                  strangers = 0, notDelivered = 0, secretsDenied = 0, eventsRefused = 0, subscriptionsRefused = 0;
};

// The workers that are attached to this connector: who may serve what, which one gets a command, and what becomes of the
// commands of one that goes away.
//
// Versions stand side by side. A command goes to the highest version that fits, of equal ones to the one with the least to do.
// One whose successor (same name, type and major version, a higher minor one) serves all that it served drains: it gets
// nothing new, and is told bye when its last command has ended. A worker is given at most limits::maxCommandsAtWorker.
class Workers {
public:
    Workers(WorkerRules rules, WorkerPort& port, WorkerEvents& events);

    void onMessage(WorkerId id, const LocalPeer& peer, std::string_view frame, Now now);
    void onGone(WorkerId id, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const;

    // A payload that keeps to the schema, in its shortest form; no payload counts as {}.
    struct Checked {
        std::string payload;
        std::string schema;  // digest of the schema that it was checked against
    };
    // Whether a worker offers the command, and takes this payload. Code::notFound, unsupported (not in that version),
    // invalidArgument or tooLarge: not executed.
    Result<Checked> check(const shoset::Command& command, std::string_view payload) const;
    // Gives it to a worker. Code::full or notSent, or an error of check(), as the worker may be another one meanwhile: not
    // executed.
    Result<void> give(const shoset::Command& command, WorkerTask task, const std::string& checkedAgainst, Now now);
    // Tells all of them that the connector ends.
    void bye(const std::string& reason);

    // From now on. The workers of its component's type and major version that take configurations are given it, each once, and
    // again only when they begin anew; a type and version is offered only while its workers together serve every command that its
    // contract asks for.
    void configure(const WorkerConfiguration& wanted, Now now);
    struct ConfiguredBy {
        enum Who : std::uint8_t { nobody, waiting, all, refused } workers = nobody;  // nobody: no worker takes it
        std::string reason;
    };
    ConfiguredBy configured() const;

    // By type and version, as it is announced.
    std::vector<shoset::Offer> offers() const;
    std::size_t attached() const { return workers.size(); }
    // Of the commands that were given, how many have not ended.
    std::size_t busy() const { return tasks.size(); }
    const WorkerCounters& counters() const { return count; }

private:
    struct Served {
        std::optional<shoset::JsonSchema> schema;
        std::string digest;  // SHA-256 of the schema; empty: none
    };
    struct Worker {
        std::string name;
        std::string type;
        WorkerVersion version;
        std::map<std::string, Served, std::less<>> commands;
        LocalPeer peer;
        bool takesConfiguration = false;
        enum class Answer : std::uint8_t { none, asked, applied, refused } answer = Answer::none;  // to the configuration
        std::string refusal;
        std::size_t running = 0;
        bool draining = false;
        Instant heardAt{};
    };
    using Entry = std::map<WorkerId, Worker>::value_type;

    void takeRegister(WorkerId id, const LocalPeer& peer, WorkerRegister word, Now now);
    Result<Worker> admit(const LocalPeer& peer, const WorkerRegister& word) const;
    Result<void> fitsBesideOthers(const Worker& fresh) const;
    void takeReply(WorkerId id, WorkerReply reply, Now now);
    void takeSecretAsk(WorkerId id, WorkerSecretAsk ask, Now now);
    void takeEmit(WorkerId id, const LocalPeer& peer, WorkerEmit word, Now now);
    void takeSubscribe(WorkerId id, const LocalPeer& peer, WorkerSubscribe word, Now now);
    void takeSend(WorkerId id, WorkerSend send, Now now);
    Result<std::string> payloadOf(const WorkerSend& send) const;
    void drainPredecessors(WorkerId successor, Now now);
    void drain(WorkerId id, Now now);
    void endIfDrained(WorkerId id, Now now);
    void askToConfigure(WorkerId id);
    void takeConfigured(WorkerId id, WorkerConfigured word, Now now);
    std::vector<shoset::Offer> allOffers() const;
    std::vector<std::string> missingIn(const std::string& type, const WorkerVersion& version) const;
    void refuse(WorkerId id, const std::string& reason);
    void lose(WorkerId id, const std::string& how, Now now);
    const Entry* pick(const shoset::Command& command) const;
    Error whyNobody(const shoset::Command& command) const;

    const WorkerRules rules;
    WorkerPort& port;
    WorkerEvents& events;
    std::map<WorkerId, Worker> workers;
    std::unordered_map<MessageId, WorkerId> tasks;
    WorkerConfiguration configuration;
    WorkerCounters count;
};

}  // namespace mesh::connector
