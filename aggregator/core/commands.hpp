#pragma once

#include "aggregator/core/audit_trail.hpp"
#include "aggregator/core/broker.hpp"
#include "aggregator/core/command_record.hpp"
#include "aggregator/core/mesh.hpp"
#include "aggregator/core/offer_book.hpp"
#include "aggregator/core/refusal_notes.hpp"
#include "aggregator/core/satellites.hpp"
#include "aggregator/core/tenant_quotas.hpp"
#include "shoset/base/rng.hpp"
#include "tenants/policy.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mesh::aggregator {

struct CommandAsk {
    std::string tenant;
    std::string user;     // on whose behalf, for the audit
    shoset::Target to;
    Wanted wanted;        // its type is what `to` or the asker says
    std::string payload;  // JSON, or empty
    Instant deadline = never;
    shoset::Address asker = {};  // a connector that asks, under
    MessageId askerId = {};      // this id; else who asks is told by record()
    AuditToken audit = 0;        // of its intent, which is on disk
    std::shared_ptr<Admission> admission = {};  // see Commands::reserve()
    MessageId about = {};        // as which that stands there
};

// What is said where nobody fits, and where the tenant is none of the asker's.
Error noSuchTarget(const CommandAsk& ask);

struct CommandCounters {
    std::uint64_t started = 0, succeeded = 0, failed = 0, unknown = 0, refused = 0, refusedFull = 0, rechosen = 0, asked = 0,
                  askedAgain = 0, denied = 0, forgotten = 0, payloadsDropped = 0, waitersRefused = 0;
};

// Commands to workers that this node was asked for, over HTTP or by a connector. Routes each by tenant and target, tells how
// far it is, and remembers how it ended within limits::maxCommands, maxCommandMemoryBytes and commandMemory. A command goes
// on to another connector of its type only where it is proved that the one before did not execute it. Who asks learns nothing
// of another tenant: what is not his is not there.
class Commands final : public CommandEvents {
public:
    // An error of it says why nothing may be ordered now.
    using MayOrder = std::function<Result<void>(Now)>;
    Commands(Mesh& mesh, Broker& broker, const Satellites& satellites, const OfferBook& offers, const tenants::Policy& policy,
             MayOrder mayOrder, Rng& rng);
    ~Commands() override;

    // What the tenants allow; without it, everything. Set once before the first command.
    void setQuotas(TenantQuotas& ofTenants) { quotas = &ofTenants; }
    // Where it is recorded what connectors ask for; without it, nowhere. Set once before the first command.
    void setAudit(AuditTrail& deeds) { trail = &deeds; }
    // Where it is noted what was asked for; without it, nowhere. Set once before the first command.
    void setNotes(HopNotes& ofMessages) { notes = &ofMessages; }

    // What tells of refusals; without it, nothing does. Set once before the first command.
    void setRefusals(RefusalNotes& ofTenants) { refusals = &ofTenants; }
    // Tells of one that is refused to somebody else than a connector, who belongs to `tenant`.
    void tellRefused(const std::string& tenant, const std::string& account, const Error& error, Now now);

    // Holds what start() of the same needs of the tenant's quota, so that it can be recorded first; nullptr where start() is going to
    // refuse it for another reason. full: it is too much.
    Result<std::shared_ptr<Admission>> reserve(CommandAsk ask, Now now);
    // The error is why nothing was sent: invalidArgument, notFound (target or command), unsupported (version), notSent (no way to
    // whoever could), full, unavailable, tooLarge (more targets than limits::maxFanOut).
    Result<MessageId> start(CommandAsk ask, Now now);
    // Of a connector; what it asks for more than once under one id is one command. It is recorded before anything is sent, unless it
    // may not be asked for at all.
    void onAsked(const shoset::Address& from, const MessageId& id, shoset::Command command, std::string_view payload,
                 std::optional<Instant> deadline, Now now);
    // nullptr: there was none, or it is forgotten. Valid until the next call.
    const CommandRecord* record(const MessageId& id) const;
    // Calls `done` once, later: when the command has another revision than `seen`, or at `until`. False: there is nothing to
    // wait for, or limits::maxCommandWaiters wait already.
    bool await(const MessageId& id, std::uint64_t seen, Instant until, std::function<void(Now)> done, Now now);

