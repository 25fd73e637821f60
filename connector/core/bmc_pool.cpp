#include "connector/core/bmc_pool.hpp"

#include <algorithm>

namespace mesh::connector {

using Kind = BmcAction::Kind;

BmcPool::Link* BmcPool::find(BmcConnection connection)
{
    const auto it = std::find_if(links.begin(), links.end(), [&](const Link& l) { return l.id == connection; });
    return it == links.end() ? nullptr : &*it;
}

void BmcPool::erase(BmcConnection connection)
{
    std::erase_if(links, [&](const Link& link) { return link.id == connection; });
}

std::size_t BmcPool::inState(State state) const
{
    return static_cast<std::size_t>(
        std::count_if(links.begin(), links.end(), [&](const Link& link) { return link.state == state; }));
}

// Whether an answer is awaited that has an end.
bool BmcPool::serves() const
{
    return std::any_of(links.begin(), links.end(),
                       [](const Link& link) { return link.state == State::busy && !link.endless; });
}

bool BmcPool::carriesOlder(std::uint64_t generation) const
{
    return std::any_of(links.begin(), links.end(), [generation](const Link& link) {
        return link.state == State::busy && link.job.generation < generation;
    });
}

BmcJob* BmcPool::job(BmcConnection connection)
{
    Link* link = find(connection);
    return link != nullptr && link->state == State::busy ? &link->job : nullptr;
}

void BmcPool::fail(BmcExchange id, Code code, const std::string& why, BmcActions& out)
{
    out.push_back({Kind::fail, 0, id, Error{code, name + ": " + why}});
}

void BmcPool::queue(BmcJob job, Place place)
{
    const auto rank = [](const BmcJob& each) { return each.urgent ? 0 : each.early ? 1 : 2; };
    const int bound = rank(job) + (place == Place::last ? 1 : 0);
    const auto next =
        std::find_if(waiting.begin(), waiting.end(), [&](const BmcJob& other) { return rank(other) >= bound; });
    waiting.insert(next, std::move(job));
}

void BmcPool::start(BmcJob job, Instant now, BmcActions& out)
{
    const BmcExchange id = job.id;
    const bool urgent = job.urgent;
    wakeBy(job.deadline);
    queue(std::move(job), Place::last);
    pump(now, out);
    const bool waits = !waiting.empty() && waiting.back().id == id;
    if (waits && !urgent && waiting.size() > options.queued + inState(State::connecting)) {
        waiting.pop_back();
        ++count.queuedFull;
        fail(id, Code::full, std::to_string(options.queued) + " requests wait for it already", out);
    }
}

void BmcPool::cancel(BmcExchange id, Instant now, BmcActions& out)
{
    std::erase_if(waiting, [&](const BmcJob& job) { return job.id == id; });
    const auto it = std::find_if(links.begin(), links.end(),
                                 [&](const Link& link) { return link.state == State::busy && link.job.id == id; });
    if (it != links.end()) {
        out.push_back({Kind::close, it->id, 0, {}});
        links.erase(it);
        pump(now, out);
    }
}

void BmcPool::release(Instant now, BmcActions& out)
{
    held = false;
    pump(now, out);
}

void BmcPool::failWaiting(const Error& error, BmcActions& out)
{
    for (const BmcJob& job : waiting) {
        if (!job.urgent) {
            out.push_back({Kind::fail, 0, job.id, error});
        }
    }
    std::erase_if(waiting, [](const BmcJob& job) { return !job.urgent; });
}

BmcPool::Link* BmcPool::pickIdle(const BmcJob& job, Instant now)
{
    Link* best = nullptr;
    for (Link& link : links) {
        if (link.state != State::idle) {
            continue;
        }
        const Duration idleFor = now - link.since;
        if (idleFor >= limits::bmcReuseWindow) {
            reuseWindow = limits::bmcReuseWindow;  // this BMC does keep connections, whatever was seen before
        }
        const bool recent = idleFor < reuseWindow;
        const bool suits = job.retried ? recent && !link.used : recent || job.repeatable;
        if (suits && (best == nullptr || link.since > best->since)) {
            best = &link;
        }
    }
    return best;
}

// Makes room by closing the connection that was idle longest, when it suits nobody who waits.
bool BmcPool::openOne(Instant now, BmcActions& out)
{
    if (now < connectAfter) {
        wakeBy(connectAfter);
        return false;
    }
    if (links.size() >= options.connections) {
        Link* oldest = nullptr;
        for (Link& link : links) {
            if (link.state == State::idle && (oldest == nullptr || link.since < oldest->since)) {
                oldest = &link;
            }
        }
        if (oldest == nullptr) {
            return false;
        }
        out.push_back({Kind::close, oldest->id, 0, {}});
        erase(oldest->id);
    }
    Link link;
    link.id = ++lastConnection;
    link.since = now;
    wakeBy(now + limits::bmcConnectTimeout);
    ++count.connects;
    out.push_back({Kind::connect, link.id, 0, {}});
    links.push_back(std::move(link));
    return true;
}

void BmcPool::pump(Instant now, BmcActions& out)
{
    std::size_t wanting = 0;
    for (auto it = waiting.begin(); it != waiting.end();) {
        if (held && !it->urgent) {
            return;
        }
        if (Link* link = pickIdle(*it, now)) {
            link->state = State::busy;
            link->job = std::move(*it);
            it = waiting.erase(it);
            if (link->job.early) {
                link->job.deadline = std::max(link->job.deadline, now + limits::watchPatience);
                wakeBy(link->job.deadline);
            }
            out.push_back({Kind::send, link->id, link->job.id, {}});
            continue;
        }
        ++wanting;
        if (wanting > inState(State::connecting) && !openOne(now, out) && inState(State::idle) == 0) {
            return;
        }
        ++it;
    }
}

void BmcPool::connected(BmcConnection connection, Instant now, BmcActions& out)
{
    if (Link* link = find(connection)) {
        link->state = State::idle;
        link->since = now;
        wakeBy(now + limits::bmcIdleClose);
        pump(now, out);
    }
}

void BmcPool::connectFailed(BmcConnection connection, const Error& error, Instant now, BmcActions& out)
{
    if (find(connection) == nullptr) {
        return;
    }
    erase(connection);
    if (serves() || inState(State::connecting) > 0) {
        // The BMC may just allow no more connections: who waits may still be served by the others.
        connectAfter = now + limits::bmcConnectPause;
        pump(now, out);
        return;
    }
    const Code code = error.code == Code::refused ? Code::refused : Code::notSent;
    connectAfter = {};
    std::deque<BmcJob> over;
    over.swap(waiting);
    for (const BmcJob& job : over) {
        fail(job.id, code, error.message, out);
    }
}

void BmcPool::answering(BmcConnection connection)
{
    if (BmcJob* current = job(connection)) {
        current->answered = true;
    }
}

void BmcPool::endless(BmcConnection connection, Instant now, BmcActions& out)
{
    Link* link = find(connection);
    if (link == nullptr || link->state != State::busy) {
        return;
    }
    const auto others = std::count_if(links.begin(), links.end(), [](const Link& other) { return other.endless; });
    if (static_cast<std::size_t>(others) >= options.endless) {
        const BmcExchange id = link->job.id;
        out.push_back({Kind::close, connection, 0, {}});
        erase(connection);
        fail(id, Code::full, std::to_string(options.endless) + " event streams are open already", out);
        pump(now, out);
        return;
    }
    link->endless = true;
    link->job.deadline = never;
}

void BmcPool::idle(Link& link, bool reusable, Instant now, BmcActions& out)
{
    if (!reusable) {
        out.push_back({Kind::close, link.id, 0, {}});
        erase(link.id);
        return;
    }
    link.state = State::idle;
    link.since = now;
    link.used = true;
    link.endless = false;
    link.job = {};
    wakeBy(now + limits::bmcIdleClose);
}

void BmcPool::finished(BmcConnection connection, bool reusable, Instant now, BmcActions& out)
{
    Link* link = find(connection);
    if (link != nullptr && link->state == State::busy) {
        idle(*link, reusable, now, out);
        pump(now, out);
    }
}

void BmcPool::again(BmcConnection connection, bool reusable, Instant now, BmcActions& out)
{
    Link* link = find(connection);
    if (link == nullptr || link->state != State::busy) {
        return;
    }
    BmcJob job = std::move(link->job);
    idle(*link, reusable, now, out);
    job.answered = false;
    job.retried = false;
    queue(std::move(job), Place::first);
    pump(now, out);
}

// A BMC that closes idle connections soon must not be given what cannot be repeated on an old one.
void BmcPool::noteIdleLoss(const Link& link, Instant now)
{
    reuseWindow = std::min(reuseWindow, (now - link.since) / 2);
}

void BmcPool::lost(BmcConnection connection, bool nothingSent, bool replayable, const std::string& why, Instant now,
                   BmcActions& out)
{
    Link* link = find(connection);
    if (link == nullptr) {
        return;
    }
    if (link->state == State::connecting) {
        connectFailed(connection, Error{Code::notSent, why}, now, out);
        return;
    }
    if (link->state == State::idle) {
        noteIdleLoss(*link, now);
        erase(connection);
        pump(now, out);
        return;
    }
    BmcJob job = std::move(link->job);
    const bool stale = link->used && !job.retried && !job.answered;
    erase(connection);
    if (stale && replayable && (nothingSent || job.repeatable)) {
        ++count.staleRetries;
        job.retried = true;
        queue(std::move(job), Place::first);
    } else {
        const Code code = job.answered ? Code::corrupt : nothingSent ? Code::notSent : Code::outcomeUnknown;
        fail(job.id, code, why, out);
    }
    pump(now, out);
}

Instant BmcPool::expiry(const Link& link) const
{
    switch (link.state) {
        case State::connecting: return link.since + limits::bmcConnectTimeout;
        case State::idle: return link.since + limits::bmcIdleClose;
        case State::busy: break;
    }
    return link.job.deadline;
}

void BmcPool::expire(BmcConnection connection, Instant now, BmcActions& out)
{
    Link* link = find(connection);
    if (link == nullptr || expiry(*link) > now) {
        return;
    }
    out.push_back({Kind::close, connection, 0, {}});
    if (link->state == State::connecting) {
        connectFailed(connection, Error{Code::notSent, "no connection in time"}, now, out);
        return;
    }
    if (link->state == State::busy) {
        fail(link->job.id, Code::deadlineExceeded,
             link->job.answered ? "the answer did not end in time" : "no answer in time", out);
    }
    erase(connection);
}

void BmcPool::tick(Instant now, BmcActions& out)
{
    std::vector<BmcConnection> ids;
    for (const Link& link : links) {
        ids.push_back(link.id);
    }
    const bool served = serves();  // before they run out of time themselves
    for (const BmcConnection id : ids) {
        expire(id, now, out);
    }
    for (const BmcJob& job : waiting) {
        if (job.deadline <= now) {
            fail(job.id, served ? Code::full : Code::notSent, "no connection was free until the deadline", out);
        }
    }
    std::erase_if(waiting, [&](const BmcJob& job) { return job.deadline <= now; });

    wake = never;
    pump(now, out);
    for (const Link& link : links) {
        wakeBy(expiry(link));
    }
    for (const BmcJob& job : waiting) {
        wakeBy(job.deadline);
    }
}

void BmcPool::closeAll(bool idleToo, const std::string& why, BmcActions& out)
{
    for (const Link& link : links) {
        if (link.state == State::idle && !idleToo) {
            continue;
        }
        out.push_back({Kind::close, link.id, 0, {}});
        if (link.state == State::busy) {
            fail(link.job.id, link.job.answered ? Code::corrupt : Code::outcomeUnknown, why, out);
        }
    }
    for (const BmcJob& job : waiting) {
        fail(job.id, Code::notSent, why, out);
    }
    std::erase_if(links, [&](const Link& link) { return link.state != State::idle || idleToo; });
    waiting.clear();
}

}  // namespace mesh::connector
