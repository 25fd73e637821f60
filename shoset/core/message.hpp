#pragma once

#include "shoset/base/http.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mesh::shoset {

// An aggregator is its node name ("agg-a"), a connector is "tenant/name" ("acme/sled07").
using Address = std::string;
std::string_view tenantOf(std::string_view address);  // empty for an aggregator
std::string_view nameOf(std::string_view address);    // without the tenant
bool isConnector(std::string_view address);
Address connectorAddress(std::string_view tenant, std::string_view name);

constexpr std::uint32_t protocolMajor = 1;
constexpr std::uint32_t protocolMinor = 0;

enum class Kind : std::uint8_t {
    hello = 1,
    helloAck = 2,
    heartbeat = 3,
    heartbeatEcho = 4,
    bye = 5,
    command = 6,
    reply = 7,
    chunk = 8,
    credit = 9,
    cancel = 10,
    announce = 11,
    routes = 12,
    aggregators = 13,
    enrol = 14,
    enrolled = 15,
    keyStatus = 16,
    keyOffer = 17,
    offers = 18,
    event = 19,
    eventsStored = 20,
    subscribe = 21,
    eventsTaken = 22,
    eventsWanted = 23,
    configure = 24,
    configured = 25,
};
constexpr std::uint8_t lastKind = 25;
const char* kindName(Kind kind);

// Capability bits of hello and helloAck.
enum Capability : std::uint64_t {
    capabilityRedfish = 1,
    capabilityStreams = 2,
    capabilityAggregators = 4,  // takes lists of aggregators
    capabilityKeys = 8,         // takes the status of its key, and changes it when that is asked for
    capabilityCalm = 16,        // of a listener: lets a calm link's dialler beat more slowly, as that says
    capabilityOffers = 32,      // knows what workers offer: a connector tells it, an aggregator takes it and passes it on
    capabilitySecrets = 64,     // of an aggregator: answers secretGet, secretList and secretSeal
    capabilityEvents = 128,     // events: a connector sends and subscribes to them, an aggregator stores and passes them on
    capabilityConfig = 256,     // configuration: an aggregator tells it, a connector how far it has come with it
    capabilityEventCredit = 2048,  // of both ends: a loss uses credit as an event does, and a refused subscription is told so
};

struct Hello {
    std::uint32_t major = protocolMajor;
    std::uint32_t minor = protocolMinor;
    Address name;
    std::uint64_t incarnation = 0;
    std::uint64_t capabilities = 0;
    std::string software;
    std::int64_t clock = 0;
};

struct HelloAck {
    std::uint32_t major = protocolMajor;
    std::uint32_t minor = protocolMinor;
    Address name;
    std::uint64_t incarnation = 0;
    std::uint64_t capabilities = 0;
    std::string software;
    std::int64_t echoedClock = 0;
    std::int64_t clock = 0;
    std::uint32_t heartbeatMs = 0;
    std::string refusal;
    Address you;
};

struct Heartbeat {
    std::int64_t clock = 0;
    std::int64_t peerClock = 0;
    std::int64_t peerClockAt = 0;
    std::uint32_t nextMs = 0;
};

struct HeartbeatEcho {
    std::int64_t echoedClock = 0;
    std::int64_t clock = 0;
    std::uint32_t heartbeatMs = 0;
};

struct Bye {
    std::string reason;
};

// Travels with everything that the primary orders, so that one that was replaced and does not know it cannot order any
// more. {0, 0}: not ordered by the primary, and not checked.
struct Fence {
    std::uint64_t generation = 0;  // of the cluster's state; raised by recovery and restore
    std::uint64_t term = 0;        // of the primary

    bool isSet() const { return generation != 0 || term != 0; }
    auto operator<=>(const Fence&) const = default;
};

// Within the tenant of whoever asks: one connector by its logical name, or a connector type.
struct Target {
    std::string name;
    std::string type;
    bool all = false;  // of the type: all that offer the command, else any one of them
    bool operator==(const Target&) const = default;
};