    void onTimer(Now now);
    Instant nextDeadline() const;
    std::size_t running() const { return places.size(); }
    std::size_t remembered() const { return records.size(); }
    const CommandCounters& counters() const { return count; }

    void onCommandReply(Ticket ticket, shoset::Reply reply, std::string payload, Now now) override;
    void onCommandFailed(Ticket ticket, Error error, Now now) override;

private:
    struct Entry {
        CommandRecord record;
        std::string payload;  // while it is under way
        Instant deadline = never;
        Admission admission;       // while it is under way
        std::size_t underWay = 0;  // of its parts
        std::size_t bytes = 0;     // of what its replies brought
        shoset::Address asker;
        MessageId askerId;
        AuditToken audit = 0;
        std::vector<std::pair<Instant, std::uint64_t>> waiting;
    };
    struct Place {
        Entry* entry = nullptr;
        std::size_t part = 0;
    };
    struct Share {  // what is remembered of one tenant's ended commands, the oldest first
        std::deque<MessageId> ended;
        std::size_t bytes = 0;
    };
    using AskerKey = std::pair<shoset::Address, MessageId>;
    // Of what a connector asked for, and is not begun here if it comes again before its deadline.
    struct PastAsk {
        Instant until{};
        std::optional<Error> refusal;  // it was not executed, and its asker was told so; nullopt: forgotten
    };

    Result<std::vector<shoset::Address>> targetsOf(const CommandAsk& ask, Now now) const;
    Result<std::vector<shoset::Address>> resolve(const CommandAsk& ask) const;
    Result<std::vector<shoset::Address>> resolveName(const CommandAsk& ask) const;
    Result<std::vector<shoset::Address>> resolveType(const CommandAsk& ask) const;
    bool mayAsk(const CommandAsk& ask, const shoset::Address& target) const;
    shoset::Address pickOne(const std::vector<shoset::Address>& candidates);
    Result<void> hasRoom(const CommandAsk& ask);
    Result<Admission> makeRoom(const CommandAsk& ask, std::size_t parts, Now now);
    void dispatch(Entry& entry, std::size_t part, const MessageId& id, Now now);
    bool goOn(Entry& entry, std::size_t part, Code code, Now now);
    void settle(Ticket ticket, shoset::Reply reply, std::string payload, Now now);
    void finish(Entry& entry, Now now);
    void touch(Entry& entry, Now now);
    bool isAskedAgain(const AskerKey& key, const shoset::Command& command, Now now);
    void record(CommandAsk ask, Now now);
    void startAsked(CommandAsk ask, Now now);
    void tellAsker(const Entry& entry, Now now);
    void refuseAsker(const shoset::Address& asker, const MessageId& id, const Error& error, Now now);
    void refuseForGood(const AskerKey& key, const Error& error, Instant until, Now now);
    bool hasRoomForAnother(const shoset::Address& asker) const;
    void note(std::string_view tenant, const HopEntry& entry, Now now);
    void forgetOne();
    void forget(const MessageId& id);

    Mesh& mesh;
    Broker& broker;
    const Satellites& satellites;
    const OfferBook& offers;
    const tenants::Policy& policy;
    const MayOrder mayOrder;
    TenantQuotas* quotas = nullptr;
    AuditTrail* trail = nullptr;
    HopNotes* notes = nullptr;
    RefusalNotes* refusals = nullptr;
    Rng& rng;

    std::unordered_map<MessageId, std::unique_ptr<Entry>> records;
    std::unordered_map<Ticket, Place> places;  // of parts under way
    std::map<shoset::Address, std::size_t> load;
    std::map<std::string, std::size_t> underWay;  // commands, by tenant
    std::map<shoset::Address, std::size_t> askedBy;
    std::map<AskerKey, MessageId> byAsker;
    std::set<AskerKey> recording;            // asked for, and not begun before the disk has it
    std::map<AskerKey, PastAsk> pastAsks;
    std::map<std::string, Share> shares;
    std::deque<std::pair<Instant, MessageId>> byEnd;
    std::size_t runningBytes = 0;  // of what came back for commands under way
    std::size_t rememberedBytes = 0;
    std::map<std::pair<Instant, std::uint64_t>, std::pair<MessageId, std::function<void(Now)>>> waiters;
    std::uint64_t nextWaiter = 1;
    Ticket nextTicket = Ticket{1} << 62;
    CommandCounters count;
};

}  // namespace mesh::aggregator
