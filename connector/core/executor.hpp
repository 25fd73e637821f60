#pragma once

#include "connector/core/bmc.hpp"
#include "connector/core/fence_guard.hpp"
#include "connector/core/policy.hpp"
#include "connector/core/state_port.hpp"
#include "connector/core/translation.hpp"
#include "connector/core/workers.hpp"
#include "shoset/core/journal.hpp"
#include "shoset/core/link.hpp"
#include "shoset/core/message.hpp"
#include "shoset/core/stream.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace mesh::connector {

// Durable memory of begun commands. Implemented by a file that is synced; answers with Executor::onPersisted.
class JournalPort {
public:
    virtual ~JournalPort() = default;
    // Appends and syncs. Tokens are answered in order; 0 is that of lines for which nobody waits.
    virtual void persist(std::uint64_t token, std::string lines) = 0;
    // Replaces the whole file. A failure leaves the old one, and is answered with the token 0.
    virtual void rewrite(std::string content) = 0;
};

// What the executor asks of the connector around it.
class ExecutorHost {
public:
    virtual ~ExecutorHost() = default;
    // Sends to the aggregator `origin` over its own link, else over `via`, else over any that is up; a piece of a stream
    // over `via` first, so that it overtakes none. Returns the link; nothing: none is up.
    virtual std::optional<shoset::LinkId> send(const shoset::Address& origin, shoset::LinkId via, const MessageId& id,
                                               shoset::Content content, std::string_view body, bool last, Now now) = 0;
    // Whether the origin's own link is up.
    virtual bool hasLinkTo(const shoset::Address& origin) const = 0;
    // Reads these collections again, then calls Executor::onRefreshed(ticket).
    virtual void refresh(const std::vector<std::string>& collections, std::uint64_t ticket, Now now) = 0;
};

struct ExecutorCounters {
    std::uint64_t commands = 0, repeats = 0, replayed = 0, refusedByPolicy = 0, refusedLate = 0, refusedFull = 0,
                  refusedOld = 0, refusedInput = 0, unknownOutcome = 0, journalFailures = 0, bmcFailures = 0, cancelled = 0,
                  unknownStream = 0, undeliverable = 0, refreshTimeouts = 0, refusedFence = 0, fenceFailures = 0,
                  refusedAssignment = 0, workerTimeouts = 0, progressReplaced = 0, notTaken = 0;
};

// Executes commands on the BMC and through workers, each at most once per id: repeats of a running one only move its way back,
// repeats of a finished one get its answer again, and what is not safe to repeat is begun only after its journal entry is on
// disk. No command to a worker is safe to repeat; its deadline ends the waiting for it, not the worker's work. What the primary
// orders is refused once a higher fence was seen, and begun only after its own fence is on disk.
// One that a node runs executes what was meant for its own assignment alone: it cannot know what the one before it did.
// Bodies stream both ways under credit and are localised on the way; those of redfish.*, which are asked for by who addresses this
// connector and not the facade, come whole and stay as they are.
//
// An answer of which the asker takes nothing for limits::answerStall is given up: its node may be gone. While the asker's own
// link is not up, and once after it was lost, it is seen to every limits::linkRecovery whether an answer in pieces is still
// waited for, also while it says nothing: where no link is up it is given up, and to an empty piece the mesh answers Cancel
// if the node cannot be reached or does not know of it.
//
// All writes to the BMC pass here, whichever aggregator they come from, so the reply to a GET says whether one began or ended
// meanwhile (Reply::undisturbed). That is meant of the time up to the reply, not of pieces that follow it: an answer in pieces
// is passed on to nobody who asked later than its GET.
class Executor {
public:
    Executor(LocalPolicy policy, std::vector<std::string> ownHosts, BmcPort& bmc, JournalPort& journalPort,
             StatePort& state, Workers& workers, ExecutorHost& host, std::uint64_t assignment = 0);
    ~Executor();

    // Before the first command. A torn tail is cut off at once, so that nothing is appended to half a line.
    Result<void> loadJournal(std::string_view content);
    Result<void> loadFence(std::string_view content) { return fences.load(content); }

