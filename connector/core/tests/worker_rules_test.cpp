#include "connector/core/worker_rules.hpp"

#include <gtest/gtest.h>

namespace mesh::connector {
namespace {

TEST(WorkerRules, APeerIsThreeNumbersAndNothingElse)
{
    EXPECT_EQ(parseLocalPeer("1000:100:4711"), (LocalPeer{1000, 100, 4711}));
    for (const char* text : {"", "1:2", "1:2:", "1:2:3:4", "a:2:3", "1:2:3 ", "-1:2:3", "1::3", "4294967296:1:1", " 1:2:3"}) {
        EXPECT_FALSE(parseLocalPeer(text)) << text;
    }
}

TEST(WorkerRules, NobodyMayAttachWithoutAGrant)
{
    EXPECT_FALSE(WorkerRules().mayAttach({0, 0, 1}));
    EXPECT_FALSE(WorkerRules().mayServe({0, 0, 1}, "power.cycle"));
}

TEST(WorkerRules, EachUserServesWhatItWasGrantedAndNoMore)
{
    const WorkerRules rules({{{1000}, {}, {"power.*"}}, {{7}, 50, {"fan.speed", "fan.state"}}});
    EXPECT_TRUE(rules.mayServe({1000, 9, 1}, "power.cycle"));
    EXPECT_FALSE(rules.mayServe({1000, 9, 1}, "fan.speed"));
    EXPECT_FALSE(rules.mayServe({1000, 9, 1}, "powerful")) << "a pattern ends at the dot";
    EXPECT_TRUE(rules.mayServe({7, 9, 1}, "fan.state")) << "a member of the group";
    EXPECT_TRUE(rules.mayServe({8, 50, 1}, "fan.speed")) << "of whose process it is the group";
    EXPECT_FALSE(rules.mayServe({8, 50, 1}, "fan.speeds"));
    EXPECT_TRUE(rules.mayAttach({8, 50, 1}));
    EXPECT_FALSE(rules.mayAttach({8, 51, 1}));
}

TEST(WorkerRules, WhatAUserMaySendIsNotWhatItMayServe)
{
    const WorkerRules rules({{{1000}, {}, {"power.*"}, {}, {}, {}, {"fan.*", "redfish.get"}}, {{7}, {}, {"power.*"}}});
    EXPECT_TRUE(rules.maySend({1000, 9, 1}, "fan.speed"));
    EXPECT_TRUE(rules.maySend({1000, 9, 1}, "redfish.get"));
    EXPECT_FALSE(rules.maySend({1000, 9, 1}, "power.cycle"));
    EXPECT_FALSE(rules.maySend({7, 9, 1}, "fan.speed"));
    EXPECT_TRUE(rules.mayDoMoreThanServe({1000, 9, 1}));
    EXPECT_FALSE(rules.mayDoMoreThanServe({7, 9, 1}));
}

TEST(WorkerRules, AUserWhomTheKernelCannotNameIsNobody)
{
    EXPECT_FALSE(WorkerRules({{{65534}, 65534, {"*"}}}).mayAttach({65534, 65534, 1}));
}

TEST(WorkerRules, TheMeshsOwnNamesAreReserved)
{
    for (const char* name : {"redfish.get", "mesh.status", "redfish", "mesh"}) {
        EXPECT_TRUE(isReservedCommand(name)) << name;
    }
    EXPECT_FALSE(isReservedCommand("meshes.count"));
    EXPECT_TRUE(matchesCommand("*", "anything"));
    EXPECT_FALSE(matchesCommand("power.cycle", "power.cycles"));
}

TEST(WorkerRules, EventsAreEmittedAndHeardByThoseWhomAGrantNames)
{
    const WorkerRules rules({{.uids = {1000}, .gid = {}, .commands = {}, .events = {"sensor.*", "door"}, .subscribe = {"sensor.fan*", "mesh.bmc"}},
                             {.uids = {1001}, .gid = {}, .commands = {}, .subscribe = {"*"}}});
    const LocalPeer peer{1000, 1000, 7};
    const LocalPeer all{1001, 1000, 8};
    EXPECT_TRUE(rules.mayAttach(peer));
    EXPECT_TRUE(rules.mayEmit(peer, "sensor.fan"));
    EXPECT_TRUE(rules.mayEmit(peer, "door"));
    EXPECT_FALSE(rules.mayEmit(peer, "sensor"));
    EXPECT_FALSE(rules.mayEmit(peer, "doors"));
    EXPECT_FALSE(rules.mayEmit(all, "door"));
    EXPECT_TRUE(rules.maySubscribe(peer, "sensor.fan.1"));
    EXPECT_TRUE(rules.maySubscribe(peer, "sensor.fan*"));
    EXPECT_TRUE(rules.maySubscribe(peer, "mesh.bmc"));
    EXPECT_FALSE(rules.maySubscribe(peer, "sensor.*"));
    EXPECT_FALSE(rules.maySubscribe(peer, "mesh.bmc*"));
    EXPECT_FALSE(rules.maySubscribe(peer, "*"));
    EXPECT_TRUE(rules.maySubscribe(all, "*"));
    EXPECT_FALSE(rules.maySubscribe({1002, 1000, 9}, "sensor.fan"));
    EXPECT_TRUE(isReservedTopic("mesh.bmc"));
    EXPECT_TRUE(isReservedTopic("redfish.event"));
    EXPECT_FALSE(isReservedTopic("meshes"));
}

}  // namespace
}  // namespace mesh::connector
