#include "aggregator/core/enrolment.hpp"

#include "cluster/core/enrolments.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/frame.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

namespace {

// The one record of a frame, if it is a well-formed question.
std::optional<shoset::Message> questionOf(std::string_view frame)
{
    shoset::FrameReader reader(frame);
    const Result<std::optional<shoset::Record>> record = reader.next();
    if (!record || !*record || (*record)->prelude.kind != shoset::Kind::enrol) {
        return std::nullopt;
    }
    Result<shoset::Message> message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
    return message ? std::optional(std::move(*message)) : std::nullopt;
}

}  // namespace

std::optional<shoset::Aggregators> aggregatorsOf(const cluster::State& state)
{
    shoset::Aggregators out;
    out.generation = state.generation;
    out.revision = state.revision;
    for (const auto& [id, node] : state.nodes) {
        if (node.witness) {
            continue;
        }
        if (node.meshEndpoint.empty()) {
            return std::nullopt;
        }
        out.list.push_back({node.name, node.meshEndpoint, node.key});
    }
    return out.list.empty() ? std::nullopt : std::optional(std::move(out));
}

Enrolment::Enrolment(std::string nodeName, cluster::StateEngine& stateEngine, CatchUp& catching, Rng& random)
    : name(std::move(nodeName)), engine(stateEngine), catchUp(catching), rng(random)
{
}

bool Enrolment::isWanted(Now now) const
{
    const auto& all = engine.state().enrolments;
    return std::any_of(all.begin(), all.end(), [now](const auto& entry) { return cluster::isAnswered(entry.second, now.wall); });
}

Duration Enrolment::nextChange(Now now) const
{
    Duration next = limits::enrolmentLook;
    for (const auto& [id, enrolment] : engine.state().enrolments) {
        if (cluster::isAnswered(enrolment, now.wall)) {
            next = std::min<Duration>(next, enrolment.expiresAt - now.wall);
        }
    }
    return next;
}

bool Enrolment::withinRate(Instant now)
{
    if (now - second >= 1s) {
        second = now;
        inSecond = 0;
    }
    return ++inSecond <= limits::enrolmentsPerSecond;
}

void Enrolment::onFrame(const std::string& key, std::string_view frame, Now now, Answer answer)
{
    ++count.asked;
    if (!withinRate(now.mono)) {
        ++count.limited;
        return answer({});
    }
    const std::optional<shoset::Message> message = questionOf(frame);
    const auto* question = message ? std::get_if<shoset::Enrol>(&message->content) : nullptr;
    if (question == nullptr) {
        ++count.malformed;
        return answer({});
    }
    consume(key, cluster::hashSecret(question->secret), now, std::move(answer), true);
}

// `mayBeNew`: a secret that is not known here may have been made elsewhere a moment ago.
void Enrolment::consume(const std::string& key, const std::string& secretHash, Now now, Answer answer, bool mayBeNew)
{
    const auto& outstanding = engine.state().enrolments;
    const bool known = std::any_of(outstanding.begin(), outstanding.end(),
                                   [&](const auto& entry) { return entry.second.secretHash == secretHash; });
    if (!known && mayBeNew && catchUp.isBehind()) {
        return catchUp.run(now.mono, [this, key, secretHash, now, answer, owner = std::weak_ptr<int>(alive)](const Result<void>&) {
            if (!owner.expired()) {
                consume(key, secretHash, now, answer, false);
            }
        });
    }
    if (!known) {
        return refuse({Code::permissionDenied, "the secret is not known here, was used, or has expired"}, key, answer);
    }
    if (!aggregatorsOf(engine.state())) {
        return refuse({Code::unavailable, "not every node has said where connectors reach it"}, key, answer);
    }
    engine.propose({MessageId::make(now.wall, rng), now.wall, cluster::ConsumeEnrolment{secretHash, key}},
                   now.mono + limits::handshakeTimeout,
                   [this, key, secretHash, answer, owner = std::weak_ptr<int>(alive)](const Result<cluster::Applied>& applied) {
                       if (owner.expired()) {
                           return;
                       }
                       if (!applied || !applied->ok()) {
                           countRefused(applied ? applied->error : applied.error(), secretHash);
                           return refuse(applied ? applied->error : applied.error(), key, answer);
                       }
                       ++count.enrolled;
                       shoset::Enrolled welcome;
                       const std::size_t slash = applied->value.find('/');
                       welcome.tenant = applied->value.substr(0, slash);
                       welcome.name = applied->value.substr(slash + 1);
                       welcome.aggregators = aggregatorsOf(engine.state()).value_or(shoset::Aggregators{});
                       answer(encode(key, std::move(welcome)));
                   });
}

void Enrolment::countRefused(const Error& error, const std::string& secretHash)
{
    const cluster::State& state = engine.state();
    const auto id = state.enrolmentIdBySecretHash.find(secretHash);
    if (quotas != nullptr && id != state.enrolmentIdBySecretHash.end()) {
        quotas->connectorRefused(error, state.registry, state.enrolments.at(id->second).tenant);
    }
}

void Enrolment::refuse(const Error& error, const std::string& key, const Answer& answer)
{
    ++count.refused;
    shoset::Enrolled refusal;
    refusal.code = error.code;
    refusal.refusal = error.message;
    answer(encode(key, std::move(refusal)));
}

std::string Enrolment::encode(const std::string& key, shoset::Enrolled content) const
{
    shoset::Prelude prelude;
    prelude.kind = shoset::Kind::enrolled;
    prelude.flags = shoset::flagLast;
    std::string frame;
    shoset::appendRecord(frame, prelude, shoset::encodeHeader({{}, name, key, std::move(content)}), {});
    return frame;
}

}  // namespace mesh::aggregator