    // `deadline` on our clock; nullopt: it cannot be told, so the command is refused.
    void onCommand(shoset::LinkId link, shoset::Message message, std::string_view body, bool last,
                   std::optional<Instant> deadline, Now now);
    void onChunk(const MessageId& id, const shoset::Chunk& chunk, std::string_view body, bool last, Now now);
    void onCredit(const MessageId& id, std::uint64_t total, Now now);
    void onCancel(const MessageId& id, Now now);
    void onPersisted(std::uint64_t token, Result<void> result, Now now);
    void onFenceSaved(Result<void> result, Now now);
    void onRefreshed(std::uint64_t ticket, Now now);
    // Of its own links, that to this aggregator.
    void onLinkDown(const shoset::Address& aggregator, Now now);

    void onHead(BmcExchange exchange, ResponseHead head, bool bodyFollows, Now now);
    void onBody(BmcExchange exchange, std::string_view piece, bool last, Now now);
    void onBodySent(BmcExchange exchange, std::size_t bytes, Now now);
    void onFailure(BmcExchange exchange, Error error, Now now);

    void onWorkerReply(WorkerReply reply, Now now);
    void onWorkerLost(const MessageId& id, const Error& error, Now now);

    void onTimer(Now now);
    Instant nextDeadline() const { return std::min(answerDeadline, workDeadline); }
    std::size_t running() const { return executions.size(); }
    const ExecutorCounters& counters() const { return count; }

private:
    enum class Phase { fencing, journaling, asking, answering, refreshing, working };
    struct Execution;
    struct Finished {
        MessageId id;
        shoset::Reply reply;
        std::string body;
        std::size_t bytes() const { return reply.message.size() + body.size(); }
    };

    bool repeated(shoset::LinkId link, const shoset::Message& message, Now now);
    bool admit(const shoset::Message& message, std::optional<Instant> deadline, shoset::LinkId link, Now now);
    void takeForBmc(shoset::LinkId link, shoset::Message message, std::string_view body, bool last, Instant deadline, Now now);
    void takeForRedfish(shoset::LinkId link, shoset::Message message, std::string_view body, bool last, Instant deadline, Now now);
    void takeForWorker(shoset::LinkId link, shoset::Message message, std::string_view body, bool last, Instant deadline, Now now);
    void enter(std::unique_ptr<Execution> execution, const shoset::Message& message, shoset::LinkId link, Instant deadline);
    void refuse(const shoset::Message& message, shoset::LinkId link, Error error, Now now);
    void saveFence();
    void begin(Execution& execution);
    std::optional<Error> overtaken(const Execution& execution, Now now);
    void startOnBmc(Execution& execution);
    void startAtWorker(Execution& execution, Now now);
    void passProgress(Execution& execution, Now now);
    void onWorkTimer(Now now);
    void onAnswerTimer(Now now);
    void noteWrite(const Execution& execution);
    void deliverBody(Execution& execution, bool last, Now now);
    void answerOrHold(Execution& execution, Now now);
    void takePiece(Execution& execution, std::string_view piece, bool last, Now now);
    void sendPayload(Execution& execution, Now now);
    void sendReply(Execution& execution, Now now);
    bool sendStream(Execution& execution, shoset::Content content, std::string_view body, bool last, Now now);
    void pump(Execution& execution, Now now);
    void probeLater(Execution& execution, Now now);
    void probe(Execution& execution, Now now);
    void giveUp(Execution& execution);
    static Error outcomeOf(const Execution& execution, Error error);
    void fail(Execution& execution, const Error& error, Now now);
    void finish(Execution& execution);
    void remember(const MessageId& id, const shoset::Reply& reply, const std::string& body);
    void recordEnd(Execution& execution, int status);
    Execution* find(const MessageId& id);
    Execution* find(std::uint64_t number);

    const LocalPolicy policy;
    const std::vector<std::string> ownHosts;
    const std::uint64_t assignment;
    BmcPort& bmc;
    JournalPort& journalPort;
    StatePort& state;
    Workers& workers;
    ExecutorHost& host;
    shoset::Journal journal;
    FenceGuard fences;

    std::unordered_map<MessageId, std::unique_ptr<Execution>> executions;
    std::unordered_map<std::uint64_t, MessageId> byNumber;  // exchange, journal token and refresh ticket are one number
    std::deque<Finished> finished;
    std::size_t finishedBytes = 0;
    std::uint64_t nextNumber = 1;
    std::uint64_t writeMoments = 0;  // how often a write began or ended
    Instant answerDeadline = never;  // when something is to be done about an answer that waits
    Instant workDeadline = never;  // when something is to be done about a command at a worker
    ExecutorCounters count;
};

}  // namespace mesh::connector
