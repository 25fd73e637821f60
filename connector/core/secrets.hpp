#pragma once

#include "connector/core/secret_versions.hpp"
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
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::connector {

struct SecretSettings {
    std::vector<std::string> operators;  // whose secrets are taken: their signing keys, raw; none: no secrets
    std::string name;                    // the connector's own, as it is configured
    std::string tenant = {};             // its own; empty: that of the first secret that is taken
};

// What the secrets need of the connector around them. Never calls back from inside a call.
class SecretHost {
public:
    virtual ~SecretHost() = default;
    // Asks an aggregator that is linked, knows what is asked and is none of `but`; its reply comes to Secrets::onReply(). Who that
    // is; nullopt: there is none.
    virtual std::optional<shoset::Address> askAggregator(const MessageId& id, std::string_view command, const std::string& payload,
                                                         std::span<const shoset::Address> but, Now now) = 0;
    virtual void answerWorker(WorkerId id, std::string word) = 0;
    // announcedKey() is another one.
    virtual void onSealingKey(Now now) = 0;
};

struct SecretUse {
    std::uint64_t given = 0, failed = 0, refusedFull = 0, timedOut = 0, askedAnother = 0, older = 0, resealed = 0, keysChanged = 0,
                  notSaved = 0;
};

// The named secrets that are granted to this connector: it asks an aggregator for the sealed one each time that a worker asks,
// opens it, and hands it to that worker alone; nothing in the clear is kept, logged or saved. Where an aggregator does not answer, is
// cut off, or answers what is not taken, another one is asked. What is taken: what an operator has signed whom the configuration
// names, for this connector by the name and tenant that it knows itself by, whatever the aggregator calls it, and in no lower
// version than was taken before; that version is on disk before the worker has the value.
//
// They are sealed to a key of the connector's own, which is on disk before anybody is told of it. It changes with the
// connector's CURVE key, and what is sealed to a former one is sealed anew. Former ones stay until later ones take their place,
// limits::maxSealingKeys in all: no aggregator's word makes that undone, and a backup of the cluster may bring back what is sealed
// to them. Without operators nothing of all that happens.
class Secrets {
public:
    Secrets(SecretSettings settings, StatePort& state, SecretHost& host, Rng& rng);

    // Of StateFile::secrets, as saved. Code::corrupt.
    Result<void> load(std::string_view content);
    // `connectorKey`: of CURVE, public; empty: it is for life.
    void start(const std::string& connectorKey, Now now);
    // The CURVE key may have changed.
    void onKey(const std::string& connectorKey, Now now);
    void onSaved(const Result<void>& result, Now now);
    void onLinkUp(Now now);
    // What was asked there is asked elsewhere.
    void onLinkDown(const shoset::Address& aggregator, Now now);
    // The worker may have it.
    void get(WorkerId worker, WorkerSecretAsk ask, Now now);
    // `from`: the aggregator; `self`: the connector's address, as that one has it. False: it is no reply to what was asked here.
    bool onReply(const MessageId& id, const shoset::Address& from, const shoset::Reply& reply, std::string_view body,
                 std::string_view self, Now now);
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
        std::string_view command = {};
        std::string payload = {};
        std::vector<shoset::Address> asked = {};    // in that order
        std::vector<shoset::Address> waiting = {};  // of these, who may answer yet
        Instant nextAt = never;                     // when another one is asked, too
        Instant end = never;
        Error why = {};  // what one of them said, rather than that one could not be asked
    };
    // Opened, and not given before the disk has `change`.
    struct Opened {
        WorkerId worker = 0;
        WorkerSecretAsk question;
        std::uint64_t version = 0;
        sealing::SecretText value;
        std::uint64_t change = 0;
    };

    bool isUsed() const { return !settings.operators.empty(); }
    bool send(Ask ask, std::string_view command, std::string payload, Now now);
    bool askOne(const MessageId& id, Ask& ask, Now now);
    void askAnother(const MessageId& id, const Error& error, Now now);
    void late(const MessageId& id, Now now);
    Result<std::string> take(const Ask& ask, std::string_view body, std::string_view self);
    void goOn(const Ask& ask, std::string payload, Now now);
    void fail(const Ask& ask, const Error& error, Now now);
    Result<void> openFor(const Ask& ask, std::string_view envelope, std::string_view self);
    void giveOpened();
    void refuseOpened();
    void beginResealing(Now now);
    Result<void> takeList(std::string_view body);
    void resealNext(Now now);
    Result<std::string> reseal(std::string_view envelope);
    void endResealing(Now now);
    void change();
    void save();
    std::string content() const;

    const SecretSettings settings;
    StatePort& state;
    SecretHost& host;
    Rng& rng;
    std::vector<sealing::Seed> seeds;  // the one in force first
    std::string besideKey;             // the CURVE key beside which it was made
    std::string currentKey;            // the CURVE key now
    SecretVersions versions;
    std::string announced;
    bool saving = false;
    std::uint64_t changes = 0;   // of what is to be saved
    std::uint64_t savingTo = 0;  // of these, what is being saved,
    std::uint64_t savedTo = 0;   // and what the disk has
    std::map<MessageId, Ask> asks;
    std::deque<Opened> opened;
    bool resealing = false;
    bool left = false;     // something of this round could not be resealed
    bool settled = false;  // since the key is in force, one round found nothing that is sealed to another
    std::deque<std::string> toReseal;
    Instant resealAt = never;
    Instant lookedAt{};
    Instant saveAt = never;
    SecretUse count;
};

}  // namespace mesh::connector
