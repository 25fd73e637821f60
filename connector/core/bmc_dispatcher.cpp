#include "connector/core/bmc_dispatcher.hpp"

#include "connector/core/bmc_request.hpp"

#include <utility>

namespace mesh::connector {

using Kind = BmcAction::Kind;

BmcDispatcher::BmcDispatcher(std::string bmcName, BmcAuth auth, std::string user, const std::string& password, Rng& rng,
                             BmcPool::Options options)
    : name(std::move(bmcName)), pool(name, options), login(name, auth, std::move(user), password, rng)
{
}

void BmcDispatcher::fail(BmcExchange id, Code code, const std::string& why)
{
    actions.push_back({Kind::fail, 0, id, Error{code, name + ": " + why}});
}

const Header* BmcDispatcher::credential(BmcExchange id) const
{
    const bool creatingSession = isInternal(id) && request.head.method == "POST";
    return creatingSession ? nullptr : login.credential();
}

void BmcDispatcher::start(BmcExchange id, bool repeatable, Instant deadline, Instant now)
{
    if (stopping) {
        fail(id, Code::notSent, "the connector is stopping");
        return;
    }
    const BmcLogin::Gate gate = login.gate(now);
    if (gate == BmcLogin::Gate::refused) {
        actions.push_back({Kind::fail, 0, id, login.refusal(now)});
        return;
    }
    if (gate == BmcLogin::Gate::needed) {
        beginLogin(now);
    }
    BmcJob job;
    job.id = id;
    job.repeatable = repeatable;
    job.early = (id & watchExchange) != 0;
    job.deadline = deadline;
    pool.start(std::move(job), now, actions);
    settle(now);
}

void BmcDispatcher::beginLogin(Instant now)
{
    if (std::exchange(farewell, false)) {
        pool.cancel(internal, now, actions);
        actions.push_back({Kind::fail, 0, internal, {}});  // the shell forgets it
    }
    pool.hold();
    startInternal(login.begin(), limits::bmcLoginDeadline, now);
}

// When nothing is under way with it any more: some BMCs look at a token again at the end of a request.
void BmcDispatcher::endSuperseded(Instant now)
{
    if (internal != 0 || stopping || !login.hasSuperseded() || pool.carriesOlder(login.generation())) {
        return;
    }
    if (std::optional<BmcLogin::Request> bye = login.endSuperseded()) {
        farewell = true;
        startInternal(std::move(*bye), limits::bmcLoginDeadline, now);
    }
}

// Repeatable: a session created twice is a session too many, not a harm.
void BmcDispatcher::startInternal(BmcLogin::Request what, Duration allowed, Instant now)
{
    request = std::move(what);
    internal = ++lastInternal;
    loginResult.reset();
    BmcJob job;
    job.id = internal;
    job.repeatable = true;
    job.urgent = true;
    job.deadline = now + allowed;
    pool.start(std::move(job), now, actions);
}

void BmcDispatcher::cancel(BmcExchange id, Instant now)
{
    pool.cancel(id, now, actions);
    settle(now);
}

void BmcDispatcher::connected(BmcConnection connection, Instant now)
{
    pool.connected(connection, now, actions);
    settle(now);
}

void BmcDispatcher::connectFailed(BmcConnection connection, const Error& error, Instant now)
{
    pool.connectFailed(connection, error, now, actions);
    settle(now);
}

BmcDispatcher::Answer BmcDispatcher::head(BmcConnection connection, const ResponseHead& head, Instant now)
{
    BmcJob* job = pool.job(connection);
    if (job == nullptr) {
        return Answer::discard;
    }
    job->answered = true;
    if (isInternal(job->id)) {
        if (!stopping && !farewell) {
            loginResult = login.answered(head, now);
        }
        return Answer::discard;
    }
    if (head.status == 401) {
        job->unauthorized = true;
        return Answer::discard;
    }
    if (job->reauthorized) {
        login.accepted();
    }
    if (isEventStream(head.headers)) {
        pool.endless(connection, now, actions);
        settle(now);
        return pool.job(connection) == nullptr ? Answer::discard : Answer::deliver;
    }
    return Answer::deliver;
}

void BmcDispatcher::finished(BmcConnection connection, bool reusable, bool replayable, Instant now)
{
    const BmcJob* job = pool.job(connection);
    if (job != nullptr && isInternal(job->id)) {
        pool.finished(connection, reusable, now, actions);
        endInternal(now);
    } else if (job != nullptr && job->unauthorized) {
        resend(connection, reusable, replayable, now);
    } else {
        pool.finished(connection, reusable, now, actions);
    }
    settle(now);
}

void BmcDispatcher::lost(BmcConnection connection, bool nothingSent, bool replayable, const std::string& why,
                         Instant now)
{
    const BmcJob* job = pool.job(connection);
    // The head has said all there is to know; that its body was cut changes nothing.
    if (job != nullptr && (job->unauthorized || (isInternal(job->id) && loginResult))) {
        finished(connection, false, replayable, now);
        return;
    }
    pool.lost(connection, nothingSent, replayable, why, now, actions);
    settle(now);
}

// After a 401, which proves that the request was not executed.
void BmcDispatcher::resend(BmcConnection connection, bool reusable, bool replayable, Instant now)
{
    using Gate = BmcLogin::Gate;
    BmcJob* job = pool.job(connection);
    const BmcExchange id = job->id;
    const BmcLogin::Verdict verdict = login.unauthorized(job->generation, job->reauthorized, now);
    const Gate gate = login.gate(now);
    const bool renew = verdict == BmcLogin::Verdict::relogin ||
                       (verdict == BmcLogin::Verdict::repeat && gate == Gate::needed);
    if (renew) {
        pool.hold();
    }
    if (verdict != BmcLogin::Verdict::refuse && gate != Gate::refused && replayable) {
        job->unauthorized = false;
        job->reauthorized = true;
        pool.again(connection, reusable, now, actions);
    } else {
        pool.finished(connection, reusable, now, actions);
        if (verdict == BmcLogin::Verdict::refuse) {
            fail(id, Code::refused, "answered 401 (unauthorized)");
        } else if (gate == Gate::refused) {
            actions.push_back({Kind::fail, 0, id, login.refusal(now)});
        } else {
            fail(id, Code::notSent, "not executed, the session had expired; the body is gone and cannot be repeated");
        }
    }
    if (renew) {
        beginLogin(now);
    }
}

void BmcDispatcher::endInternal(Instant now)
{
    internal = 0;
    wipe(request.body);
    if (stopping) {
        pool.closeAll(true, "the connector is stopping", actions);
        actions.push_back({Kind::stopped, 0, 0, {}});
        return;
    }
    if (std::exchange(farewell, false)) {
        return;  // what was answered does not matter
    }
    const Result<void> result =
        loginResult ? *loginResult : Result<void>(Error{Code::notSent, name + ": login was not answered"});
    if (!loginResult) {
        login.failed();
    }
    loginResult.reset();
    if (!result) {
        pool.failWaiting(result.error(), actions);
    }
    pool.release(now, actions);
}

// What the pool decided about our own exchanges stays here, and every request is marked with its credential.
void BmcDispatcher::settle(Instant now)
{
    endSuperseded(now);
    for (std::size_t i = 0; i < actions.size(); ++i) {
        BmcAction& action = actions[i];
        if (action.kind == Kind::send) {
            if (BmcJob* job = pool.job(action.connection)) {
                job->generation = login.generation();
            }
        } else if (action.kind == Kind::fail && isInternal(action.exchange) && action.exchange == internal) {
            endInternal(now);
        }
    }
}

void BmcDispatcher::tick(Instant now)
{
    pool.tick(now, actions);
    settle(now);
}

void BmcDispatcher::stop(Instant now)
{
    if (stopping) {
        return;
    }
    stopping = true;
    pool.closeAll(false, "the connector is stopping", actions);
    if (internal != 0) {
        internal = 0;
        if (!std::exchange(farewell, false)) {
            login.failed();
        }
    }
    pool.hold();
    if (std::optional<BmcLogin::Request> bye = login.logout()) {
        startInternal(std::move(*bye), limits::bmcLogoutDeadline, now);
        settle(now);
    } else {
        pool.closeAll(true, {}, actions);
        actions.push_back({Kind::stopped, 0, 0, {}});
    }
}

}  // namespace mesh::connector
