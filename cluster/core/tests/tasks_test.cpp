#include "cluster/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

class Tasks : public Machine {
protected:
    Tasks() { raise(); }

    static Task task(const std::string& id, TaskState state = TaskState::running, std::uint64_t node = 1)
    {
        Task made;
        made.id = id;
        made.owner = "1";
        made.state = state;
        made.startTime = at(0);
        made.target = "/redfish/v1/Systems/Actions/Reset";
        made.node = node;
        return made;
    }
    Applied put(const Task& what, std::int64_t seconds = 0) { return apply(PutTask{what}, seconds); }
    static UpdateTask update(const std::string& id, TaskState state, const std::string& message = "")
    {
        UpdateTask changed;
        changed.id = id;
        changed.state = state;
        changed.message = message;
        return changed;
    }
};

TEST_F(Tasks, AreKeptWithTheirProgressUntilTheyEnd)
{
    EXPECT_TRUE(put(task("t1", TaskState::created)).ok());
    EXPECT_EQ(changes, (std::vector<Change>{{2, ChangeKind::task, "t1"}}));
    UpdateTask progress = update("t1", TaskState::running, "half");
    progress.percent = 50;
    EXPECT_TRUE(apply(progress).ok());
    EXPECT_EQ(findTask(state(), "t1")->percent, 50U);
    EXPECT_EQ(findTask(state(), "t1")->endTime, WallTime{});
    EXPECT_TRUE(apply(update("t1", TaskState::completed, "done"), 7).ok());
    EXPECT_EQ(findTask(state(), "t1")->endTime, at(7));
    EXPECT_EQ(findTask(state(), "t1")->messages, (std::vector<std::string>{"half", "done"}));
    EXPECT_EQ(apply(update("t1", TaskState::running)).error.code, Code::preconditionFailed);
    EXPECT_EQ(apply(update("none", TaskState::running)).error.code, Code::notFound);
    EXPECT_TRUE(apply(RemoveTask{"t1"}).ok());
    EXPECT_EQ(findTask(state(), "t1"), nullptr);
    EXPECT_EQ(apply(RemoveTask{"t1"}).error.code, Code::notFound);
    EXPECT_EQ(put(task("")).error.code, Code::invalidArgument);
}

TEST_F(Tasks, TheSameAgainIsNoChange)
{
    put(task("t1"));
    put(task("t1"));
    EXPECT_TRUE(changes.empty());
    apply(update("t1", TaskState::running));
    EXPECT_TRUE(changes.empty());
}

TEST_F(Tasks, KeepTheirLastMessages)
{
    put(task("t1"));
    for (std::size_t i = 0; i < limits::maxTaskMessages + 2; ++i) {
        apply(update("t1", TaskState::running, std::to_string(i)));
    }
    EXPECT_EQ(findTask(state(), "t1")->messages.size(), limits::maxTaskMessages);
    EXPECT_EQ(findTask(state(), "t1")->messages.front(), "2");
    const std::string longer(limits::maxTaskMessageBytes + 1, 'x');
    EXPECT_EQ(encodeCommand(command(update("t1", TaskState::running, longer))).error().code, Code::tooLarge);
}

TEST_F(Tasks, OfALostNodeEndAndThoseOfSatellitesGoOn)
{
    put(task("mine"));
    put(task("others", TaskState::running, 2));
    put(task("satellites", TaskState::running, 0));
    put(task("over", TaskState::cancelled));
    EXPECT_EQ(apply(FailRunningTasks{1, "node a was lost: how far it came is not known"}, 9).value, "1");
    EXPECT_EQ(changes.size(), 1U);
    EXPECT_EQ(findTask(state(), "mine")->state, TaskState::exception);
    EXPECT_EQ(findTask(state(), "mine")->endTime, at(9));
    EXPECT_EQ(findTask(state(), "mine")->messages.size(), 1U);
    EXPECT_EQ(findTask(state(), "others")->state, TaskState::running);
    EXPECT_EQ(findTask(state(), "satellites")->state, TaskState::running);
    EXPECT_EQ(findTask(state(), "over")->state, TaskState::cancelled);
    EXPECT_EQ(apply(FailRunningTasks{0, "x"}).value, "0");
    EXPECT_EQ(apply(FailRunningTasks{1, "x"}).value, "0");
}

TEST_F(Tasks, FinishedOnesMakeRoomTheOldestFirstAndRunningOnesNever)
{
    put(task("young", TaskState::completed), 20);
    put(task("old", TaskState::completed), 10);
    for (std::size_t i = 2; i < limits::maxTasks; ++i) {
        ASSERT_TRUE(put(task("t" + std::to_string(i))).ok());
    }
    EXPECT_TRUE(put(task("more1")).ok());
    EXPECT_EQ(findTask(state(), "old"), nullptr);
    EXPECT_NE(findTask(state(), "young"), nullptr);
    EXPECT_TRUE(put(task("more2")).ok());
    EXPECT_EQ(findTask(state(), "young"), nullptr);
    EXPECT_EQ(put(task("more3")).error.code, Code::full);
    EXPECT_EQ(state().tasks.size(), limits::maxTasks);
    apply(update("t5", TaskState::killed));
    EXPECT_TRUE(put(task("more3")).ok());
    EXPECT_EQ(findTask(state(), "t5"), nullptr);
}

TEST_F(Tasks, AFullTableHasRoomForTheirEndThoughNotForItsReason)
{
    Task large = task("t");
    large.target = std::string(limits::maxUriBytes, 'x');
    std::size_t count = 0;
    for (; put(large).ok(); ++count) {
        large.id = "t" + std::to_string(count);
    }
    for (; put(task("s" + std::to_string(count))).ok(); ++count) {
    }
    EXPECT_LT(count, limits::maxTasks);
    const Applied failed = apply(FailRunningTasks{1, std::string(limits::maxTaskMessageBytes, 'r')}, 99);
    EXPECT_EQ(failed.value, std::to_string(state().tasks.size()));
    for (const auto& [id, task] : state().tasks) {
        ASSERT_TRUE(isFinished(task.state)) << id;
    }
    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    EXPECT_EQ(copy.hash(), machine.hash());
}

TEST_F(Tasks, GoWithTheirTenant)
{
    apply(PutTenant{"acme"});
    Task acmes = task("t1");
    acmes.tenant = "acme";
    put(acmes);
    put(task("t2"));
    apply(RemoveTenant{"acme"});
    EXPECT_EQ(findTask(state(), "t1"), nullptr);
    EXPECT_NE(findTask(state(), "t2"), nullptr);
}

}  // namespace
}  // namespace mesh::cluster
