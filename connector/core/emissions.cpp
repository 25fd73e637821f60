#include "connector/core/emissions.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::connector {

Emissions::Emissions(shoset::Outbox& events, WorkerPort& port) : outbox(events), workers(port) {}

void Emissions::emit(WorkerId worker, WorkerEmit word, Now now)
{
    Emitter& emitter = emitters[worker];
    if (emitter.unanswered + emitter.unsent.size() >= limits::maxUnansweredEvents) {
        ++count.tooMany;
        return answer(worker, notAcceptedWord(word.ref, "too_many", "expected at most " + std::to_string(limits::maxUnansweredEvents) +
                                                                       " events that wait for their answer"), now);
    }
    const std::uint64_t ticket = ++lastTicket;
    tickets.emplace(ticket, std::pair(worker, word.ref));
    ++emitter.unanswered;
    const auto refused = outbox.emit(ticket, std::move(word.topic), std::move(word.name), std::move(word.payload), now);
    if (refused) {
        onNotAccepted(ticket, *refused, now);
    }
}

void Emissions::emitOwn(const std::string& topic, const std::string& name, const std::string& payload, Now now)
{
    ++count.own;
    if (outbox.emit(++lastTicket, topic, name, payload, now)) {
        ++count.ownRefused;
    }
}

void Emissions::onWorkerEnded(WorkerId worker)
{
    emitters.erase(worker);
    std::erase_if(tickets, [worker](const auto& ticket) { return ticket.second.first == worker; });
}

std::optional<std::pair<WorkerId, std::uint64_t>> Emissions::takeTicket(std::uint64_t ticket)
{
    const auto found = tickets.find(ticket);
    if (found == tickets.end()) {
        return std::nullopt;
    }
    const auto whose = found->second;
    tickets.erase(found);
    --emitters.at(whose.first).unanswered;
    return whose;
}

void Emissions::onAccepted(std::uint64_t ticket, std::uint64_t epoch, std::uint64_t sequence, Now now)
{
    if (const auto whose = takeTicket(ticket)) {
        answer(whose->first, acceptedWord(whose->second, epoch, sequence), now);
    }
}

void Emissions::onNotAccepted(std::uint64_t ticket, const shoset::NotAccepted& why, Now now)
{
    if (const auto whose = takeTicket(ticket)) {
        answer(whose->first, notAcceptedWord(whose->second, why.code, why.reason), now);
    } else {
        ++count.ownRefused;
    }
}

void Emissions::answer(WorkerId worker, std::string word, Now now)
{
    Emitter& emitter = emitters[worker];
    if (emitter.unsent.size() >= 2 * limits::maxUnansweredEvents) {
        ++count.lostAnswers;
        return;
    }
    emitter.unsent.push_back(std::move(word));
    sendUnsent(worker, emitter, now);
}

void Emissions::sendUnsent(WorkerId worker, Emitter& emitter, Now now)
{
    while (!emitter.unsent.empty()) {
        const Code sent = workers.sendToWorker(worker, emitter.unsent.front());
        if (sent == Code::full) {
            ++count.unsent;
            retryAt = std::min(retryAt, now.mono + limits::workerRetry);
            return;
        }
        emitter.unsent.pop_front();  // one that is gone waits for nothing
    }
}

void Emissions::onTimer(Now now)
{
    if (now.mono < retryAt) {
        return;
    }
    retryAt = never;
    for (auto& [worker, emitter] : emitters) {
        sendUnsent(worker, emitter, now);
    }
}

}  // namespace mesh::connector