constexpr std::string_view redfishRequest = "redfish.request";
// What a connector asks an aggregator of the sealed secrets, as commands whose payload is JSON (proto/README.md).
constexpr std::string_view secretGet = "mesh.secret.get";
constexpr std::string_view secretList = "mesh.secret.list";
constexpr std::string_view secretSeal = "mesh.secret.seal";

// A Redfish request on its way to a satellite, or, by any other name, a command on its way to a worker. The latter has its
// payload as the body, which comes whole with it.
struct Command {
    std::string name;
    std::string user;
    std::string prefix;
    RequestHead http;
    std::int64_t bodyLength = 0;  // -1: not known
    std::vector<std::string> hosts;
    Fence fence = {};
    std::uint64_t assignment = 0;  // of a connector that a node runs, as the sender knows it; 0: its BMC's own agent
    std::string type = {};         // connector type whose worker is asked; empty: whichever offers the command
    std::uint32_t major = 0;       // version that the worker has to be of; 0: any
    std::uint32_t minor = 0;       // and at least of this minor one
    Target to = {};                // of one that a connector asks an aggregator for
    std::uint64_t incarnation = 0;  // and of which process of it; another one does not begin it. 0: whichever
};

enum class ReplyState : std::uint8_t { onGoing = 1, success = 2, fail = 3 };

struct Reply {
    ReplyState state = ReplyState::success;
    Code code = Code::ok;
    std::string message;
    ResponseHead http;
    // Of a GET: no write to the BMC began or ended at the connector between the moment when it turned to the BMC and this
    // reply. False also where that is not known.
    bool undisturbed = false;
    std::uint32_t progress = 0;  // percent, of a worker's ON_GOING
    std::string failure = {};    // of a FAIL that a worker reported: its own code. Empty: the mesh says it
};

struct Chunk {
    std::uint64_t offset = 0;
    Code code = Code::ok;  // not ok: the stream ends here, incomplete
    std::string message;
};

// Bytes of the stream that may be sent, counted from its start: a repeated credit does no harm.
struct Credit {
    std::uint64_t total = 0;
};

struct Cancel {};

enum class CollectionState : std::uint8_t { known = 1, absent = 2, failing = 3 };

struct AnnouncedCollection {
    std::string path;  // below /redfish/v1/, for example "UpdateService/FirmwareInventory"
    CollectionState state = CollectionState::known;
    std::vector<std::string> members;  // @odata.id as on the satellite
    std::string reason;
    bool more = false;  // further members follow in the next record; what came counts when they are all there
    bool operator==(const AnnouncedCollection&) const = default;
};

struct Announce {
    std::string uuid;
    bool complete = false;
    std::vector<AnnouncedCollection> collections;
    bool bmcReachable = false;
    std::string bmcReason;
    std::vector<std::string> rootLinks;  // what the ServiceRoot links, below /redfish/v1/
    std::string redfishVersion;
    std::uint64_t incarnation = 0;  // of the connector
    // All records of one announcement have the same, a later one a higher. What is lower than that of the last complete
    // one was overtaken on another way, and is in it.
    std::uint64_t sequence = 0;
    std::string sealingKey = {};  // 32 bytes: what secrets for the connector are sealed to; empty: it takes none
    bool operator==(const Announce&) const = default;
};

struct OfferedCommand {
    std::string name;
    std::string schema;  // SHA-256 of its payload's JSON Schema, 32 bytes; empty: it has none
    bool operator==(const OfferedCommand&) const = default;
};

struct Offer {
    std::string type;  // connector type
    std::uint32_t major = 1;
    std::uint32_t minor = 0;
    std::vector<OfferedCommand> commands;
    bool operator==(const Offer&) const = default;
};

