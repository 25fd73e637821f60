#pragma once

#include "connector/core/worker_messages.hpp"
#include "connector/core/workers.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"
#include "shoset/core/link.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mesh::connector {

// The aggregators, as the asks see them. Never calls back from inside a call.
class AskPort {
public:
    // One process of an aggregator.
    struct Aggregator {
        shoset::Address name;
        std::uint64_t incarnation = 0;
    };
    virtual ~AskPort() = default;
    // A linked one that takes commands of connectors, another each time; nullopt: there is none.
    virtual std::optional<Aggregator> nextAggregator() = 0;
    // Over its own link, else another's; not over `avoid` where there is a choice, and never over one of `closed`. The link;
    // nullopt: none of those is up, or it takes nothing more, and nothing was sent.
    virtual std::optional<shoset::LinkId> sendAsk(const shoset::Address& aggregator, const MessageId& id, const shoset::Command& command,
                                                  std::string_view payload, Instant deadline, std::optional<shoset::LinkId> avoid,
                                                  const std::set<shoset::LinkId>& closed, Now now) = 0;
};

struct AskCounters {
    std::uint64_t asked = 0, refused = 0, refusedFull = 0, again = 0, succeeded = 0, failed = 0, unknown = 0, unknownReply = 0;
};

// Commands that this connector's workers send to others, under way. Each is asked of one process of one aggregator, which sees to
// it that it is executed at most once, and again of the same one over another way when a link ends or stays silent. That one way
// is closed (an aggregator on it could not pass it on) ends nothing while another one is open. Another aggregator is asked only where
// no copy of it can have arrived at the first. It ends by its deadline in an answer to the worker, which says what is known. Bounds:
// limits::maxAsks, maxAsksOfWorker.
class Asks {
public:
    Asks(AskPort& port, WorkerPort& workers, Rng& rng);

    void start(WorkerId worker, WorkerSend send, Now now);
    // Nobody waits any more for what it has asked for; what was asked goes on.
    void onWorkerEnded(WorkerId worker);
    // It came over `via`. False: it answers nothing that was asked for here.
    bool onReply(const shoset::Address& from, shoset::LinkId via, const MessageId& id, const shoset::Reply& reply,
                 std::string_view payload, bool whole, Now now);
    void onLinkUp(Now now);
    void onLinkDown(shoset::LinkId link, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const;

    std::size_t running() const { return asks.size(); }
    const AskCounters& counters() const { return count; }

private:
    struct Ask {
        MessageId id;
        WorkerId worker = 0;
        std::uint64_t ref = 0;
        shoset::Address aggregator;
        shoset::Command command;
        std::string payload;
        Instant deadline = never;
        std::optional<shoset::LinkId> link;   // over which it was sent last, and which is up
        std::optional<shoset::LinkId> first;  // before that, and which is up, too
        std::set<shoset::LinkId> closed;      // by which it could not be passed on, since a link came or went
        unsigned attempts = 0;
        unsigned refusals = 0;  // of these attempts, from who could not pass it on: it did not arrive
        Instant wakeAt = never;
    };
    std::optional<Error> whyNot(WorkerId worker, const WorkerSend& send);
    void refuse(WorkerId worker, std::uint64_t ref, const Error& error);
    bool trySend(Ask& ask, Now now);
    void send(Ask& ask, Now now);
    void sendAgain(Ask& ask, Now now);
    void awaitWay(Ask& ask, Now now);
    void onNotPassedOn(Ask& ask, shoset::LinkId via, Now now);
    bool askAnother(Ask& ask, Now now);
    void giveUp(const Ask& ask, Now now);
    void end(const MessageId& id, const shoset::Reply& reply, std::string_view payload);
    std::vector<MessageId> inOrder(bool (*concerned)(const Ask& ask, shoset::LinkId link), shoset::LinkId link) const;

    AskPort& port;
    WorkerPort& workers;
    Rng& rng;
    std::unordered_map<MessageId, Ask> asks;
    AskCounters count;
};

}  // namespace mesh::connector
