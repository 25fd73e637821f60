#pragma once

#include "aggregator/core/event_store.hpp"
#include "aggregator/core/node_view.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"
#include "shoset/core/message.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mesh::aggregator {

// What became of a message at a node, in a word.
enum class HopFate : std::uint8_t {
    recorded,   // it stands in the audit trail, as `about`
    taken,      // begun here, under an id of its own where it was asked for under another
    sent,       // it left this node, where it was made
    sentAgain,  // the same over another link, or after silence
    forwarded,  // it went on to where it is going
    delivered,  // it has arrived where it was going
    onGoing,    // a reply has arrived: ON_GOING, the first of them
    succeeded,  // SUCCESS
    failed,     // FAIL, with its code
    duplicate,  // it was there before; nothing is done again
    refused,    // it went no further; its code says why
    ended,      // this node has given it up; its code says what is known
    stored,     // an event is on this node's disk
};
const char* fateName(HopFate fate);

enum class HopRing : std::uint8_t { messages, requests, events };

// What is noted. `id` of an event is the first of some that follow each other, and `about` the last one (idOfPlace); of configuration
// its document and version; else `about` is the message that this one belongs to, if any.
struct HopEntry {
    shoset::Kind kind = shoset::Kind::command;
    HopFate fate = HopFate::sent;
    Code code = Code::ok;
    MessageId id = {};
    MessageId about = {};
    std::string_view from = {};
    std::string_view to = {};    // or empty: somewhere that nobody knows, see HopNotes::add()
    std::string_view over = {};  // the other end of the link by which it left; or empty
    WallTime left = {};          // `from` has sent it, at the earliest; of a single event by its connector's clock. {}: not known
};

// One of them, found.
struct Hop {
    std::string tenant;
    shoset::Kind kind = shoset::Kind::command;
    HopFate fate = HopFate::sent;
    Code code = Code::ok;
    MessageId id;
    std::string from, to, over;
    WallTime at{};
    WallTime left{};
};

// What is asked for: a message by its id and those that belong to it, an event, or the configuration of a connector in one version.
struct TraceKey {
    std::vector<MessageId> ids = {};  // of messages; else empty, and
    shoset::Address connector = {};   // whose it is
    EventPlace event = {};            // epoch 0: none
    std::uint64_t version = 0;

    bool isOfMessages() const { return !ids.empty(); }
};
// 32 hexadecimal digits, "TENANT:CONNECTOR:EPOCH:SEQUENCE", or "TENANT:CONNECTOR:vVERSION".
std::optional<TraceKey> readTraceKey(std::string_view text);
std::string eventId(std::string_view tenant, std::string_view connector, EventPlace place);

MessageId idOfPlace(std::uint64_t high, std::uint64_t low);

struct FoundHops {
    std::vector<Hop> hops;          // the oldest first, at most limits::maxTracedHops
    std::vector<MessageId> others;  // that belong to what was asked for, with it at most limits::maxTracedIds
    bool more = false;              // than these limits let through
};

// Where messages have been, at this node: a note of fixed size for each step, into rings whose memory is taken once. They are kept
// for each tenant, so that a busy one overwrites its own, and commands of people are not lost among Redfish requests. A body is
// never looked at, and nothing is noted of its pieces.
class HopNotes {
public:
    // Without a tenant it is the system's own, of which nothing is kept.
    // Each new name in an entry takes a place in a table that all tenants share; once limits::maxHopNames are in it all notes are given up:
    // a name that anybody may have made up is left out unless it is known already (knows()).
    void add(HopRing ring, std::string_view tenant, const HopEntry& entry, Now now);
    // Whether it stands in a note, or stood in one.
    bool knows(std::string_view name) const { return indices.contains(name); }
    // Of one tenant, or (empty) of all.
    FoundHops find(const TraceKey& key, std::string_view tenant) const;
    void addMetrics(std::vector<Counter>& out) const;

private:
    using NameIndex = std::uint32_t;  // 0: none
    struct Note {
        MessageId id;
        MessageId about;
        WallTime at{};
        WallTime left{};
        NameIndex from = 0, to = 0, over = 0;
        shoset::Kind kind = shoset::Kind::command;
        HopFate fate = HopFate::sent;
        Code code = Code::ok;
    };
    struct Ring {
        std::vector<Note> notes;
        std::size_t next = 0;  // to be written, and once all were, the oldest
    };
    struct OfTenant {
        std::array<Ring, 3> rings;
        WallTime newest{};
    };
    struct NameHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
    };
    OfTenant& ofTenant(std::string_view tenant);
    NameIndex indexOf(std::string_view name);
    static bool matches(const Note& note, const TraceKey& key, NameIndex connector);
    void addRelated(const OfTenant& notes, const TraceKey& key, FoundHops& found) const;
    void collect(const std::string& tenant, const OfTenant& notes, const TraceKey& key, FoundHops& found) const;

    std::map<std::string, OfTenant, std::less<>> tenants;
    std::unordered_map<std::string, NameIndex, NameHash, std::equal_to<>> indices;
    std::vector<std::string> names{std::string()};
    std::uint64_t noted = 0;
    std::uint64_t overwritten = 0;
    std::uint64_t forgottenTenants = 0;
    std::uint64_t forgottenAll = 0;
};

}  // namespace mesh::aggregator
