#pragma once

#include "connector/core/worker_event_words.hpp"
#include "connector/core/workers.hpp"
#include "shoset/core/outbox.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

namespace mesh::connector {

struct EmissionCounters {
    std::uint64_t tooMany = 0, unsent = 0, lostAnswers = 0, own = 0, ownRefused = 0;
};

// What workers, and the connector itself, put into the outbox, and the answers to them. A worker may have
// limits::maxUnansweredEvents of them without an answer; those that its socket does not take just now wait here.
class Emissions : public shoset::OutboxEvents {
public:
    Emissions(shoset::Outbox& outbox, WorkerPort& workers);

    void emit(WorkerId worker, WorkerEmit word, Now now);
    // An event of the connector's own. Nobody waits for an answer.
    void emitOwn(const std::string& topic, const std::string& name, const std::string& payload, Now now);
    // Tells it so, behind the other answers; more than twice limits::maxUnansweredEvents do not wait.
    void answer(WorkerId worker, std::string word, Now now);
    void onWorkerEnded(WorkerId worker);

    void onAccepted(std::uint64_t ticket, std::uint64_t epoch, std::uint64_t sequence, Now now) override;
    void onNotAccepted(std::uint64_t ticket, const shoset::NotAccepted& why, Now now) override;

    void onTimer(Now now);
    Instant nextDeadline() const { return retryAt; }
    const EmissionCounters& counters() const { return count; }

private:
    struct Emitter {
        std::size_t unanswered = 0;
        std::deque<std::string> unsent;
    };
    // Whose it is, and its number there; nullopt: nobody's who is still there.
    std::optional<std::pair<WorkerId, std::uint64_t>> takeTicket(std::uint64_t ticket);
    void sendUnsent(WorkerId worker, Emitter& emitter, Now now);

    shoset::Outbox& outbox;
    WorkerPort& workers;
    std::map<std::uint64_t, std::pair<WorkerId, std::uint64_t>> tickets;
    std::map<WorkerId, Emitter> emitters;
    std::uint64_t lastTicket = 0;
    Instant retryAt = never;
    EmissionCounters count;
};

}  // namespace mesh::connector
