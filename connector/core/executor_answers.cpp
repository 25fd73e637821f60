// The executor's way back: from the BMC's answer to the reply and its pieces.
#include "connector/core/execution.hpp"
#include "connector/core/redfish_body.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/uri/collections.hpp"

#include <algorithm>
#include <utility>

namespace mesh::connector {

namespace {

constexpr Duration refreshPatience = 500ms;  // a write's answer waits no longer for the member lists

constexpr std::string_view taskFolder = "TaskService/";

// A POST creates in the collection it goes to, a DELETE or PATCH changes the member it goes to; one of a task's monitor, wherever
// that stands, the task.
std::vector<std::string> collectionsTouchedBy(std::string_view path)
{
    if (equalsIgnoreCase(path.substr(0, taskFolder.size()), taskFolder)) {
        return {"TaskService/Tasks"};
    }
    const uri::TopCollection* touched = uri::findTopCollection(path);
    if (touched == nullptr) {
        touched = uri::findTopCollection(path.substr(0, path.find_last_of('/')));
    }
    return touched != nullptr ? std::vector<std::string>{std::string(touched->path)} : std::vector<std::string>{};
}

}  // namespace

void Executor::onHead(BmcExchange exchange, ResponseHead head, bool bodyFollows, Now now)
{
    Execution* execution = find(exchange);
    if (execution == nullptr) {
        return;
    }
    execution->phase = Phase::answering;
    if (!execution->safe) {
        recordEnd(*execution, head.status);
    }
    if (!execution->direct) {
        execution->response.emplace(execution->request.responseTranslation(head));
    }
    execution->head = std::move(head);
    if (!bodyFollows) {
        execution->complete = true;
        answerOrHold(*execution, now);
    } else if (execution->direct) {
        return;  // the body comes first
    } else if (execution->headOnly && (!execution->response->rewrites() || execution->response->immediate())) {
        bmc.cancel(exchange);
        execution->complete = true;
        answerOrHold(*execution, now);
    } else if (execution->response->immediate()) {
        answerOrHold(*execution, now);
    }
}

void Executor::onBody(BmcExchange exchange, std::string_view piece, bool last, Now now)
{
    Execution* execution = find(exchange);
    if (execution != nullptr && execution->direct && execution->phase == Phase::answering) {
        return takePiece(*execution, piece, last, now);
    }
    if (execution == nullptr || !execution->response) {
        return;
    }
    if (const Result<void> done = execution->response->body(piece, last, execution->out); !done) {
        if (!last) {
            bmc.cancel(exchange);
        }
        fail(*execution, outcomeOf(*execution, done.error()), now);
        return;
    }
    execution->ungranted += piece.size();
    deliverBody(*execution, last, now);
}

void Executor::deliverBody(Execution& execution, bool last, Now now)
{
    if (execution.headOnly) {
        execution.headBytes += execution.out.size();
        execution.out.clear();
        bmc.grant(execution.number, std::exchange(execution.ungranted, 0));
    }
    execution.complete = last;
    if (execution.phase == Phase::refreshing) {
        return;
    }
    if (execution.replied) {
        pump(execution, now);
    } else if (last || execution.out.size() > limits::inlineBodyBytes) {
        answerOrHold(execution, now);
    }
}

// A write's answer waits until the member lists that it may have changed were read again, so that who reads the
// collection after it sees what it did.
void Executor::answerOrHold(Execution& execution, Now now)
{
    std::vector<std::string> touched;
    if (!execution.safe && execution.head.status < 400) {
        touched = collectionsTouchedBy(relativePath(execution.request.head().target));
        if (execution.head.status == 202 && (touched.empty() || touched.front() != "TaskService/Tasks")) {
            touched.emplace_back("TaskService/Tasks");
        }
    }
    if (touched.empty()) {
        sendReply(execution, now);
        return;
    }
    execution.phase = Phase::refreshing;
    execution.refreshBy = now.mono + refreshPatience;
    answerDeadline = std::min(answerDeadline, execution.refreshBy);
    host.refresh(touched, execution.number, now);
}

void Executor::onRefreshed(std::uint64_t ticket, Now now)
{
    Execution* execution = find(ticket);
    if (execution != nullptr && execution->phase == Phase::refreshing) {
        execution->phase = Phase::answering;
        execution->refreshBy = never;
        sendReply(*execution, now);
    }
}

void Executor::onTimer(Now now)
{
    onWorkTimer(now);
    if (now.mono >= answerDeadline) {
        onAnswerTimer(now);
    }
}

void Executor::onAnswerTimer(Now now)
{
    answerDeadline = never;
    std::vector<std::uint64_t> notRefreshed, notTaken, probed;
    for (const auto& [id, execution] : executions) {
        if (execution->refreshBy <= now.mono) {
            notRefreshed.push_back(execution->number);
        } else if (execution->takenBy <= now.mono) {
            notTaken.push_back(execution->number);
        } else if (execution->probeAt <= now.mono) {
            probed.push_back(execution->number);
        } else {
            answerDeadline = std::min({answerDeadline, execution->refreshBy, execution->takenBy, execution->probeAt});
        }
    }
    for (const std::uint64_t number : notRefreshed) {
        ++count.refreshTimeouts;
        onRefreshed(number, now);
    }
    for (const std::uint64_t number : notTaken) {
        Execution& execution = *find(number);
        ++count.notTaken;
        if (!execution.complete) {
            bmc.cancel(number);
        }
        fail(execution, {Code::deadlineExceeded, "nobody took the rest of the answer"}, now);
    }
    for (const std::uint64_t number : probed) {
        probe(*find(number), now);
    }
}

void Executor::onLinkDown(const shoset::Address& aggregator, Now now)
{
    for (const auto& [id, execution] : executions) {
        if (execution->replied && execution->origin == aggregator) {
            probeLater(*execution, now);
        }
    }
}

void Executor::probeLater(Execution& execution, Now now)
{
    execution.probeAt = std::min(execution.probeAt, now.mono + limits::linkRecovery);
    answerDeadline = std::min(answerDeadline, execution.probeAt);
}

// Once more over the asker's own link when that is up again: who was started anew does not wait for it.
void Executor::probe(Execution& execution, Now now)
{
    if (!sendStream(execution, shoset::Chunk{execution.window.sent, Code::ok, {}}, {}, false, now)) {
        giveUp(execution);
        return;
    }
    execution.probeAt = never;
    answerDeadline = std::min(answerDeadline, execution.takenBy);
    if (!host.hasLinkTo(execution.origin)) {
        probeLater(execution, now);
    }
}

void Executor::giveUp(Execution& execution)
{
    ++count.undeliverable;
    if (!execution.complete) {
        bmc.cancel(execution.number);
    }
    finish(execution);
}

void Executor::sendReply(Execution& execution, Now now)
{
    if (execution.direct) {
        return sendPayload(execution, now);
    }
    const bool whole = execution.complete && execution.out.size() <= limits::inlineBodyBytes;
    shoset::Reply reply;
    reply.http = std::move(execution.head);
    execution.response->finishHead(reply.http, whole, execution.headOnly,
                                   execution.headOnly ? execution.headBytes : execution.out.size());
    execution.replied = true;
    noteWrite(execution);
    reply.undisturbed = execution.safe && execution.writesBefore == writeMoments;
    if (whole) {
        if (!host.send(execution.origin, execution.link, execution.id, reply, execution.out, true, now)) {
            ++count.undeliverable;
        }
        if (!execution.safe) {
            remember(execution.id, reply, execution.out);
        }
        finish(execution);
        return;
    }
    const std::size_t first = std::min(execution.out.size(), limits::inlineBodyBytes);
    if (!sendStream(execution, std::move(reply), std::string_view(execution.out).substr(0, first), false, now)) {
        ++count.undeliverable;
        bmc.cancel(execution.number);
        finish(execution);
        return;
    }
    execution.window.sent = first;
    execution.out.erase(0, first);
    if (!host.hasLinkTo(execution.origin)) {
        probeLater(execution, now);
    }
    pump(execution, now);
}

// A better link that comes up midway would let a piece overtake those that are still under way on the one before.
bool Executor::sendStream(Execution& execution, shoset::Content content, std::string_view body, bool last, Now now)
{
    const std::optional<shoset::LinkId> link =
        host.send(execution.origin, execution.link, execution.id, std::move(content), body, last, now);
    execution.link = link.value_or(execution.link);
    return link.has_value();
}

void Executor::pump(Execution& execution, Now now)
{
    std::size_t done = 0;
    while (true) {
        const std::size_t left = execution.out.size() - done;
        const std::size_t size = std::min<std::uint64_t>({left, limits::chunkBytes, execution.window.room()});
        const bool last = execution.complete && size == left;
        if (size == 0 && !last) {
            break;
        }
        if (!sendStream(execution, shoset::Chunk{execution.window.sent, Code::ok, {}},
                        std::string_view(execution.out).substr(done, size), last, now)) {
            giveUp(execution);
            return;
        }
        execution.window.sent += size;
        done += size;
        if (last) {
            finish(execution);
            return;
        }
    }
    execution.out.erase(0, done);
    if (execution.out.empty()) {
        execution.takenBy = never;
    } else if (done > 0 || execution.takenBy == never) {
        execution.takenBy = now.mono + limits::answerStall;
        answerDeadline = std::min(answerDeadline, execution.takenBy);
    }
    if (execution.out.empty() && execution.ungranted > 0) {
        bmc.grant(execution.number, std::exchange(execution.ungranted, 0));
    }
}

void Executor::onCredit(const MessageId& id, std::uint64_t total, Now now)
{
    if (Execution* execution = find(id)) {
        execution->window.grant(total);
        if (execution->replied) {
            pump(*execution, now);
        }
    }
}

}  // namespace mesh::connector