// All that the workers of a connector offer now.
struct Offers {
    std::uint64_t incarnation = 0;  // of the connector
    std::uint64_t sequence = 0;     // grows with each of them
    std::vector<Offer> offers;
    bool operator==(const Offers&) const = default;
};

// What a connector is to be configured as; the body is JSON (aggregator/core/configuration_rules.hpp). (generation, revision) orders
// what is told, by whichever aggregator.
struct Configure {
    std::uint64_t generation = 0;
    std::uint64_t revision = 0;
    std::uint64_t version = 0;   // of its component, for people; 0: it has none
    std::uint64_t document = 0;  // which one that is, for life
    bool operator==(const Configure&) const = default;
};

enum class ConfiguredState : std::uint8_t { pending = 1, applied = 2, refused = 3 };

// How far a connector has come with its component.
struct Configured {
    std::uint64_t incarnation = 0;  // of the connector
    std::uint64_t sequence = 0;     // grows with each of them
    std::uint64_t version = 0;
    std::uint64_t document = 0;
    ConfiguredState state = ConfiguredState::pending;
    std::string reason;  // of a refusal; at most limits::maxConfigReasonBytes
    bool operator==(const Configured&) const = default;
};

struct Route {
    Address address;
    std::uint32_t distance = 0;  // 0 withdraws
};

struct Routes {
    std::vector<Route> routes;
};

struct AggregatorAddress {
    std::string name;
    std::string endpoint;  // "tcp://HOST:PORT"
    std::string key;       // public, Z85
    bool operator==(const AggregatorAddress&) const = default;
};

// All aggregators of the mesh, for connectors to dial. (generation, revision) orders such lists.
struct Aggregators {
    std::uint64_t generation = 0;
    std::uint64_t revision = 0;
    std::vector<AggregatorAddress> list;
    bool operator==(const Aggregators&) const = default;
};

// On the enrolment endpoint only: who asks is proved by CURVE, that it may is shown by the secret.
struct Enrol {
    std::string secret;
};

struct Enrolled {
    Code code = Code::ok;  // not ok: refused
    std::string refusal;
    std::string tenant;
    std::string name;
    Aggregators aggregators;
};

// How it stands with a connector's key, told to that connector. (generation, revision) orders what is told, by whichever
// aggregator.
struct KeyStatus {
    std::uint64_t generation = 0;
    std::uint64_t revision = 0;
    std::string key;      // in force; public, Z85
    std::string pending;  // was offered, and is admitted beside it; empty: none
    bool wanted = false;  // a new key is asked for
    bool operator==(const KeyStatus&) const = default;
};

// The connector's answer, over a link of the key in force.
struct KeyOffer {
    std::string key;
};

// One event; its payload, JSON, is the body. `source` of the message says whose it is, whoever passes it on.
struct Event {
    std::uint64_t epoch = 0;     // of the connector's outbox; (source, epoch, sequence) names an event for good
    std::uint64_t sequence = 0;  // from 1, without gaps
    std::string topic;
    std::string name;
    WallTime time{};                  // by the connector's clock, in microseconds
    std::uint64_t lostTo = 0;        // not 0: no event; those from `sequence` to this one were dropped by age, stored nowhere
    std::uint64_t subscription = 0;  // to a subscriber: which of its subscriptions asked for it
    bool operator==(const Event&) const = default;
};

// Told to a connector: which of its events are on that aggregator's disk. At once when a link begins, and after each commit.
struct EventsStored {
    std::uint64_t epoch = 0;     // the highest that is known there; 0: none of its events
    std::uint64_t sequence = 0;  // all of that epoch up to this one; 0: none
    bool operator==(const EventsStored&) const = default;
};

struct EventCursor {
    Address source;
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;  // all up to this one were had
    bool operator==(const EventCursor&) const = default;
};

