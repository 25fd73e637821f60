#pragma once

#include "cluster/core/fields_support.hpp"

// The fields of tasks, as in fields_accounts.hpp.
namespace mesh::cluster {

constexpr std::uint32_t maxPercent = 100;

template <class Archive>
void fields(Archive& a, Task& task)
{
    name(a, task.id);
    name(a, task.owner);
    name(a, task.tenant);
    choice(a, task.state, TaskState::cancelled);
    a.small(task.percent, maxPercent);
    std::size_t messages = task.messages.size();
    a.count(messages, limits::maxTaskMessages);
    task.messages.resize(messages);
    for (std::string& message : task.messages) {
        a.text(message, limits::maxTaskMessageBytes);
    }
    a.time(task.startTime);
    a.time(task.endTime);
    a.text(task.target, limits::maxUriBytes);
    a.text(task.monitor, limits::maxUriBytes);
    a.number(task.node);
    a.number(task.revision);
}

template <class Archive>
void fields(Archive& a, PutTask& op)
{
    fields(a, op.task);
}

template <class Archive>
void fields(Archive& a, UpdateTask& op)
{
    name(a, op.id);
    optional(a, op.state, [&a](TaskState& value) { choice(a, value, TaskState::cancelled); });
    optional(a, op.percent, [&a](std::uint32_t& value) { a.small(value, maxPercent); });
    a.text(op.message, limits::maxTaskMessageBytes);
}

template <class Archive>
void fields(Archive& a, RemoveTask& op)
{
    name(a, op.id);
}

template <class Archive>
void fields(Archive& a, FailRunningTasks& op)
{
    a.number(op.node);
    a.text(op.reason, limits::maxTaskMessageBytes);
}

}  // namespace mesh::cluster
