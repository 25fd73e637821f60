// The executor's commands to workers: from the mesh to the worker that serves them, and its replies back.
#include "connector/core/execution.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::connector {

using shoset::Reply;
using shoset::ReplyState;

namespace {

Reply meshReply(const WorkerReply& said)
{
    Reply reply;
    reply.state = said.state;
    reply.message = said.text;
    reply.progress = said.progress;
    if (said.state == ReplyState::success) {
        reply.http.status = 200;
    } else if (said.state == ReplyState::fail) {
        reply.code = Code::refused;
        reply.failure = said.failure;
    }
    return reply;
}

}  // namespace

void Executor::takeForWorker(shoset::LinkId link, shoset::Message message, std::string_view body, bool last, Instant deadline,
                             Now now)
{
    auto& command = std::get<shoset::Command>(message.content);
    if (!last || body.size() > limits::maxPayloadBytes) {
        ++count.refusedInput;
        refuse(message, link, {Code::tooLarge, "expected a payload of at most " + std::to_string(limits::maxPayloadBytes) +
                                                   " bytes; not executed"}, now);
        return;
    }
    if (const auto rule = policy.refusesCommand(command.name)) {
        ++count.refusedByPolicy;
        refuse(message, link, {Code::permissionDenied, "this BMC's own policy refuses " + *rule}, now);
        return;
    }
    Result<Workers::Checked> payload = workers.check(command, body);
    if (!payload) {
        ++count.refusedInput;
        refuse(message, link, payload.error(), now);
        return;
    }
    auto execution = std::make_unique<Execution>();
    execution->fence = command.fence;
    execution->requestComplete = true;
    execution->work = Execution::Work{};  // Clang cannot tell in emplace() that it has a default
    execution->work->command = std::move(command);
    execution->work->payload = std::move(*payload);
    enter(std::move(execution), message, link, deadline);
}

// What a worker does may change what the BMC shows, so that it counts as a write.
void Executor::startAtWorker(Execution& execution, Now now)
{
    Execution::Work& work = *execution.work;
    WorkerTask task{execution.id, work.command.name, std::move(work.payload.payload), work.command.user, execution.deadline};
    if (const Result<void> given = workers.give(work.command, std::move(task), work.payload.schema, now); !given) {
        recordEnd(execution, 0);
        fail(execution, given.error(), now);
        return;
    }
    execution.phase = Phase::working;
    noteWrite(execution);
    workDeadline = std::min(workDeadline, execution.deadline);
    work.progress.emplace();
    work.progress->state = ReplyState::onGoing;
    work.progress->text = "accepted";
    passProgress(execution, now);
}

void Executor::onWorkerReply(WorkerReply reply, Now now)
{
    Execution* execution = find(reply.id);
    if (execution == nullptr || execution->phase != Phase::working) {
        return;  // its deadline has passed, and with it the word that counts
    }
    if (reply.state == ReplyState::onGoing) {
        Execution::Work& work = *execution->work;
        count.progressReplaced += work.progress ? 1 : 0;
        work.progress = std::move(reply);
        work.progressAt = work.progressSent + limits::progressInterval;
        if (work.progressAt <= now.mono) {
            passProgress(*execution, now);
        } else {
            workDeadline = std::min(workDeadline, work.progressAt);
        }
        return;
    }
    recordEnd(*execution, reply.state == ReplyState::success ? 200 : 500);
    const Reply told = meshReply(reply);
    if (!host.send(execution->origin, execution->link, execution->id, told, reply.payload, true, now)) {
        ++count.undeliverable;
    }
    remember(execution->id, told, reply.payload);
    finish(*execution);
}

// One that gets lost is not sent again: the next one says more.
void Executor::passProgress(Execution& execution, Now now)
{
    Execution::Work& work = *execution.work;
    host.send(execution.origin, execution.link, execution.id, meshReply(*work.progress), {}, true, now);
    work.progress.reset();
    work.progressAt = never;
    work.progressSent = now.mono;
}

void Executor::onWorkerLost(const MessageId& id, const Error& error, Now now)
{
    Execution* execution = find(id);
    if (execution != nullptr && execution->phase == Phase::working) {
        ++count.unknownOutcome;
        recordEnd(*execution, 0);
        fail(*execution, error, now);
    }
}

void Executor::onWorkTimer(Now now)
{
    if (now.mono < workDeadline) {
        return;
    }
    workDeadline = never;
    std::vector<std::uint64_t> late;
    for (const auto& [id, execution] : executions) {
        if (execution->phase != Phase::working) {
            continue;
        }
        if (execution->deadline <= now.mono) {
            late.push_back(execution->number);
            continue;
        }
        if (execution->work->progressAt <= now.mono) {
            passProgress(*execution, now);
        }
        workDeadline = std::min({workDeadline, execution->deadline, execution->work->progressAt});
    }
    std::sort(late.begin(), late.end());
    for (const std::uint64_t number : late) {
        Execution& execution = *find(number);
        ++count.workerTimeouts;
        recordEnd(execution, 0);
        fail(execution, {Code::outcomeUnknown, "the worker did not end it in time"}, now);
    }
}

}  // namespace mesh::connector
