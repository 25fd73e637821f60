#include "cluster/core/apply_support.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <utility>

namespace mesh::cluster {

namespace {

void append(std::vector<std::string>& messages, const std::string& message)
{
    if (message.empty()) {
        return;
    }
    messages.push_back(message);
    if (messages.size() > limits::maxTaskMessages) {
        messages.erase(messages.begin());
    }
}

}  // namespace

StateMachine::Outcome StateMachine::run(const PutTask& op, Entry& entry)
{
    if (!isValidName(op.task.id)) {
        return Error{Code::invalidArgument, "a task needs an id"};
    }
    Task task = op.task;
    const Task* old = findTask(current, task.id);
    task.revision = old == nullptr ? 0 : old->revision;
    if (old != nullptr && *old == task) {
        return std::string();
    }
    if (auto stored = storeTask(std::move(task), Room::make, entry); !stored) {
        return stored.error();
    }
    return std::string();
}

StateMachine::Outcome StateMachine::run(const UpdateTask& op, Entry& entry)
{
    const Task* old = findTask(current, op.id);
    if (old == nullptr) {
        return Error{Code::notFound, "there is no task " + op.id};
    }
    if (isFinished(old->state)) {
        return Error{Code::preconditionFailed, "task " + op.id + " has ended"};
    }
    Task task = *old;
    task.state = op.state.value_or(task.state);
    task.percent = op.percent.value_or(task.percent);
    append(task.messages, op.message);
    if (task == *old) {
        return std::string();
    }
    if (auto stored = storeTask(std::move(task), Room::make, entry); !stored) {
        return stored.error();
    }
    return std::string();
}

StateMachine::Outcome StateMachine::run(const RemoveTask& op, Entry& entry)
{
    if (findTask(current, op.id) == nullptr) {
        return Error{Code::notFound, "there is no task " + op.id};
    }
    dropTask(op.id, entry);
    return std::string();
}

StateMachine::Outcome StateMachine::run(const FailRunningTasks& op, Entry& entry)
{
    std::vector<std::string> lost;
    for (const auto& [id, task] : current.tasks) {
        if (op.node != 0 && task.node == op.node && !isFinished(task.state)) {
            lost.push_back(id);
        }
    }
    for (const std::string& id : lost) {
        Task task = *findTask(current, id);
        task.state = TaskState::exception;
        const std::vector<std::string> before = task.messages;
        append(task.messages, op.reason);
        if (!storeTask(task, Room::asThereIs, entry)) {
            task.messages = before;  // there is room for an end always, though not for its reason
            if (auto stored = storeTask(std::move(task), Room::asThereIs, entry); !stored) {
                return stored.error();
            }
        }
    }
    return std::to_string(lost.size());
}

Result<void> StateMachine::storeTask(Task task, Room room, Entry& entry)
{
    task.revision = entry.revision;
    if (isFinished(task.state) && task.endTime == WallTime{}) {
        task.endTime = entry.stamp;
    }
    const std::string id = task.id;
    const Task* old = findTask(current, id);
    const std::size_t before = old == nullptr ? 0 : sizeOf(*old);
    const std::size_t after = sizeOf(task);
    const auto isCrowded = [&] { return old == nullptr && current.tasks.size() >= limits::maxTasks; };
    while (isCrowded() || !fits(Table::tasks, before, after).ok()) {
        if (room == Room::asThereIs || !dropOldestTask(id, entry)) {
            return isCrowded() ? Result<void>(tooMany(limits::maxTasks, "tasks running"))
                               : fits(Table::tasks, before, after);
        }
    }
    used.tasks += after - before;
    current.tasks[id] = std::move(task);
    entry.changed(ChangeKind::task, id);
    return {};
}

// Among the finished ones. False: there is none, but `keep`.
bool StateMachine::dropOldestTask(const std::string& keep, Entry& entry)
{
    const Task* oldest = nullptr;
    for (const auto& [id, task] : current.tasks) {
        const bool older = oldest == nullptr || task.endTime < oldest->endTime;
        oldest = isFinished(task.state) && id != keep && older ? &task : oldest;
    }
    if (oldest != nullptr) {
        dropTask(oldest->id, entry);
    }
    return oldest != nullptr;
}

void StateMachine::dropTask(std::string id, Entry& entry)
{
    const auto task = current.tasks.find(id);
    used.tasks -= sizeOf(task->second);
    current.tasks.erase(task);
    entry.changed(ChangeKind::task, std::move(id));
}

void StateMachine::dropTasksOf(const std::string& tenant, Entry& entry)
{
    std::vector<std::string> dropped;
    for (const auto& [id, task] : current.tasks) {
        if (task.tenant == tenant) {
            dropped.push_back(id);
        }
    }
    for (const std::string& id : dropped) {
        dropTask(id, entry);
    }
}

}  // namespace mesh::cluster
