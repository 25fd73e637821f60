#pragma once

#include "connector/core/state_port.hpp"
#include "connector/core/worker_messages.hpp"
#include "connector/core/workers.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"
#include "shoset/core/message.hpp"
#include "shoset/sealing/sealing.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::connector {

// What the secrets need of the connector around them. Never calls back from inside a call.
class SecretHost {
public:
    virtual ~SecretHost() = default;
    // Asks an aggregator that is linked and knows what is asked; its reply comes to Secrets::onReply(). False: there is none.
    virtual bool askAggregator(const MessageId& id, std::string_view command, const std::string& payload, Now now) = 0;
    virtual void answerWorker(WorkerId id, std::string word) = 0;
    // announcedKey() is another one.
    virtual void onSealingKey(Now now) = 0;
};

struct SecretUse {
    std::uint64_t given = 0, failed = 0, refusedFull = 0, timedOut = 0, older = 0, resealed = 0, keysChanged = 0, notSaved = 0, forgotten = 0;
};

// The named secrets that are granted to this connector: it asks an aggregator for the sealed one each time that a worker asks,
// opens it, and hands it to that worker alone; nothing in the clear is kept, logged or saved. What is taken: what an operator
// has signed whom the configuration names, in no lower version than was taken before.
//
// They are sealed to a key of the connector's own, which is on disk before anybody is told of it. It changes with the
// connector's CURVE key; the one before stays until all that is sealed to it was sealed to the new one. Without operators
// nothing of all that happens.
class Secrets {
public:
    Secrets(std::vector<std::string> operators, StatePort& state, SecretHost& host, Rng& rng);

    // Of StateFile::secrets, as saved. Code::corrupt.
    Result<void> load(std::string_view content);
    // `connectorKey`: of CURVE, public; empty: it is for life.
    void start(const std::string& connectorKey, Now now);
    // The CURVE key may have changed.
    void onKey(const std::string& connectorKey, Now now);
    void onSaved(const Result<void>& result, Now now);
    void onLinkUp(Now now);
    // The worker may have it.
    void get(WorkerId worker, WorkerSecretAsk ask, Now now);
    // `self`: the connector's address, as the aggregator has it. False: it is no reply to what was asked here.
    bool onReply(const MessageId& id, const shoset::Reply& reply, std::string_view body, std::string_view self, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const;

    // Public, raw; empty while nothing may be sealed to it.
    const std::string& announcedKey() const { return announced; }
    std::size_t keys() const { return seeds.size(); }
    const SecretUse& counters() const { return count; }

private:
    enum class Purpose : std::uint8_t { forWorker, list, toReseal, seal };
    struct Ask {
        Purpose purpose = Purpose::list;
        WorkerId worker = 0;
        WorkerSecretAsk question;  // its name is set of the last two, too
        Instant until = never;
    };

    bool isUsed() const { return !operators.empty(); }
    bool send(Ask ask, std::string_view command, const std::string& payload, Now now);
    void openFor(const Ask& ask, std::string_view envelope, std::string_view self);
    void fail(const Ask& ask, const Error& error, Now now);
    bool isOlder(const sealing::Envelope& envelope);
    void beginResealing(Now now);
    void takeList(std::string_view body, Now now);
    void resealNext(Now now);
    void reseal(const Ask& ask, std::string_view envelope, std::string_view self, Now now);
    void endResealing(Now now);
    void save();
    std::string content() const;

    const std::vector<std::string> operators;
    StatePort& state;
    SecretHost& host;
    Rng& rng;
    std::vector<sealing::Seed> seeds;  // the one in force first
    std::string besideKey;             // the CURVE key beside which it was made
    std::string currentKey;            // the CURVE key now
    std::map<std::string, std::uint64_t, std::less<>> seen;  // the highest version of each secret that was taken
    std::string announced;
    bool saving = false;
    bool unsaved = false;
    std::map<MessageId, Ask> asks;
    bool resealing = false;
    bool left = false;  // something of this round could not be resealed
    std::deque<std::string> toReseal;
    Instant resealAt = never;
    Instant saveAt = never;
    SecretUse count;
};

}  // namespace mesh::connector
