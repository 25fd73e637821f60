#include "aggregator/core/tests/facade_fixture.hpp"

#include "shoset/base/limits.hpp"

#include <utility>
#include <vector>

namespace mesh::aggregator {
namespace {

// acme/s1 is linked itself, and through agg-b at link 9.
struct BrokerWays : FacadeRig {
    static constexpr shoset::LinkId peer = 9;

    void SetUp() override
    {
        FacadeRig::SetUp();
        reconnectPeer();
    }
    void reconnectPeer()
    {
        mesh.addAccepted(peer, "agg-b");
        shoset::Hello hello;
        hello.name = "agg-b";
        hello.incarnation = 5;
        hello.clock = toMicros(now.mono);
        const std::int64_t clock = toMicros(now.mono);
        peerSays({}, hello);
        peerSays({}, shoset::Heartbeat{clock, clock, clock});
        peerSays({}, shoset::Routes{{{name(1), 1}}});
        sentTo(peer).clear();
    }
    void peerSays(const MessageId& id, shoset::Content content)
    {
        say(peer, {id, "agg-b", "agg", std::move(content)}, {}, true);
    }
    void peerCannotPassOn(const MessageId& id)
    {
        shoset::Reply said;
        said.state = shoset::ReplyState::fail;
        said.code = Code::notSent;
        peerSays(id, said);
    }
    // What belongs to requests, of what was sent there since the last call.
    using Kinds = std::vector<shoset::Kind>;
    Kinds requestsTo(shoset::LinkId link)
    {
        mesh.flush();
        Kinds kinds;
        for (const std::string& frame : std::exchange(sentTo(link), {})) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record && record->has_value(); record = reader.next()) {
                const shoset::Kind kind = (*record)->prelude.kind;
                if (kind == shoset::Kind::command || kind == shoset::Kind::chunk || kind == shoset::Kind::cancel) {
                    kinds.push_back(kind);
                }
            }
        }
        return kinds;
    }
    // "aaaa", and more to come.
    void startUpload()
    {
        SatelliteRequest upload;
        upload.connector = name(1);
        upload.connectorPrefix = "A1";
        upload.http = {"POST", "/redfish/v1/A1_UpdateService/upload", {}};
        upload.body = "aaaa";
        upload.bodyFollows = true;
        upload.bodyLength = -1;
        upload.deadline = now.mono + 30s;
        broker.start(ticket, upload, now);
    }
    static constexpr Ticket ticket = 1000;
    const std::string system = "/redfish/v1/Systems/A1_1";
};

TEST_F(BrokerWays, ThatARepeatCouldNotBePassedOnEndsNothingWhileTheFirstWayIsOpen)
{
    const ExchangeId exchange = get(system);
    const Sent first = take(1);
    pass(limits::defaultRequestDeadline / 3);
    const Sent repeat = take(peer);
    ASSERT_EQ(repeat.id, first.id);
    peerCannotPassOn(repeat.id);
    pass(limits::linkRecovery + 1s);
    ASSERT_FALSE(given.contains(exchange)) << "its connector is linked and may still answer";
    reply(1, first, 200, "{}");
    EXPECT_EQ(given[exchange].status, 200);
}

TEST_F(BrokerWays, WhereTheConnectorItselfHasNotGotItTheOutcomeIsToldSoon)
{
    const ExchangeId exchange = ask("PATCH", system);
    const Sent first = take(1);
    pass(limits::defaultRequestDeadline / 3);
    take(peer);
    fail(1, first, Code::notSent, "another one's");
    pass(limits::linkRecovery);
    EXPECT_EQ(given[exchange].status, 504);
}

TEST_F(BrokerWays, ABodyStaysOnItsRequestsWayWhenANearerOneComesUp)
{
    mesh.onDisconnected(1, now);
    startUpload();
    EXPECT_EQ(requestsTo(peer), Kinds{shoset::Kind::command});

    link(1);
    ASSERT_TRUE(mesh.hasDirectLink(name(1)));
    broker.sendBody(ticket, "bbbb", false, now);
    EXPECT_EQ(requestsTo(peer), Kinds{shoset::Kind::chunk}) << "it would overtake the command";
    broker.cancel(ticket, now);
    EXPECT_EQ(requestsTo(peer), Kinds{shoset::Kind::cancel});
    EXPECT_EQ(requestsTo(1), Kinds{});
}

