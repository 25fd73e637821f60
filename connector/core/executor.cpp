#include "connector/core/executor.hpp"

#include "connector/core/execution.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/redfish_command.hpp"

#include <algorithm>

namespace mesh::connector {

using shoset::Reply;
using shoset::ReplyState;

namespace {

bool isSafe(const std::string& method)
{
    return method == "GET" || method == "HEAD";
}

Reply failure(const Error& error)
{
    Reply reply;
    reply.state = ReplyState::fail;
    reply.code = error.code;
    reply.message = error.message;
    return reply;
}

Error outranked(const shoset::Fence& fence, const shoset::Fence& seen)
{
    return {Code::refused, "it was ordered by a primary that was replaced (" + fenceText(fence) + "; seen was " +
                               fenceText(seen) + "); not executed"};
}

}  // namespace

Executor::Executor(LocalPolicy localPolicy, std::vector<std::string> hosts, BmcPort& bmcPort, JournalPort& persistence,
                   StatePort& statePort, Workers& attached, ExecutorHost& owner, std::uint64_t ownAssignment)
    : policy(std::move(localPolicy)), ownHosts(std::move(hosts)), assignment(ownAssignment), bmc(bmcPort),
      journalPort(persistence), state(statePort), workers(attached), host(owner)
{
}

Executor::~Executor() = default;

Result<void> Executor::loadJournal(std::string_view content)
{
    Result<void> loaded = journal.load(content);
    if (loaded && journal.compactionDue()) {
        journalPort.rewrite(journal.compacted());
    }
    return loaded;
}

Executor::Execution* Executor::find(const MessageId& id)
{
    const auto found = executions.find(id);
    return found == executions.end() ? nullptr : found->second.get();
}

Executor::Execution* Executor::find(std::uint64_t number)
{
    const auto found = byNumber.find(number);
    return found == byNumber.end() ? nullptr : find(found->second);
}

void Executor::refuse(const shoset::Message& message, shoset::LinkId link, Error error, Now now)
{
    const Reply reply = failure(error);
    host.send(message.source, link, message.id, reply, {}, true, now);
    const auto& command = std::get<shoset::Command>(message.content);
    if (command.name != shoset::redfishRequest || !isSafe(command.http.method)) {
        // A copy on another way gets the same word: by the first one, its sender has been told that it was not executed, or
        // another connector has got it.
        remember(message.id, reply, {});
    }
}

bool Executor::repeated(shoset::LinkId link, const shoset::Message& message, Now now)
{
    if (Execution* running = find(message.id)) {
        ++count.repeats;
        if (!running->replied) {
            running->link = link;
        }
        return true;
    }
    for (const Finished& past : finished) {
        if (past.id == message.id) {
            ++count.replayed;
            host.send(message.source, link, message.id, past.reply, past.body, true, now);
            return true;
        }
    }
    if (const std::optional<shoset::Journal::Entry> entry = journal.find(message.id)) {
        ++count.unknownOutcome;
        refuse(message, link,
               {Code::outcomeUnknown, entry->finished && entry->status != 0
                                          ? "it was executed with status " + std::to_string(entry->status) + ", the answer was lost"
                                          : "it was begun before the connector restarted"},
               now);
        return true;
    }
    return false;
}

bool Executor::admit(const shoset::Message& message, std::optional<Instant> deadline, shoset::LinkId link, Now now)
{
    const auto& command = std::get<shoset::Command>(message.content);
    if (fences.outranks(command.fence)) {
        ++count.refusedFence;
        refuse(message, link, outranked(command.fence, fences.seen()), now);
        return false;
    }
    if (!isSafe(command.http.method) && journal.isBelowFloor(message.id)) {
        ++count.refusedOld;
        refuse(message, link, {Code::outcomeUnknown, "the command is older than what the connector remembers"}, now);
        return false;
    }
    if (!deadline || *deadline <= now.mono) {
        ++count.refusedLate;
        refuse(message, link, {Code::deadlineExceeded, "it could not be shown to be in time; not executed"}, now);
        return false;
    }
    if (executions.size() >= limits::maxPendingPerConnector) {
        ++count.refusedFull;
        refuse(message, link, {Code::full, "too many requests wait for this BMC; not executed"}, now);
        return false;
    }
    return true;
}

void Executor::onCommand(shoset::LinkId link, shoset::Message message, std::string_view body, bool last,
                         std::optional<Instant> deadline, Now now)
{
    ++count.commands;
    if (std::get<shoset::Command>(message.content).assignment != assignment) {
        ++count.refusedAssignment;
        refuse(message, link, {Code::notSent, "it was meant for the connector of another assignment; not executed"}, now);
        return;
    }
    const shoset::Fence fence = std::get<shoset::Command>(message.content).fence;
    fences.see(fence);
    saveFence();
    if (repeated(link, message, now) || !admit(message, deadline, link, now)) {
        return;
    }
    if (std::get<shoset::Command>(message.content).name == shoset::redfishRequest) {
        takeForBmc(link, std::move(message), body, last, *deadline, now);
    } else if (shoset::isRedfishCommand(std::get<shoset::Command>(message.content).name)) {
        takeForRedfish(link, std::move(message), body, last, *deadline, now);
    } else {
        takeForWorker(link, std::move(message), body, last, *deadline, now);
    }
}

void Executor::takeForBmc(shoset::LinkId link, shoset::Message message, std::string_view body, bool last, Instant deadline,
                          Now now)
{
    auto& command = std::get<shoset::Command>(message.content);
    auto execution = std::make_unique<Execution>();
    Execution& it = *execution;
    it.safe = isSafe(command.http.method);
    it.headOnly = command.http.method == "HEAD";
    it.fence = command.fence;
    Result<RequestTranslation> request = RequestTranslation::make(command, ownHosts);
    Result<void> translated = request ? request->body(body, last, it.requestBody) : Result<void>(request.error());
    if (!translated) {
        ++count.refusedInput;
        refuse(message, link, translated.error(), now);
        return;
    }
    if (const auto rule = policy.refuses(command.http.method, policyPath(request->head().target))) {
        ++count.refusedByPolicy;
        refuse(message, link, {Code::permissionDenied, "this BMC's own policy refuses " + *rule}, now);
        return;
    }
    it.request = std::move(*request);
    it.requestComplete = last;
    it.incoming.received = it.incoming.consumed = body.size();
    it.unsent = it.requestBody.size();
    enter(std::move(execution), message, link, deadline);
}

void Executor::enter(std::unique_ptr<Execution> execution, const shoset::Message& message, shoset::LinkId link, Instant deadline)
{
    Execution& it = *execution;
    it.id = message.id;
    it.origin = message.source;
    it.link = link;
    it.deadline = deadline;
    it.number = nextNumber++;
    byNumber.emplace(it.number, it.id);
    executions.emplace(it.id, std::move(execution));
    if (fences.isDurable(it.fence)) {
        begin(it);
    } else {
        it.phase = Phase::fencing;
    }
}

void Executor::saveFence()
{
    if (std::optional<std::string> content = fences.toSave()) {
        state.save(StateFile::fence, std::move(*content));
    }
}

void Executor::onFenceSaved(Result<void> result, Now now)
{
    const shoset::Fence tried = fences.onSaved(result.ok());
    std::vector<std::uint64_t> served;  // in the order of their arrival
    bool othersWait = false;
    for (const auto& [id, execution] : executions) {
        if (execution->phase == Phase::fencing && execution->fence <= tried) {
            served.push_back(execution->number);
        }
        othersWait = othersWait || (execution->phase == Phase::fencing && execution->fence > tried);
    }
    std::sort(served.begin(), served.end());
    count.fenceFailures += result ? 0 : 1;
    for (const std::uint64_t number : served) {
        Execution& execution = *find(number);
        if (!result) {
            fail(execution, {Code::notSent, "its fence could not be recorded before execution: " + result.error().message}, now);
        } else if (const std::optional<Error> error = overtaken(execution, now)) {
            fail(execution, *error, now);
        } else {
            begin(execution);
        }
    }
    if (result || othersWait) {  // a disk that fails is tried again when it is needed, not for ever
        saveFence();
    }
}

void Executor::begin(Execution& execution)
{
    if (execution.safe) {
        startOnBmc(execution);
        return;
    }
    execution.phase = Phase::journaling;
    journalPort.persist(execution.number, journal.begin(execution.id));
}

// What waited for the disk may have become late or been outranked meanwhile.
std::optional<Error> Executor::overtaken(const Execution& execution, Now now)
{
    if (execution.deadline <= now.mono) {
        ++count.refusedLate;
        return Error{Code::deadlineExceeded, "its time ran out before execution; not executed"};
    }
    if (fences.outranks(execution.fence)) {
        ++count.refusedFence;
        return outranked(execution.fence, fences.seen());
    }
    return std::nullopt;
}

void Executor::onPersisted(std::uint64_t token, Result<void> result, Now now)
{
    if (token == 0 && !result) {
        journal.notCompacted();
    }
    Execution* execution = find(token);
    if (execution == nullptr || execution->phase != Phase::journaling) {
        return;
    }
    if (!result) {
        ++count.journalFailures;
        journal.forget(execution->id);
        fail(*execution, {Code::notSent, "it could not be recorded before execution: " + result.error().message}, now);
    } else if (const std::optional<Error> error = overtaken(*execution, now)) {
        recordEnd(*execution, 0);
        fail(*execution, *error, now);
    } else if (execution->work) {
        startAtWorker(*execution, now);
    } else {
        startOnBmc(*execution);
    }
}

void Executor::noteWrite(const Execution& execution)
{
    writeMoments += execution.safe ? 0 : 1;
}

void Executor::startOnBmc(Execution& execution)
{
    execution.phase = Phase::asking;
    noteWrite(execution);
    execution.writesBefore = writeMoments;
    RequestHead head = execution.request.head();
    if (execution.headOnly) {
        head.method = "GET";  // only the localised body tells the length that HEAD has to state
    }
    bmc.start(execution.number, std::move(head), std::move(execution.requestBody), !execution.requestComplete,
              execution.request.bodyLength(), execution.safe, execution.deadline);
    execution.requestBody.clear();
}

void Executor::onChunk(const MessageId& id, const shoset::Chunk& chunk, std::string_view body, bool last, Now now)
{
    Execution* execution = find(id);
    if (execution == nullptr || execution->requestComplete) {
        ++count.unknownStream;
        return;
    }
    const bool broken = chunk.code != Code::ok || !execution->incoming.accepts(chunk.offset, body.size());
    std::string piece;
    const Result<void> translated =
        broken ? Result<void>(Error{Code::corrupt, chunk.message.empty() ? "the request's body was cut off" : chunk.message})
               : execution->request.body(body, last, piece);
    if (!translated) {
        if (execution->phase == Phase::asking || execution->phase == Phase::answering) {
            bmc.cancel(execution->number);
        }
        fail(*execution, translated.error(), now);
        return;
    }
    execution->incoming.received += body.size();
    execution->unsent += piece.size();
    execution->requestComplete = last;
    if (execution->phase == Phase::fencing || execution->phase == Phase::journaling) {
        execution->requestBody += piece;
    } else {
        bmc.sendBody(execution->number, std::move(piece), last);
    }
}

void Executor::onBodySent(BmcExchange exchange, std::size_t bytes, Now now)
{
    Execution* execution = find(exchange);
    if (execution == nullptr) {
        return;
    }
    // Credit counts what the client sent, which localising may shorten: of that, all but what waits here was consumed. What the
    // localiser held back may come with a later piece, so that more waits than came with it.
    shoset::ReceiveWindow& incoming = execution->incoming;
    execution->unsent -= std::min<std::uint64_t>(bytes, execution->unsent);
    incoming.consumed = std::max(incoming.consumed, incoming.received - std::min(execution->unsent, incoming.received));
    if (execution->requestComplete) {
        return;
    }
    if (const std::uint64_t total = incoming.dueGrant(); total != 0) {
        host.send(execution->origin, execution->link, execution->id, shoset::Credit{total}, {}, false, now);
    }
}

void Executor::onCancel(const MessageId& id, Now now)
{
    Execution* execution = find(id);
    if (execution == nullptr) {
        return;
    }
    ++count.cancelled;
    // What was begun and must not be repeated goes on to its end, so that a repeat of the id can be told how it ended.
    if (!execution->safe && !execution->replied && execution->requestComplete && execution->phase != Phase::fencing) {
        return;
    }
    if (execution->phase == Phase::asking || (execution->phase == Phase::answering && !execution->complete)) {
        bmc.cancel(execution->number);
    }
    finish(*execution);
    (void)now;
}

void Executor::onFailure(BmcExchange exchange, Error error, Now now)
{
    Execution* execution = find(exchange);
    if (execution == nullptr) {
        return;
    }
    ++count.bmcFailures;
    if (!execution->safe && execution->phase == Phase::asking) {
        recordEnd(*execution, 0);
    }
    fail(*execution, outcomeOf(*execution, std::move(error)), now);
}

// Of what was given to the BMC and must not be repeated, an end that does not prove that nothing was executed.
Error Executor::outcomeOf(const Execution& execution, Error error)
{
    const bool executed = error.code == Code::deadlineExceeded || error.code == Code::corrupt || error.code == Code::tooLarge;
    if (executed && (!execution.safe || (execution.direct && error.code == Code::deadlineExceeded))) {
        error.code = Code::outcomeUnknown;
    }
    return error;
}

void Executor::fail(Execution& execution, const Error& error, Now now)
{
    if (execution.replied) {
        host.send(execution.origin, execution.link, execution.id,
                  shoset::Chunk{execution.window.sent, error.code, error.message}, {}, true, now);
    } else {
        const Reply reply = failure(error);
        host.send(execution.origin, execution.link, execution.id, reply, {}, true, now);
        if (!execution.safe) {
            remember(execution.id, reply, {});
        }
    }
    finish(execution);
}

void Executor::finish(Execution& execution)
{
    noteWrite(execution);
    byNumber.erase(execution.number);
    executions.erase(MessageId(execution.id));
}

void Executor::remember(const MessageId& id, const Reply& reply, const std::string& body)
{
    finished.push_back({id, reply, body});
    finishedBytes += finished.back().bytes();
    while (finished.size() > limits::maxRememberedReplies || finishedBytes > limits::maxRememberedReplyBytes) {
        finishedBytes -= finished.front().bytes();
        finished.pop_front();
    }
}

// Not waited for: if it is lost, a repeat after a restart is told "outcome unknown", which is true.
void Executor::recordEnd(Execution& execution, int status)
{
    journalPort.persist(0, journal.finish(execution.id, status));
    if (journal.compactionDue()) {
        journalPort.rewrite(journal.compacted());
    }
}

}  // namespace mesh::connector