// A connector's workers want events; told to one aggregator at a time.
struct Subscribe {
    std::uint64_t subscription = 0;  // by the connector's choice; another one under the same number replaces it
    std::vector<std::string> topics;  // "sensor.fan", or with "*" at the end what begins so; none: the subscription ends
    std::vector<EventCursor> cursors;
    bool fromNow = false;     // of a source without a cursor: only what is stored from now on. Else all that is stored
    std::uint64_t credit = 0;  // how many events may be sent, counted from here
    std::string refused = {};  // in the answer: not empty: it is not there, and why
    bool more = false;         // in the answer: others with more cursors follow
    bool operator==(const Subscribe&) const = default;
};

struct EventsTaken {
    std::uint64_t subscription = 0;
    std::uint64_t total = 0;  // how many events may be sent, counted from the subscription's start
    bool operator==(const EventsTaken&) const = default;
};

// Between aggregators: events of a connector that others have stored. Answered with those that are there, in order, and then with
// the same record, done.
struct EventsWanted {
    Address connector;
    std::uint64_t epoch = 0;
    std::uint64_t from = 0;
    std::uint64_t to = 0;  // the last one
    bool done = false;
    std::uint64_t nextEpoch = 0;  // in the answer: which one follows there; 0: none, or it is not known yet
    bool operator==(const EventsWanted&) const = default;
};

using Contents = std::variant<std::monostate, Hello, HelloAck, Heartbeat, HeartbeatEcho, Bye, Command, Reply, Chunk,
                              Credit, Cancel, Announce, Routes, Aggregators, Enrol, Enrolled, KeyStatus, KeyOffer, Offers,
                              Event, EventsStored, Subscribe, EventsTaken, EventsWanted, Configure, Configured>;

// One of them. Copying, moving and destroying are compiled once, in message.cpp, not in every file that names a message.
struct Content : Contents {
    Content();
    Content(const Content& other);
    Content(Content&& other) noexcept;
    Content& operator=(const Content& other);
    Content& operator=(Content&& other) noexcept;
    ~Content();
    using Contents::variant;
};

// One record without its body.
struct Message {
    MessageId id;
    Address source;
    Address destination;
    Content content;
};

Kind kindOf(const Content& content);

// "tcp://HOST:PORT" with a name, an IPv4 address or an IPv6 address in brackets, at most limits::maxEndpointBytes.
bool isTcpEndpoint(std::string_view endpoint);
// Whether somebody can be dialled by it: 1 to limits::maxAggregators entries, each well-formed, no name or key twice. The
// error names the entry.
Result<void> checkAggregators(const std::vector<AggregatorAddress>& list);
// Whether it may be announced: names that are names, versions from 1, no type in one version twice, no command twice in
// one offer, all within limits::maxOffers and maxOfferedCommands. The error says what is wrong.
Result<void> checkOffers(const std::vector<Offer>& offers);

// A topic or an event's name: 1 to limits::maxTopicBytes of [A-Za-z0-9._-], the first a letter or digit.
bool isTopic(std::string_view topic);
// Whether an epoch may be one, by a clock that may be wrong: not further ahead of it than `times` limits::maxEpochAhead. One near the
// last number there is would leave no higher one for the next.
bool isCredibleEpoch(std::uint64_t epoch, WallTime now, std::uint64_t times = 1);
// A topic, or the beginning of topics with "*" behind it; "*" alone is all of them.
bool isTopicPattern(std::string_view pattern);
bool topicMatches(std::string_view pattern, std::string_view topic);

// The protobuf header of a record (proto/mesh.proto). decode checks the kind against the prelude's and every bound;
// an error is Code::corrupt with a sentence.
struct Envelope {
    std::string_view id;
    std::string_view source;
    std::string_view destination;
};
// Only the envelope, as views into `header`: what a router has to know.
Result<Envelope> peekEnvelope(std::string_view header);
std::string encodeHeader(const Message& message);
Result<Message> decodeHeader(Kind kind, std::string_view header);

}  // namespace mesh::shoset
