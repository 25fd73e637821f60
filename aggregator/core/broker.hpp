#pragma once

#include "aggregator/core/mesh.hpp"
#include "aggregator/core/satellites.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/core/message.hpp"
#include "shoset/core/stream.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace mesh::aggregator {

// Names a request towards its asker; never used again.
using Ticket = std::uint64_t;

struct SatelliteRequest {
    shoset::Address connector;
    std::string connectorPrefix;
    std::string user;          // for the audit
    RequestHead http;          // as the client wrote it, headers already filtered
    std::string body;
    bool bodyFollows = false;
    std::int64_t bodyLength = 0;  // -1: not known
    std::vector<std::string> hosts;
    Instant deadline = never;
    MessageId about = {};  // as which it stands in the audit trail
};

// A command for a worker on its way: its id is its for life, and nobody else's.
struct WorkerRequest {
    MessageId id;
    shoset::Address connector;
    shoset::Command command;  // its assignment is set by the broker
    std::string payload;      // at most limits::maxPayloadBytes
    Instant deadline = never;
    MessageId about = {};     // a command to all, of which it is one part
};

// The same for commands to workers: any number of onCommandReply with ON_GOING, then exactly one with SUCCESS or FAIL or one
// onCommandFailed, whose code says what is known, as below.
class CommandEvents {
public:
    virtual ~CommandEvents() = default;
    virtual void onCommandReply(Ticket ticket, shoset::Reply reply, std::string payload, Now now) = 0;
    virtual void onCommandFailed(Ticket ticket, Error error, Now now) = 0;
};

// What the broker tells the asker, during a call into the broker. A request ends with a last onAnswer/onAnswerBody or
// with onAnswerFailed, exactly once, unless it was cancelled.
class BrokerEvents {
public:
    virtual ~BrokerEvents() = default;
    // `asOf`: with `last`, the answer shows every write whose end anybody was told before that moment.
    virtual void onAnswer(Ticket ticket, ResponseHead head, std::string body, bool last, Instant asOf, Now now) = 0;
    virtual void onAnswerBody(Ticket ticket, std::string piece, bool last, Now now) = 0;
    // `started`: the head was already given, so the answer is cut off. The code says what is known: notSent, full,
    // deadlineExceeded, permissionDenied and invalidArgument prove that nothing was executed.
    virtual void onAnswerFailed(Ticket ticket, Error error, bool started, Now now) = 0;
    // The satellite can take `bytes` more of the request's body.
    virtual void onBodyWanted(Ticket ticket, std::size_t bytes, Now now) = 0;
};

struct BrokerCounters {
    std::uint64_t started = 0, answered = 0, failed = 0, retried = 0, timedOut = 0, refusedFull = 0, unknownReply = 0,
                  wrongSource = 0, brokenStream = 0, cancelled = 0, overtaken = 0;
};

// Requests to satellites, and commands to workers there, in flight: each has one command id for life, is sent again under it over another way to the
// same connector when a link dies or stays silent, and ends by its deadline in an answer or in what is known. Where another
// node has come to run the connector meanwhile, only what is safe to repeat is: the new one does not know what the old one did.
class Broker {
public:
    Broker(Mesh& mesh, BrokerEvents& events, const Satellites& satellites, Rng& rng);
    ~Broker();
    // Where it is noted when what was sent and came back; without it, nowhere. Set once before the first request.
    void setNotes(HopNotes& ofMessages) { notes = &ofMessages; }

    void start(Ticket ticket, SatelliteRequest request, Now now);
    // Tickets of both kinds are of one set. `asker` outlives the command.
    void startCommand(Ticket ticket, WorkerRequest request, CommandEvents& asker, Now now);
    void sendBody(Ticket ticket, std::string piece, bool last, Now now);
    // The asker has passed on `bytes` of the answer's body: as many more may come.
    void consumed(Ticket ticket, std::size_t bytes, Now now);
    void cancel(Ticket ticket, Now now);

    void onReply(const shoset::Address& from, const MessageId& id, shoset::Reply reply, std::string_view body, bool last,
                 Instant sent, Now now);
    void onChunk(const shoset::Address& from, const MessageId& id, const shoset::Chunk& chunk, std::string_view body,
                 bool last, Now now);
    void onCredit(const shoset::Address& from, const MessageId& id, std::uint64_t total, Now now);
    void onLinkLost(shoset::LinkId link, Now now);
    void onRoutesChanged(const std::vector<shoset::Address>& addresses, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const;

    std::size_t inFlight() const { return requests.size(); }
    const BrokerCounters& counters() const { return count; }

private:
    struct Request;
    bool isFull(const shoset::Address& connector);
    Request& add(Ticket ticket, const MessageId& id, shoset::Address connector);
    void sendFirst(Request& request, Now now);
    void onWorkerReply(Request& request, shoset::Reply reply, std::string_view body, bool last, Now now);
    bool trySend(Request& request, Now now);
    std::uint64_t assignmentOf(const shoset::Address& connector) const;
    bool isOvertaken(Request& request, Now now);
    void takeAnotherWay(Request& request, Now now);
    void onNotPassedOn(Request& request, const shoset::Address& from, Now now);
    void awaitWay(Request& request, Now now);
    void schedule(Request& request, Instant when);
    void fail(Request& request, Error error, Now now);
    void conclude(Request& request, Error error, Now now);
    void note(const Request& request, HopEntry entry, Now now);
    void noteSent(const Request& request, Now now);
    void noteReply(Request& request, const shoset::Address& from, const shoset::Reply& reply, Instant sent, Now now);
    void noteStray(const shoset::Address& from, const MessageId& id, Now now);
    // Also to who sends pieces that nobody here waits for: it would keep the BMC's answer open otherwise.
    void tellCancel(const shoset::Address& connector, const MessageId& id, Now now);
    void tellCancel(const Request& request, Now now);
    void erase(Request& request);
    void pumpBody(Request& request, Now now);
    void expire(Request& request, Now now);
    Request* find(const MessageId& id);
    Request* findFrom(const shoset::Address& from, const MessageId& id, bool alsoPeers);

    Mesh& mesh;
    BrokerEvents& events;
    const Satellites& satellites;
    Rng& rng;
    std::unordered_map<MessageId, std::unique_ptr<Request>> requests;
    std::unordered_map<Ticket, MessageId> byTicket;
    std::set<std::pair<Instant, MessageId>> timers;
    std::map<shoset::Address, std::size_t> perConnector;
    std::map<std::string, std::size_t, std::less<>> perTenant;
    BrokerCounters count;
    HopNotes* notes = nullptr;
};

}  // namespace mesh::aggregator
