#include "cluster/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iostream>

namespace mesh::cluster {
namespace {

class Snapshots : public Machine {
protected:
    void fill(std::size_t accounts, std::size_t sessions, std::size_t connectors)
    {
        for (std::size_t i = 0; i < 20; ++i) {
            ASSERT_TRUE(apply(PutTenant{"tenant-" + std::to_string(i)}).ok());
        }
        for (std::size_t i = 0; i < accounts; ++i) {
            ASSERT_TRUE(
                apply(account("first.last" + std::to_string(i) + "@example.org", i == 0 ? "Administrator" : "Operator",
                              i == 0 ? "" : "tenant-" + std::to_string(i % 20)))
                    .ok());
        }
        for (std::size_t i = 0; i < sessions; ++i) {
            login(std::to_string(1 + i % accounts));
        }
        for (std::size_t i = 0; i < connectors; ++i) {
            const std::string tenant = "tenant-" + std::to_string(i % 20);
            const std::string name = "rack" + std::to_string(i / 40) + "-sled" + std::to_string(i);
            ASSERT_TRUE(apply(PutConnector{{tenant, name, keyNumber(i + 1), "", "PowerEdge R750", "server"}}).ok());
            const Applied assigned = apply(AssignPrefix{tenant, name, "", uuid(i), keyNumber(i + 1)});
            ASSERT_TRUE(assigned.ok()) << assigned.error.message;
        }
    }
    void fillTasks()
    {
        for (std::size_t i = 0; i < limits::maxTasks; ++i) {
            Task task;
            task.id = "t" + std::to_string(100000 + i);
            task.owner = std::to_string(1 + i % limits::maxAccounts);
            task.tenant = "tenant-" + std::to_string(i % 20);
            task.state = i % 2 == 0 ? TaskState::running : TaskState::completed;
            task.startTime = at(0);
            task.target = "/redfish/v1/Systems/" + std::to_string(i) + "/Actions/Reset";
            task.messages = {"38 of 40 done"};
            ASSERT_TRUE(apply(PutTask{task}).ok());
        }
    }
    static std::string uuid(std::size_t number)
    {
        std::string digits = std::to_string(100000000000 + number);
        return "4c4c4544-0043-4a10-8039-" + digits;
    }
};

TEST_F(Snapshots, RestoreTheSameStateWithItsLookUpsAndMemory)
{
    fill(10, 30, 50);
    const std::string token = login("2");
    const Command remembered = command(account("later"));
    const Applied first = apply(remembered);

    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    EXPECT_EQ(copy.hash(), machine.hash());
    EXPECT_EQ(copy.state().revision, state().revision);
    EXPECT_NE(findSessionByToken(copy.state(), token), nullptr);
    EXPECT_NE(findAccountByName(copy.state(), "later"), nullptr);
    EXPECT_EQ(copy.state().registry.findByKey(keyNumber(3))->key, keyNumber(3));
    EXPECT_EQ(copy.apply(*encodeCommand(remembered), changes)->value, first.value);
    apply(remembered);
    EXPECT_EQ(copy.hash(), machine.hash());
    for (int i = 0; i < 20; ++i) {
        const Command next =
            command(AssignPrefix{"tenant-1", "new" + std::to_string(i), "", uuid(9000), keyNumber(77)});
        apply(next);
        ASSERT_TRUE(copy.apply(*encodeCommand(next), changes).ok());
    }
    EXPECT_EQ(copy.hash(), machine.hash());
}

TEST_F(Snapshots, BudgetsGoOnWhereTheyWere)
{
    const std::string big(limits::maxPropertyBytes, 'x');
    for (int i = 0; i < 15; ++i) {
        ASSERT_TRUE(apply(PutProperty{"/p" + std::to_string(i), anyRevision, big}).ok());
    }
    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    const Command oneMore = command(PutProperty{"/more", anyRevision, big});
    EXPECT_EQ(apply(oneMore).error.code, Code::full);
    EXPECT_EQ(copy.apply(*encodeCommand(oneMore), changes)->error.code, Code::full);
}

TEST_F(Snapshots, ThatAreDamagedOrNewerAreRefusedAndChangeNothing)
{
    fill(3, 3, 3);
    const std::string good = machine.snapshot();
    const std::string hash = machine.hash();
    for (std::size_t length = 0; length < good.size(); ++length) {
        ASSERT_EQ(machine.restore(good.substr(0, length)).error().code, Code::corrupt) << length;
    }
    EXPECT_EQ(machine.restore(good + "x").error().code, Code::corrupt);
    std::string newer = good;
    newer[0] = newestFeatureLevel + 1;
    EXPECT_EQ(machine.restore(newer).error().code, Code::unsupported);
    for (int round = 0; round < 5000; ++round) {
        std::string damaged = good;
        damaged[rng.below(damaged.size())] = static_cast<char>(rng.next());
        StateMachine other;
        if (other.restore(damaged).ok()) {
            ASSERT_TRUE(other.snapshot() == damaged) << "round " << round;
        }
    }
    EXPECT_EQ(machine.hash(), hash);
}

TEST_F(Snapshots, OfTheNewestFormatThatAreDamagedAreRefusedToo)
{
    raise();
    fill(2, 2, 2);
    apply(PutNode{node("a", 500, 3), anyRevision});
    apply(AddEnrolment{"e1", hashToken("s"), EnrolmentRole::connector, "tenant-0", "x", "", "", "", at(100)});
    apply(PutTask{{"t1", "1", "", TaskState::running, 4, {"m"}, at(0), {}, "/x", "/y", 3, 0}});
    EXPECT_TRUE(apply(PutSource{{"5", "https://10.0.0.5", "tenant-0", "bmc5", "root", "", false, {{3, "box"}}}, anyRevision}).ok());
    EXPECT_TRUE(apply(AssignHost{"tenant-0", "bmc5", 3, 1, 1}).ok());
    apply(PutDocument{{DocumentKind::subscription, "tenant-0", "d"}, anyRevision, "{}"});
    apply(PutVersion{{DocumentKind::pivot, "tenant-0", "p"}, 0, "{1}", "boss"});
    EXPECT_TRUE(apply(PutVersion{{DocumentKind::pivot, "tenant-0", "p"}, 1, "{2}", "boss"}).ok());
    EXPECT_TRUE(apply(SetCursor{"tenant-0", "d", "1"}).ok());
    const std::string good = machine.snapshot();
    StateMachine copy;
    ASSERT_TRUE(copy.restore(good).ok());
    EXPECT_EQ(copy.hash(), machine.hash());
    for (std::size_t length = 0; length < good.size(); ++length) {
        ASSERT_EQ(machine.restore(good.substr(0, length)).error().code, Code::corrupt) << length;
    }
    for (int round = 0; round < 5000; ++round) {
        std::string damaged = good;
        damaged[rng.below(damaged.size())] = static_cast<char>(rng.next());
        StateMachine other;
        if (other.restore(damaged).ok()) {
            ASSERT_TRUE(other.snapshot() == damaged) << "round " << round;
        }
    }
}

// Of this process: what else the machine does is not counted.
double cpuMillis()
{
    return 1000.0 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

TEST_F(Snapshots, OfALargeClusterStayBelowTheirBound)
{
    raise();
    fill(limits::maxAccounts, limits::maxSessions, 5000);
    fillTasks();
    const double begin = cpuMillis();
    const std::string bytes = machine.snapshot();
    const double middle = cpuMillis();
    StateMachine copy;
    ASSERT_TRUE(copy.restore(bytes).ok());
    const double end = cpuMillis();
    EXPECT_LT(bytes.size(), limits::maxStateBytes);
    const char* slow = std::getenv("MESH_SLOW");  // how much slower an instrumented build is
    EXPECT_LT(middle - begin, 50 * (slow == nullptr ? 1.0 : std::atof(slow)));
    EXPECT_EQ(copy.hash(), machine.hash());
    std::cout << "200 accounts, 1000 sessions, 5000 connectors, 2000 tasks: " << bytes.size() << " bytes, encoded in "
              << middle - begin << " ms, restored in " << end - middle << " ms\n";
}

}  // namespace
}  // namespace mesh::cluster