TEST_F(BrokerWays, ABodyThatWentInPiecesIsNotSentAgainCutShort)
{
    for (const bool inPieces : {true, false}) {
        mesh.onDisconnected(1, now);
        startUpload();
        broker.sendBody(ticket, inPieces ? "bbbb" : "", true, now);
        requestsTo(peer);
        link(1);
        mesh.onDisconnected(peer, now);
        broker.onLinkLost(peer, now);
        EXPECT_EQ(requestsTo(1), Kinds{inPieces ? shoset::Kind::cancel : shoset::Kind::command});
        EXPECT_EQ(broker.inFlight(), inPieces ? 0U : 1U);
        broker.cancel(ticket, now);
        reconnectPeer();
    }
}

TEST_F(BrokerWays, AnEmptyPieceOnlyAsksWhetherAnybodyWaits)
{
    const ExchangeId exchange = get(system);
    const Sent asked = take(1);
    reply(1, asked, 200, "one", false, "application/octet-stream");
    chunk(1, asked, 3, "", false);
    EXPECT_TRUE(requestsTo(1).empty());
    EXPECT_EQ(given[exchange].pieces, 0U);
    chunk(1, asked, 3, "two", true);
    EXPECT_EQ(given[exchange].body, "onetwo");
    chunk(1, asked, 6, "", false);
    EXPECT_EQ(requestsTo(1), Kinds{shoset::Kind::cancel});
}

// Enough connectors of acme for all that a tenant may have under way.
struct BrokerLoad : FacadeRig, CommandEvents {
    static constexpr std::size_t connectors = limits::maxPendingPerTenant / limits::maxPendingPerConnector;

    void SetUp() override
    {
        FacadeRig::SetUp();
        for (std::size_t i = 0; i < connectors; ++i) {
            const shoset::LinkId link = 100 + i;
            mesh.addAccepted(link, connector(i));
            shoset::Hello hello;
            hello.name = connector(i);
            hello.incarnation = 5;
            hello.clock = toMicros(now.mono);
            say(link, {{}, connector(i), "", hello}, {}, true);
            const std::int64_t clock = toMicros(now.mono);
            say(link, {{}, connector(i), "", shoset::Heartbeat{clock, clock, clock}}, {}, true);
        }
    }
    static shoset::Address connector(std::size_t number) { return "acme/c" + std::to_string(number); }
    void start(const shoset::Address& to)
    {
        shoset::Command command;
        command.name = "power.cycle";
        broker.startCommand(++tickets, {MessageId::make(now.wall, rng), to, command, "{}", now.mono + 30s}, *this, now);
    }
    void onCommandReply(Ticket, shoset::Reply, std::string, Now) override {}
    void onCommandFailed(Ticket, Error error, Now) override { ++failed[error.code]; }

    Ticket tickets = 0;
    std::map<Code, std::size_t> failed;
};

TEST_F(BrokerLoad, ATenantThatHasAllItMayHaveUnderWayLeavesRoomForOthers)
{
    for (std::size_t i = 0; i < limits::maxPendingPerTenant; ++i) {
        start(connector(i % connectors));
        if (i % 64 == 0) {
            mesh.flush();
        }
    }
    EXPECT_TRUE(failed.empty());
    start(name(1));
    EXPECT_EQ(failed[Code::full], 1U) << "s1 has nothing under way, and its tenant has all it may have";
    start(name(3));
    EXPECT_EQ(failed.size(), 1U) << "zeta's";
    EXPECT_EQ(broker.inFlight(), limits::maxPendingPerTenant + 1);
    pass(31s);
    EXPECT_EQ(failed[Code::outcomeUnknown], limits::maxPendingPerTenant + 1);
    start(name(1));
    EXPECT_EQ(broker.inFlight(), 1U);
}

}  // namespace
}  // namespace mesh::aggregator
