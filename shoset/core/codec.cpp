// With codec_commands.cpp, all that knows the generated protobuf classes.
#include "shoset/base/limits.hpp"
#include "shoset/core/codec_parts.hpp"

#include "proto/mesh.pb.h"

#include <google/protobuf/arena.h>
#include <google/protobuf/stubs/logging.h>

#include <array>
#include <cstddef>

namespace mesh::shoset {

namespace {

constexpr std::size_t sealingKeyBytes = 32;

template <class Strings>
std::vector<std::string> takeStrings(Strings& from)
{
    std::vector<std::string> out;
    out.reserve(static_cast<std::size_t>(from.size()));
    for (std::string& text : from) {
        out.push_back(std::move(text));
    }
    return out;
}

void put(wire::Header& to, const Hello& from)
{
    wire::Hello& out = *to.mutable_hello();
    out.set_major(from.major);
    out.set_minor(from.minor);
    out.set_name(from.name);
    out.set_incarnation(from.incarnation);
    out.set_capabilities(from.capabilities);
    out.set_software(from.software);
    out.set_clock(from.clock);
}

Hello take(wire::Hello& from)
{
    return {from.major(),        from.minor(),    std::move(*from.mutable_name()), from.incarnation(),
            from.capabilities(), from.software(), from.clock()};
}

void put(wire::Header& to, const HelloAck& from)
{
    wire::HelloAck& out = *to.mutable_hello_ack();
    out.set_major(from.major);
    out.set_minor(from.minor);
    out.set_name(from.name);
    out.set_incarnation(from.incarnation);
    out.set_capabilities(from.capabilities);
    out.set_software(from.software);
    out.set_echoed_clock(from.echoedClock);
    out.set_clock(from.clock);
    out.set_heartbeat_ms(from.heartbeatMs);
    out.set_refusal(from.refusal);
    out.set_you(from.you);
}

HelloAck take(wire::HelloAck& from)
{
    return {from.major(),    from.minor(),        from.name(),  from.incarnation(),  from.capabilities(),
            from.software(), from.echoed_clock(), from.clock(), from.heartbeat_ms(), from.refusal(), from.you()};
}

void put(wire::Header& to, const Heartbeat& from)
{
    wire::Heartbeat& out = *to.mutable_heartbeat();
    out.set_clock(from.clock);
    out.set_peer_clock(from.peerClock);
    out.set_peer_clock_at(from.peerClockAt);
    out.set_next_ms(from.nextMs);
}

Heartbeat take(wire::Heartbeat& from)
{
    return {from.clock(), from.peer_clock(), from.peer_clock_at(), from.next_ms()};
}

void put(wire::Header& to, const HeartbeatEcho& from)
{
    to.mutable_heartbeat_echo()->set_echoed_clock(from.echoedClock);
    to.mutable_heartbeat_echo()->set_clock(from.clock);
    to.mutable_heartbeat_echo()->set_heartbeat_ms(from.heartbeatMs);
}

HeartbeatEcho take(wire::HeartbeatEcho& from)
{
    return {from.echoed_clock(), from.clock(), from.heartbeat_ms()};
}

void put(wire::Header& to, const Bye& from)
{
    to.mutable_bye()->set_reason(from.reason);
}

Bye take(wire::Bye& from)
{
    return {std::move(*from.mutable_reason())};
}

void put(wire::Header& to, const Chunk& from)
{
    wire::Chunk& out = *to.mutable_chunk();
    out.set_offset(from.offset);
    out.set_code(static_cast<std::uint32_t>(from.code));
    out.set_message(from.message);
}

Result<Chunk> take(wire::Chunk& from)
{
    const Result<Code> code = codeFrom(from.code());
    if (!code) {
        return code.error();
    }
    return Chunk{from.offset(), *code, std::move(*from.mutable_message())};
}

void put(wire::Header& to, const Credit& from)
{
    to.mutable_credit()->set_total(from.total);
}

Credit take(wire::Credit& from)
{
    return {from.total()};
}

void put(wire::Header&, const Cancel&) {}
void put(wire::Header&, const std::monostate&) {}

void put(wire::Header& to, const Announce& from)
{
    wire::Announce& out = *to.mutable_announce();
    out.set_uuid(from.uuid);
    out.set_complete(from.complete);
    out.set_bmc_state(from.bmcReachable ? 1 : 2);
    out.set_bmc_reason(from.bmcReason);
    out.set_redfish_version(from.redfishVersion);
    out.set_incarnation(from.incarnation);
    out.set_sequence(from.sequence);
    out.set_sealing_key(from.sealingKey);
    for (const std::string& link : from.rootLinks) {
        out.add_root_links(link);
    }
    for (const AnnouncedCollection& collection : from.collections) {
        wire::Collection* item = out.add_collections();
        item->set_path(collection.path);
        item->set_state(static_cast<std::uint32_t>(collection.state));
        item->set_reason(collection.reason);
        item->set_more(collection.more);
        for (const std::string& member : collection.members) {
            item->add_members(member);
        }
    }
}

Result<Announce> take(wire::Announce& from)
{
    Announce out;
    out.uuid = std::move(*from.mutable_uuid());
    out.complete = from.complete();
    out.bmcReachable = from.bmc_state() == 1;
    out.bmcReason = std::move(*from.mutable_bmc_reason());
    out.redfishVersion = std::move(*from.mutable_redfish_version());
    out.incarnation = from.incarnation();
    out.sequence = from.sequence();
    out.sealingKey = std::move(*from.mutable_sealing_key());
    if (!out.sealingKey.empty() && out.sealingKey.size() != sealingKeyBytes) {
        return Error{Code::corrupt, "a sealing key of " + std::to_string(out.sealingKey.size()) + " bytes"};
    }
    out.rootLinks = takeStrings(*from.mutable_root_links());
    for (wire::Collection& item : *from.mutable_collections()) {
        if (item.state() < 1 || item.state() > 3) {
            return Error{Code::corrupt, "an unknown collection state"};
        }
        out.collections.push_back({std::move(*item.mutable_path()), static_cast<CollectionState>(item.state()),
                                   takeStrings(*item.mutable_members()), std::move(*item.mutable_reason()),
                                   item.more()});
    }
    return out;
}

void put(wire::Header& to, const Routes& from)
{
    wire::Routes& out = *to.mutable_routes();
    for (const Route& route : from.routes) {
        wire::Route* item = out.add_routes();
        item->set_address(route.address);
        item->set_distance(route.distance);
    }
}

Routes take(wire::Routes& from)
{
    Routes out;
    for (wire::Route& item : *from.mutable_routes()) {
        out.routes.push_back({std::move(*item.mutable_address()), item.distance()});
    }
    return out;
}

void putAggregators(const Aggregators& from, wire::Aggregators& to)
{
    to.set_generation(from.generation);
    to.set_revision(from.revision);
    for (const AggregatorAddress& entry : from.list) {
        wire::Aggregator* item = to.add_aggregators();
        item->set_name(entry.name);
        item->set_endpoint(entry.endpoint);
        item->set_key(entry.key);
    }
}

void put(wire::Header& to, const Aggregators& from)
{
    putAggregators(from, *to.mutable_aggregators());
}

Result<Aggregators> take(wire::Aggregators& from)
{
    if (static_cast<std::size_t>(from.aggregators_size()) > limits::maxAggregators) {
        return Error{Code::corrupt, "a list of " + std::to_string(from.aggregators_size()) + " aggregators"};
    }
    Aggregators out{from.generation(), from.revision(), {}};
    for (wire::Aggregator& item : *from.mutable_aggregators()) {
        out.list.push_back({std::move(*item.mutable_name()), std::move(*item.mutable_endpoint()),
                            std::move(*item.mutable_key())});
    }
    return out;
}

void put(wire::Header& to, const Enrol& from)
{
    to.mutable_enrol()->set_secret(from.secret);
}

Result<Enrol> take(wire::Enrol& from)
{
    if (from.secret().size() > limits::maxEnrolSecretBytes) {
        return Error{Code::corrupt, "a secret of " + std::to_string(from.secret().size()) + " bytes"};
    }
    return Enrol{std::move(*from.mutable_secret())};
}

void put(wire::Header& to, const Enrolled& from)
{
    wire::Enrolled& out = *to.mutable_enrolled();
    out.set_code(static_cast<std::uint32_t>(from.code));
    out.set_refusal(from.refusal);
    out.set_tenant(from.tenant);
    out.set_name(from.name);
    putAggregators(from.aggregators, *out.mutable_aggregators());
}

Result<Enrolled> take(wire::Enrolled& from)
{
    const Result<Code> code = codeFrom(from.code());
    if (!code) {
        return code.error();
    }
    Result<Aggregators> aggregators = take(*from.mutable_aggregators());
    if (!aggregators) {
        return aggregators.error();
    }
    return Enrolled{*code, std::move(*from.mutable_refusal()), from.tenant(), from.name(), std::move(*aggregators)};
}

void put(wire::Header& to, const KeyStatus& from)
{
    wire::KeyStatus& out = *to.mutable_key_status();
    out.set_generation(from.generation);
    out.set_revision(from.revision);
    out.set_key(from.key);
    out.set_pending(from.pending);
    out.set_wanted(from.wanted);
}

Result<KeyStatus> take(wire::KeyStatus& from)
{
    if (!isPublicKey(from.key()) || !(from.pending().empty() || isPublicKey(from.pending()))) {
        return Error{Code::corrupt, "the status of what is no key"};
    }
    return KeyStatus{from.generation(), from.revision(), from.key(), from.pending(), from.wanted()};
}

void put(wire::Header& to, const KeyOffer& from)
{
    to.mutable_key_offer()->set_key(from.key);
}

Result<KeyOffer> take(wire::KeyOffer& from)
{
    if (!isPublicKey(from.key())) {
        return Error{Code::corrupt, "an offer of what is no key"};
    }
    return KeyOffer{std::move(*from.mutable_key())};
}

void put(wire::Header& to, const Configure& from)
{
    wire::Configure& out = *to.mutable_configure();
    out.set_generation(from.generation);
    out.set_revision(from.revision);
    out.set_version(from.version);
    out.set_document(from.document);
}

Configure take(wire::Configure& from)
{
    return {from.generation(), from.revision(), from.version(), from.document()};
}

void put(wire::Header& to, const Configured& from)
{
    wire::Configured& out = *to.mutable_configured();
    out.set_incarnation(from.incarnation);
    out.set_sequence(from.sequence);
    out.set_version(from.version);
    out.set_document(from.document);
    out.set_state(static_cast<std::uint32_t>(from.state));
    out.set_reason(from.reason);
}

Result<Configured> take(wire::Configured& from)
{
    if (from.state() < 1 || from.state() > 3 || from.reason().size() > limits::maxConfigReasonBytes) {
        return Error{Code::corrupt, "an acknowledgement of a configuration that is none"};
    }
    return Configured{from.incarnation(), from.sequence(), from.version(), from.document(),
                      static_cast<ConfiguredState>(from.state()), std::move(*from.mutable_reason())};
}

template <class T>
Result<Content> asContent(T value)
{
    return Content{std::move(value)};
}

template <class T>
Result<Content> asContent(Result<T> value)
{
    if (!value) {
        return value.error();
    }
    return Content{std::move(*value)};
}

Result<Content> takeContent(Kind kind, wire::Header& from)
{
    switch (kind) {
        case Kind::hello: return asContent(take(*from.mutable_hello()));
        case Kind::helloAck: return asContent(take(*from.mutable_hello_ack()));
        case Kind::heartbeat: return asContent(take(*from.mutable_heartbeat()));
        case Kind::heartbeatEcho: return asContent(take(*from.mutable_heartbeat_echo()));
        case Kind::bye: return asContent(take(*from.mutable_bye()));
        case Kind::command: return asContent(takeCommand(*from.mutable_command()));
        case Kind::reply: return asContent(takeReply(*from.mutable_reply()));
        case Kind::chunk: return asContent(take(*from.mutable_chunk()));
        case Kind::credit: return asContent(take(*from.mutable_credit()));
        case Kind::cancel: return Content{Cancel{}};
        case Kind::announce: return asContent(take(*from.mutable_announce()));
        case Kind::routes: return asContent(take(*from.mutable_routes()));
        case Kind::aggregators: return asContent(take(*from.mutable_aggregators()));
        case Kind::enrol: return asContent(take(*from.mutable_enrol()));
        case Kind::enrolled: return asContent(take(*from.mutable_enrolled()));
        case Kind::keyStatus: return asContent(take(*from.mutable_key_status()));
        case Kind::keyOffer: return asContent(take(*from.mutable_key_offer()));
        case Kind::offers: return asContent(takeOffers(*from.mutable_offers()));
        case Kind::event: return asContent(takeEvent(*from.mutable_event()));
        case Kind::eventsStored: return asContent(takeEventsStored(from.events_stored()));
        case Kind::subscribe: return asContent(takeSubscribe(*from.mutable_subscribe()));
        case Kind::eventsTaken: return asContent(takeEventsTaken(from.events_taken()));
        case Kind::eventsWanted: return asContent(takeEventsWanted(*from.mutable_events_wanted()));
        case Kind::configure: return asContent(take(*from.mutable_configure()));
        case Kind::configured: return asContent(take(*from.mutable_configured()));
    }
    return Error{Code::unsupported, "record kind"};
}

// A header while it is encoded or decoded. All its parts come from one piece of the stack, or from the heap where that is
// too small: a command or reply is some thirty objects.
class Scratch {
public:
    wire::Header& header() { return *google::protobuf::Arena::CreateMessage<wire::Header>(&arena); }

private:
    alignas(std::max_align_t) std::array<char, 4096> block;
    google::protobuf::Arena arena{block.data(), block.size()};
};

// A content of defaults only is still there, with length 0: only cancel has none.
bool contentFits(Kind kind, const wire::Header& header)
{
    using Case = wire::Header::ContentCase;
    static constexpr Case fits[lastKind + 1] = {
        Case::CONTENT_NOT_SET, Case::kHello,    Case::kHelloAck, Case::kHeartbeat,   Case::kHeartbeatEcho, Case::kBye,
        Case::kCommand,        Case::kReply,    Case::kChunk,    Case::kCredit,      Case::CONTENT_NOT_SET,
        Case::kAnnounce,       Case::kRoutes,   Case::kAggregators, Case::kEnrol,    Case::kEnrolled,
        Case::kKeyStatus,      Case::kKeyOffer, Case::kOffers,     Case::kEvent,        Case::kEventsStored,
        Case::kSubscribe,      Case::kEventsTaken, Case::kEventsWanted, Case::kConfigure,   Case::kConfigured,
    };
    return header.content_case() == fits[static_cast<std::size_t>(kind)];
}

}  // namespace

std::string encodeHeader(const Message& message)
{
    Scratch scratch;
    wire::Header& out = scratch.header();
    if (!message.id.isNil()) {
        out.set_id(message.id.bytes().data(), MessageId::size);
    }
    out.set_source(message.source);
    out.set_destination(message.destination);
    std::visit([&out](const auto& content) { put(out, content); }, message.content);
    return out.SerializeAsString();
}

Result<Message> decodeHeader(Kind kind, std::string_view header)
{
    const google::protobuf::LogSilencer silence;  // a peer's bad text is an error value, not lines on our stderr
    Scratch scratch;
    wire::Header& in = scratch.header();
    if (header.size() > limits::maxHeaderBytes ||
        !in.ParseFromArray(header.data(), static_cast<int>(header.size()))) {
        return Error{Code::corrupt, "a header that is no protobuf"};
    }
    if (!contentFits(kind, in)) {
        return Error{Code::corrupt, std::string("a ") + kindName(kind) + " record with another content"};
    }
    Message out;
    if (!in.id().empty()) {
        Result<MessageId> id = MessageId::fromBytes(in.id());
        if (!id) {
            return id.error();
        }
        out.id = *id;
    }
    out.source = std::move(*in.mutable_source());
    out.destination = std::move(*in.mutable_destination());
    Result<Content> content = takeContent(kind, in);
    if (!content) {
        return content.error();
    }
    out.content = std::move(*content);
    return out;
}

}  // namespace mesh::shoset
