#include "shoset/core/message.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/base/rng.hpp"

#include "proto/mesh.pb.h"

#include <gtest/gtest.h>

namespace mesh::shoset {
namespace {

// Not UTF-8: BMCs and clients send such bytes in header values, targets and reason phrases.
const std::string rawBytes = "caf\xe9 \xff\xfe \x80";
const std::string someKey = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
const Headers someHeaders{{"Content-Type", "application/json"}, {"X-Raw", rawBytes}, {"Empty", ""}};

Message someMessage(Content content)
{
    SeededRng rng(9);
    return {MessageId::make(WallTime{1700000000s}, rng), "agg-a", "acme/sled07", std::move(content)};
}

// Every kind once, each field with a value that is not its default.
std::vector<Content> everyContent()
{
    return {
        Hello{2, 3, "acme/sled07", UINT64_MAX, 5, "bmcmesh 0.1", INT64_MAX},
        HelloAck{4, 5, "agg-a", UINT64_MAX - 1, 6, "bmcmesh 0.2", 7, INT64_MIN, 1000, "no", "acme/sled07"},
        Heartbeat{1, 2, 3, 400},
        HeartbeatEcho{-1, INT64_MIN, UINT32_MAX},
        Bye{"maintenance"},
        Command{"redfish.request", "alice", "5B247A", {"PATCH", "/redfish/v1/x?y=" + rawBytes, someHeaders}, -1,
                {"facade.example", "10.0.0.1:8443"}, {2, UINT64_MAX}},
        Reply{ReplyState::success, Code::ok, "fine", {206, someHeaders}, true},
        Chunk{UINT64_MAX, Code::outcomeUnknown, "the BMC went away " + rawBytes},
        Credit{UINT64_MAX},
        Cancel{},
        Announce{"uuid", true,
                 {{"Chassis", CollectionState::known, {"/redfish/v1/Chassis/1", "/redfish/v1/Chassis/2"}, "", true},
                  {"Systems", CollectionState::absent, {}, "", false},
                  {"UpdateService/FirmwareInventory", CollectionState::failing, {}, "HTTP 500 " + rawBytes, false}},
                 true, "reason " + rawBytes, {"UpdateService", "Chassis"}, "1.15.0", 8, UINT64_MAX, std::string(32, '\x81')},
        Routes{{{"acme/sled07", 1}, {"agg-b", 0}, {"agg-c", UINT32_MAX}}},
        Aggregators{3, UINT64_MAX, {{"agg-a", "tcp://10.0.0.1:5670", someKey}, {"agg-b", "tcp://[fd00::2]:5670", someKey}}},
        Enrol{"s3cr3t " + rawBytes},
        Enrolled{Code::refused, "no " + rawBytes, "acme", "sled07", {1, 2, {{"agg-a", "tcp://a:1", someKey}}}},
        KeyStatus{2, UINT64_MAX, someKey, std::string(40, '0'), true},
        KeyOffer{someKey},
        Offers{8, UINT64_MAX, {{"power-controller", 1, 2, {{"power.cycle", std::string(32, '\x80')}, {"power.state", ""}}},
                               {"power-controller", 2, 0, {{"power.cycle", ""}}}}},
        Event{7, UINT64_MAX, "sensor.fan", "too_slow", WallTime(std::chrono::microseconds(1'700'000'000'123'456)), 0, 3},
        EventsStored{7, UINT64_MAX},
        Subscribe{3, {"sensor.*", "power"}, {{"acme/sled07", 7, UINT64_MAX}, {"acme/sled08", 0, 0}}, true, UINT64_MAX},
        EventsTaken{3, UINT64_MAX},
        EventsWanted{"acme/sled07", 7, 1, UINT64_MAX, true},
        Configure{2, UINT64_MAX, 3, UINT64_MAX - 1},
        Configured{8, UINT64_MAX, 3, UINT64_MAX - 1, ConfiguredState::refused, "no such fan " + rawBytes},
    };
}

Result<Message> throughTheWire(const Message& message)
{
    return decodeHeader(kindOf(message.content), encodeHeader(message));
}

// A router judges by the envelope what the destination acts on as a message: the two must never differ.
void expectPeekAgrees(std::string_view header, const Message& decoded)
{
    const Result<Envelope> envelope = peekEnvelope(header);
    ASSERT_TRUE(envelope.ok()) << toHex(header) << ": " << envelope.error().message;
    EXPECT_EQ(envelope->source, decoded.source) << toHex(header);
    EXPECT_EQ(envelope->destination, decoded.destination) << toHex(header);
    EXPECT_TRUE(envelope->id == decoded.id.bytes() || (envelope->id.empty() && decoded.id.isNil())) << toHex(header);
}

template <class T>
T roundTrip(const Content& content)
{
    const Result<Message> decoded = throughTheWire(someMessage(content));
    EXPECT_TRUE(decoded.ok()) << kindName(kindOf(content)) << ": " << (decoded.ok() ? "" : decoded.error().message);
    return decoded.ok() && std::holds_alternative<T>(decoded->content) ? std::get<T>(decoded->content) : T{};
}

template <class T>
const T& sample(const std::vector<Content>& all)
{
    for (const Content& content : all) {
        if (const T* found = std::get_if<T>(&content)) {
            return *found;
        }
    }
    ADD_FAILURE() << "no sample of that kind";
    return std::get<T>(all.front());
}

TEST(Codec, EveryKindHasASampleANameAndComesBackAsThatKind)
{
    const std::vector<Content> all = everyContent();
    ASSERT_EQ(all.size(), lastKind);
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(static_cast<std::size_t>(kindOf(all[i])), i + 1);
        EXPECT_STRNE(kindName(kindOf(all[i])), "unknown");
        const Message message = someMessage(all[i]);
        const Result<Message> decoded = throughTheWire(message);
        ASSERT_TRUE(decoded.ok()) << kindName(kindOf(all[i])) << ": " << decoded.error().message;
        EXPECT_EQ(decoded->content.index(), all[i].index());
        EXPECT_EQ(decoded->id, message.id);
        EXPECT_EQ(decoded->source, "agg-a");
        EXPECT_EQ(decoded->destination, "acme/sled07");
        expectPeekAgrees(encodeHeader(message), *decoded);
        EXPECT_EQ(encodeHeader(*decoded), encodeHeader(message)) << kindName(kindOf(all[i]));
    }
    EXPECT_STREQ(kindName(static_cast<Kind>(lastKind + 1)), "unknown");
}

TEST(Codec, SessionRecordsKeepEveryField)
{
    const std::vector<Content> all = everyContent();
    const Hello hello = roundTrip<Hello>(sample<Hello>(all));
    EXPECT_EQ(std::tie(hello.major, hello.minor, hello.name, hello.incarnation), std::make_tuple(2u, 3u, "acme/sled07", UINT64_MAX));
    EXPECT_EQ(std::tie(hello.capabilities, hello.software, hello.clock), std::make_tuple(5u, "bmcmesh 0.1", INT64_MAX));
    const HelloAck ack = roundTrip<HelloAck>(sample<HelloAck>(all));
    EXPECT_EQ(std::tie(ack.major, ack.minor, ack.name, ack.incarnation), std::make_tuple(4u, 5u, "agg-a", UINT64_MAX - 1));
    EXPECT_EQ(std::tie(ack.capabilities, ack.software, ack.echoedClock), std::make_tuple(6u, "bmcmesh 0.2", 7));
    EXPECT_EQ(std::tie(ack.clock, ack.heartbeatMs, ack.refusal), std::make_tuple(INT64_MIN, 1000u, "no"));
    EXPECT_EQ(ack.you, "acme/sled07");
    const Heartbeat beat = roundTrip<Heartbeat>(sample<Heartbeat>(all));
    EXPECT_EQ(std::tie(beat.clock, beat.peerClock, beat.peerClockAt, beat.nextMs), std::make_tuple(1, 2, 3, 400u));
    const HeartbeatEcho echo = roundTrip<HeartbeatEcho>(sample<HeartbeatEcho>(all));
    EXPECT_EQ(std::tie(echo.echoedClock, echo.clock, echo.heartbeatMs), std::make_tuple(-1, INT64_MIN, UINT32_MAX));
    EXPECT_EQ(roundTrip<Bye>(sample<Bye>(all)).reason, "maintenance");
}

TEST(Codec, CommandsAndStreamsKeepEveryField)
{
    const std::vector<Content> all = everyContent();
    const Command command = roundTrip<Command>(sample<Command>(all));
    EXPECT_EQ(std::tie(command.name, command.user, command.prefix), std::make_tuple("redfish.request", "alice", "5B247A"));
    EXPECT_EQ(command.http.method, "PATCH");
    EXPECT_EQ(command.http.target, "/redfish/v1/x?y=" + rawBytes);
    EXPECT_EQ(command.http.headers, someHeaders);
    EXPECT_EQ(command.bodyLength, -1);
    EXPECT_EQ(command.hosts, (std::vector<std::string>{"facade.example", "10.0.0.1:8443"}));
    EXPECT_EQ(command.fence, (Fence{2, UINT64_MAX}));
    const Chunk chunk = roundTrip<Chunk>(sample<Chunk>(all));
    EXPECT_EQ(std::tie(chunk.offset, chunk.code), std::make_tuple(UINT64_MAX, Code::outcomeUnknown));
    EXPECT_EQ(chunk.message, "the BMC went away " + rawBytes);
    EXPECT_EQ(roundTrip<Credit>(sample<Credit>(all)).total, UINT64_MAX);
}

TEST(Codec, ACommandThatThePrimaryDidNotOrderCarriesNoFence)
{
    EXPECT_FALSE(roundTrip<Command>(Command{}).fence.isSet());
    wire::Header header;
    ASSERT_TRUE(header.ParseFromString(encodeHeader(someMessage(Command{}))));
    EXPECT_FALSE(header.command().has_fence());
    Command hosted;
    hosted.assignment = UINT64_MAX;
    EXPECT_EQ(roundTrip<Command>(hosted).assignment, UINT64_MAX);
}

TEST(Fence, AGenerationOutranksEveryTermOfTheOneBefore)
{
    EXPECT_LT((Fence{1, UINT64_MAX}), (Fence{2, 0}));
    EXPECT_LT((Fence{2, 3}), (Fence{2, 4}));
    EXPECT_LT(Fence{}, (Fence{0, 1}));
    EXPECT_TRUE((Fence{0, 1}.isSet()));
    EXPECT_TRUE((Fence{1, 0}.isSet()));
}

TEST(Codec, RepliesOfEveryStateAndCodeComeBack)
{
    for (const ReplyState state : {ReplyState::onGoing, ReplyState::success, ReplyState::fail}) {
        for (int code = 0; code <= static_cast<int>(Code::unsupported); ++code) {
            const Reply reply{state, static_cast<Code>(code), "why", {503, someHeaders}};
            const Reply decoded = roundTrip<Reply>(reply);
            EXPECT_EQ(std::tie(decoded.state, decoded.code, decoded.message), std::make_tuple(state, static_cast<Code>(code), "why"));
            EXPECT_EQ(decoded.http.status, 503);
            EXPECT_EQ(decoded.http.headers, someHeaders);
            EXPECT_FALSE(decoded.undisturbed);
        }
    }
    const std::vector<Content> all = everyContent();
    EXPECT_TRUE(roundTrip<Reply>(sample<Reply>(all)).undisturbed);
}

TEST(Codec, AnnouncementsAndRoutesKeepEveryField)
{
    const std::vector<Content> all = everyContent();
    EXPECT_EQ(roundTrip<Announce>(sample<Announce>(all)), sample<Announce>(all));
    Announce unreachable = sample<Announce>(all);
    unreachable.bmcReachable = false;
    unreachable.complete = false;
    EXPECT_EQ(roundTrip<Announce>(unreachable), unreachable);
    const Routes routes = roundTrip<Routes>(sample<Routes>(all));
    ASSERT_EQ(routes.routes.size(), 3u);
    EXPECT_EQ(std::tie(routes.routes[0].address, routes.routes[0].distance), std::make_tuple("acme/sled07", 1u));
    EXPECT_EQ(std::tie(routes.routes[1].address, routes.routes[1].distance), std::make_tuple("agg-b", 0u));
    EXPECT_EQ(std::tie(routes.routes[2].address, routes.routes[2].distance), std::make_tuple("agg-c", UINT32_MAX));
}

TEST(Codec, ListsOfAggregatorsAndEnrolmentsKeepEveryField)
{
    const std::vector<Content> all = everyContent();
    EXPECT_EQ(roundTrip<Aggregators>(sample<Aggregators>(all)), sample<Aggregators>(all));
    EXPECT_EQ(roundTrip<Enrol>(sample<Enrol>(all)).secret, "s3cr3t " + rawBytes);
    const Enrolled enrolled = roundTrip<Enrolled>(sample<Enrolled>(all));
    EXPECT_EQ(std::tie(enrolled.code, enrolled.refusal), std::make_tuple(Code::refused, "no " + rawBytes));
    EXPECT_EQ(std::tie(enrolled.tenant, enrolled.name), std::make_tuple("acme", "sled07"));
    EXPECT_EQ(enrolled.aggregators, sample<Enrolled>(all).aggregators);
}

TEST(Codec, MoreAggregatorsThanThereMayBeAndLongerSecretsAreRefused)
{
    Aggregators many{1, 1, std::vector<AggregatorAddress>(limits::maxAggregators)};
    EXPECT_TRUE(throughTheWire({{}, {}, {}, many}).ok());
    EXPECT_TRUE(throughTheWire({{}, {}, {}, Enrolled{Code::ok, "", "acme", "sled07", many}}).ok());
    many.list.emplace_back();
    EXPECT_FALSE(throughTheWire({{}, {}, {}, many}).ok());
    EXPECT_FALSE(throughTheWire({{}, {}, {}, Enrolled{Code::ok, "", "acme", "sled07", many}}).ok());
    EXPECT_TRUE(throughTheWire({{}, {}, {}, Enrol{std::string(limits::maxEnrolSecretBytes, 'x')}}).ok());
    EXPECT_FALSE(throughTheWire({{}, {}, {}, Enrol{std::string(limits::maxEnrolSecretBytes + 1, 'x')}}).ok());
    wire::Header header;
    header.mutable_enrolled()->set_code(UINT32_MAX);
    EXPECT_FALSE(decodeHeader(Kind::enrolled, header.SerializeAsString()).ok());
}

TEST(Codec, KeysKeepEveryFieldAndWhatIsNoKeyIsRefused)
{
    const std::vector<Content> all = everyContent();
    EXPECT_EQ(roundTrip<KeyStatus>(sample<KeyStatus>(all)), sample<KeyStatus>(all));
    EXPECT_EQ(roundTrip<KeyOffer>(sample<KeyOffer>(all)).key, someKey);
    EXPECT_TRUE(throughTheWire({{}, {}, {}, KeyStatus{0, 0, someKey, "", false}}).ok());
    EXPECT_FALSE(throughTheWire({{}, {}, {}, KeyStatus{1, 1, "", "", false}}).ok());
    EXPECT_FALSE(throughTheWire({{}, {}, {}, KeyStatus{1, 1, someKey, "short", true}}).ok());
    EXPECT_FALSE(throughTheWire({{}, {}, {}, KeyOffer{"short"}}).ok());
}

TEST(Aggregators, AreCheckedEntryByEntry)
{
    const AggregatorAddress good{"agg-a", "tcp://10.0.0.1:5670", someKey};
    const AggregatorAddress other{"agg-b", "tcp://10.0.0.1:5670", std::string(40, '0')};
    EXPECT_TRUE(checkAggregators({good, other}));
    const std::vector<std::vector<AggregatorAddress>> malformed{
        {},
        std::vector<AggregatorAddress>(limits::maxAggregators + 1, good),
        {good, good},
        {good, {"agg-b", good.endpoint, good.key}},
        {good, {good.name, good.endpoint, other.key}},
        {good, {"acme/sled07", other.endpoint, other.key}},
        {good, {"agg-b", "tcp://10.0.0.1", other.key}},
        {good, {"agg-b", other.endpoint, "short"}},
    };
    for (const std::vector<AggregatorAddress>& list : malformed) {
        const Result<void> checked = checkAggregators(list);
        ASSERT_FALSE(checked.ok()) << list.size();
        EXPECT_EQ(checked.error().code, Code::invalidArgument);
    }
}

TEST(Aggregators, EndpointsAreTcpHostAndPort)
{
    for (const char* good : {"tcp://10.0.0.1:5670", "tcp://[fd00::1]:5670", "tcp://[fe80::1%eth0]:1", "tcp://mesh.example:65535"}) {
        EXPECT_TRUE(isTcpEndpoint(good)) << good;
    }
    for (const char* bad : {"", "tcp://", "tcp://:5670", "tcp://a", "tcp://a:", "tcp://a:0", "tcp://a:65536", "tcp://a:1x", "tcp://*:1",
                            "tcp://a b:1", "ipc:///run/x:1", "a:1", "tcp://[]:1", "tcp://[::1:1", "tcp://eth0;10.0.0.1:5670",
                            "tcp://a/b:1", "tcp://a:-1", "tcp://fd00::1:5670"}) {
        EXPECT_FALSE(isTcpEndpoint(bad)) << bad;
    }
    EXPECT_FALSE(isTcpEndpoint("tcp://" + std::string(limits::maxEndpointBytes, 'a') + ":1"));
}

TEST(Codec, AContentOfDefaultsOnlyIsNotMistakenForAMissingOne)
{
    const Content defaults[] = {Hello{}, HelloAck{}, Heartbeat{}, HeartbeatEcho{}, Bye{}, Command{},
                                Chunk{}, Credit{},   Cancel{},    Announce{},      Routes{}, Aggregators{},
                                Enrol{}, Enrolled{}};
    for (const Content& content : defaults) {
        const Result<Message> decoded = throughTheWire({{}, {}, {}, content});
        ASSERT_TRUE(decoded.ok()) << kindName(kindOf(content));
        EXPECT_EQ(decoded->content.index(), content.index());
        EXPECT_TRUE(decoded->id.isNil());
    }
}

TEST(Codec, AnyOtherContentThanTheKindsIsRefused)
{
    for (const Content& content : everyContent()) {
        const std::string header = encodeHeader(someMessage(content));
        for (int kind = 1; kind <= lastKind; ++kind) {
            const bool same = kind == static_cast<int>(kindOf(content));
            const Result<Message> decoded = decodeHeader(static_cast<Kind>(kind), header);
            EXPECT_EQ(decoded.ok(), same) << kindName(static_cast<Kind>(kind)) << " with " << kindName(kindOf(content));
            if (!same && !decoded.ok()) {
                EXPECT_EQ(decoded.error().code, Code::corrupt);
            }
        }
    }
}

TEST(Codec, AMissingContentIsRefusedUnlessTheKindHasNone)
{
    for (int kind = 1; kind <= lastKind; ++kind) {
        EXPECT_EQ(decodeHeader(static_cast<Kind>(kind), "").ok(), static_cast<Kind>(kind) == Kind::cancel) << kind;
    }
}

TEST(Codec, AnAcknowledgementOfAConfigurationKeepsEveryFieldAndItsBounds)
{
    const std::vector<Content> all = everyContent();
    EXPECT_EQ(roundTrip<Configure>(sample<Configure>(all)), sample<Configure>(all));
    const Configured told = sample<Configured>(all);
    EXPECT_EQ(roundTrip<Configured>(told), told);
    Configured wrong = told;
    wrong.reason = std::string(limits::maxConfigReasonBytes + 1, 'x');
    EXPECT_FALSE(throughTheWire(someMessage(wrong)).ok());
    wrong = told;
    wrong.state = static_cast<ConfiguredState>(4);
    EXPECT_FALSE(throughTheWire(someMessage(wrong)).ok());
}

TEST(Codec, AnIdOfAnotherLengthIsRefused)
{
    for (std::size_t length = 1; length <= 32; ++length) {
        wire::Header header;
        header.set_id(std::string(length, 'x'));
        EXPECT_EQ(decodeHeader(Kind::cancel, header.SerializeAsString()).ok(), length == MessageId::size) << length;
    }
}

TEST(Codec, UnknownFieldsOfANewerNodeAreIgnored)
{
    // Field 100 with varint 1, at the top level.
    const std::string newer = "\xa0\x06\x01";
    for (const std::string& header : {encodeHeader(someMessage(Credit{5})) + newer, newer + encodeHeader(someMessage(Credit{5}))}) {
        const Result<Message> decoded = decodeHeader(Kind::credit, header);
        ASSERT_TRUE(decoded.ok());
        EXPECT_EQ(std::get<Credit>(decoded->content).total, 5u);
        expectPeekAgrees(header, *decoded);
    }
}

Result<Message> decodedReply(std::uint32_t state, std::uint32_t code, std::uint32_t status)
{
    wire::Header header;
    header.mutable_reply()->set_state(state);
    header.mutable_reply()->set_code(code);
    header.mutable_reply()->set_status(status);
    return decodeHeader(Kind::reply, header.SerializeAsString());
}

TEST(Codec, AReplyOfAnOlderNodeIsNotTakenToBeUndisturbed)
{
    const Result<Message> decoded = decodedReply(2, 0, 200);
    ASSERT_TRUE(decoded.ok());
    EXPECT_FALSE(std::get<Reply>(decoded->content).undisturbed);
}

TEST(Codec, UnknownErrorCodesAreRefused)
{
    const auto last = static_cast<std::uint32_t>(Code::unsupported);
    EXPECT_TRUE(decodedReply(3, last, 0).ok());
    for (const std::uint32_t code : {last + 1, 256u, 0x80000000u, UINT32_MAX}) {
        EXPECT_FALSE(decodedReply(3, code, 0).ok()) << code;
        wire::Header header;
        header.mutable_chunk()->set_code(code);
        EXPECT_FALSE(decodeHeader(Kind::chunk, header.SerializeAsString()).ok()) << code;
    }
}

TEST(Codec, UnknownStatesAreRefused)
{
    for (const std::uint32_t state : {0u, 4u, 257u, 258u, UINT32_MAX}) {
        EXPECT_FALSE(decodedReply(state, 0, 200).ok()) << state;
        wire::Header header;
        header.mutable_announce()->add_collections()->set_state(state);
        EXPECT_FALSE(decodeHeader(Kind::announce, header.SerializeAsString()).ok()) << state;
    }
}

TEST(Codec, ASuccessNeedsAnHttpStatusAndOthersMayLackOne)
{
    for (const std::uint32_t status : {0u, 99u, 600u, 65736u, 0x80000000u, UINT32_MAX}) {
        EXPECT_FALSE(decodedReply(2, 0, status).ok()) << status;
        EXPECT_EQ(decodedReply(1, 0, status).ok(), status == 0) << status;
        EXPECT_EQ(decodedReply(3, 1, status).ok(), status == 0) << status;
    }
    for (const std::uint32_t state : {1u, 2u, 3u}) {
        EXPECT_TRUE(decodedReply(state, 0, 100).ok());
        EXPECT_TRUE(decodedReply(state, 0, 599).ok());
    }
}

TEST(Codec, ABodyLengthBelowUnknownIsRefused)
{
    for (const std::int64_t length : {std::int64_t{-1}, std::int64_t{0}, INT64_MAX}) {
        Command command;
        command.bodyLength = length;
        EXPECT_EQ(roundTrip<Command>(command).bodyLength, length);
    }
    for (const std::int64_t length : {std::int64_t{-2}, INT64_MIN}) {
        Command command;
        command.bodyLength = length;
        EXPECT_FALSE(throughTheWire({{}, {}, {}, command}).ok()) << length;
    }
}

TEST(Codec, AHeaderOverTheLimitIsRefused)
{
    Message message = someMessage(Bye{});
    message.id = {};
    const std::size_t rest = encodeHeader({{}, message.source, message.destination, Bye{std::string(40000, 'x')}}).size() - 40000;
    message.content = Bye{std::string(limits::maxHeaderBytes - rest, 'x')};
    ASSERT_EQ(encodeHeader(message).size(), limits::maxHeaderBytes);
    EXPECT_TRUE(throughTheWire(message).ok());
    message.destination += "x";
    EXPECT_FALSE(throughTheWire(message).ok());
}

TEST(Codec, TheEnvelopeOfARepeatedFieldIsTheOneThatTheDestinationSees)
{
    wire::Header first;
    first.set_source("acme/sled07");
    first.set_destination("agg-a");
    wire::Header second;
    second.set_source("globex/sled01");
    const std::string header = encodeHeader(someMessage(Cancel{})) + first.SerializeAsString() + second.SerializeAsString();
    const Result<Message> decoded = decodeHeader(Kind::cancel, header);
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded->source, "globex/sled01");
    expectPeekAgrees(header, *decoded);
}

TEST(Codec, TheEnvelopeOfADamagedHeaderIsRefused)
{
    const std::string header = encodeHeader({{}, "agg-a", "agg-b", Cancel{}});
    EXPECT_FALSE(peekEnvelope(std::string_view(header).substr(0, header.size() - 1)).ok());
    EXPECT_FALSE(peekEnvelope(header + '\0').ok());
    EXPECT_FALSE(peekEnvelope(header + "\x12").ok());
    EXPECT_FALSE(peekEnvelope(header + "\x12\xff\xff\xff\xff\x0f").ok());
    EXPECT_TRUE(peekEnvelope("").ok());
}

TEST(Codec, EveryTruncationIsRefusedOrDecodesWithoutHarm)
{
    for (const Content& content : everyContent()) {
        const std::string header = encodeHeader(someMessage(content));
        for (std::size_t length = 0; length < header.size(); ++length) {
            static_cast<void>(decodeHeader(kindOf(content), std::string_view(header).substr(0, length)));
        }
    }
}

TEST(Codec, RandomBytesAndRandomDamageNeverCrashAndWhatIsAcceptedIsStable)
{
    SeededRng rng(11);
    const std::vector<Content> all = everyContent();
    for (int round = 0; round < 20000; ++round) {
        const Content& content = all[rng.below(all.size())];
        std::string header = rng.below(3) == 0 ? rng.bytes(rng.below(120)) : encodeHeader(someMessage(content));
        for (std::uint64_t damage = rng.below(4); damage > 0 && !header.empty(); --damage) {
            header[rng.below(header.size())] = static_cast<char>(rng.next());
        }
        const Kind kind = rng.below(4) == 0 ? static_cast<Kind>(1 + rng.below(lastKind)) : kindOf(content);
        const Result<Message> decoded = decodeHeader(kind, header);
        if (!decoded) {
            EXPECT_EQ(decoded.error().code, Code::corrupt);
            continue;
        }
        ASSERT_EQ(kindOf(decoded->content), kind);
        expectPeekAgrees(header, *decoded);
        const std::string once = encodeHeader(*decoded);
        const Result<Message> again = decodeHeader(kind, once);
        ASSERT_TRUE(again.ok());
        EXPECT_EQ(encodeHeader(*again), once);
    }
}

TEST(Address, TellsConnectorsFromAggregators)
{
    EXPECT_EQ(connectorAddress("acme", "sled07"), "acme/sled07");
    EXPECT_TRUE(isConnector("acme/sled07"));
    EXPECT_FALSE(isConnector("agg-a"));
    EXPECT_EQ(tenantOf("acme/sled07"), "acme");
    EXPECT_EQ(tenantOf("agg-a"), "");
    EXPECT_EQ(nameOf("acme/sled07"), "sled07");
    EXPECT_EQ(nameOf("agg-a"), "agg-a");
    EXPECT_EQ(tenantOf(""), "");
}

}  // namespace
}  // namespace mesh::shoset
