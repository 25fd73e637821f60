#include "aggregator/core/tests/facade_fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::aggregator {
namespace {

// s1 has no agent: a node runs its connector, and another node may come to.
struct HostChange : FacadeRig {
    void assign(std::uint64_t assignment)
    {
        tenants::Registry registry;
        ASSERT_TRUE(registry.addTenant("acme"));
        tenants::Connector connector{"acme", "s1", {}, "A1", "", ""};
        connector.agentless = true;
        connector.assignment = assignment;
        ASSERT_TRUE(registry.put(connector));
        satellites.setRegistry(registry);
    }
    void SetUp() override
    {
        FacadeRig::SetUp();
        assign(7);
        announce(1, {{"Systems", {"one"}}});
    }
    // The connector's link ends; the one of the next is there a moment later.
    void takeOver(std::uint64_t assignment)
    {
        mesh.removeLink(1, now);
        broker.onLinkLost(1, now);
        broker.onRoutesChanged({"acme/s1"}, now);
        assign(assignment);
        link(1);
        broker.onRoutesChanged({"acme/s1"}, now);
    }

    const std::string system = "/redfish/v1/Systems/A1_one";
    const std::string reset = system + "/Actions/ComputerSystem.Reset";
};

TEST_F(HostChange, CommandsNameTheAssignmentThatTheNodeKnows)
{
    get(system);
    EXPECT_EQ(take(1).command.assignment, 7U);
    assign(9);
    get(system + "/Bios");
    EXPECT_EQ(take(1).command.assignment, 9U);
}

TEST_F(HostChange, AnActionThatTheFormerOneMayHaveExecutedIsNotSentToTheNext)
{
    const ExchangeId id = ask("POST", reset);
    take(1);
    takeOver(9);
    EXPECT_TRUE(commands(1).empty());
    EXPECT_EQ(given[id].status, 504);
    EXPECT_EQ(findHeader(given[id].headers, "Retry-After"), nullptr);
    EXPECT_EQ(broker.counters().overtaken, 1U);
}

TEST_F(HostChange, ARestartUnderTheSameAssignmentIsTheSameConnector)
{
    const ExchangeId id = ask("POST", reset);
    const Sent first = take(1);
    takeOver(7);
    const Sent again = take(1);
    EXPECT_EQ(again.id, first.id);
    reply(1, again, 204, "");
    EXPECT_EQ(given[id].status, 204);
}

TEST_F(HostChange, AReadIsAskedOfTheNext)
{
    const ExchangeId id = get(system);
    take(1);
    takeOver(9);
    const Sent again = take(1);
    EXPECT_EQ(again.command.assignment, 9U);
    reply(1, again, 200, "{}");
    EXPECT_EQ(given[id].status, 200);
}

TEST_F(HostChange, WhatTheNextRefusesBecauseTheNodeKnewOfNoChangeIsUnknown)
{
    const ExchangeId id = ask("POST", reset);
    take(1);
    takeOver(7);  // as far as this node knows
    fail(1, take(1), Code::notSent, "another assignment");
    EXPECT_EQ(given.count(id), 0U);
    pass(limits::linkRecovery);
    EXPECT_EQ(given[id].status, 504);
}

TEST_F(HostChange, WhatWasSilentIsNotSentAgainToTheNext)
{
    const ExchangeId id = ask("POST", reset);
    take(1);
    assign(9);
    pass(limits::defaultRequestDeadline / 3);
    EXPECT_TRUE(commands(1).empty());
    EXPECT_EQ(given[id].status, 504);
}

}  // namespace
}  // namespace mesh::aggregator
