#include "connector/core/enroller.hpp"

#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/frame.hpp"

#include <utility>

namespace mesh::connector {

using shoset::Enrolled;

Enroller::Enroller(std::vector<shoset::AggregatorAddress> places, std::string proof, EnrolPort& shell)
    : aggregators(std::move(places)), secret(std::move(proof)), port(shell)
{
}

void Enroller::start(Now now)
{
    current = 0;
    tryNext(now);
}

void Enroller::tryNext(Now now)
{
    if (current == aggregators.size()) {
        deadline = never;
        ended = failure.code == Code::ok ? Error{Code::unavailable, "there is no aggregator to ask"} : failure;
        return;
    }
    trouble = "no answer";
    deadline = now.mono + limits::enrolPatience;
    port.dial(aggregators[current]);
}

void Enroller::onConnected(Now)
{
    if (ended) {
        return;
    }
    trouble = "connected, but no answer";
    std::string frame;
    shoset::appendRecord(frame, {shoset::Kind::enrol, shoset::flagLast, 0, shoset::noDeadline, 0},
                         shoset::encodeHeader({{}, {}, {}, shoset::Enrol{secret}}), {});
    port.send(std::move(frame));
}

void Enroller::onTrouble(const std::string& reason)
{
    trouble = reason;
}

void Enroller::onFrame(std::string_view frame, Now now)
{
    if (ended) {
        return;
    }
    Result<Enrolled> answer = answerIn(frame);
    if (answer) {
        deadline = never;
        ended = std::move(answer);
    } else {
        giveUpOn(answer.error(), now);
    }
}

Result<Enrolled> Enroller::answerIn(std::string_view frame) const
{
    const Error unreadable{Code::corrupt, "answered what is no enrolment"};
    const Result<std::optional<shoset::Record>> record = shoset::FrameReader(frame).next();
    if (!record || !record->has_value()) {
        return unreadable;
    }
    Result<shoset::Message> message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
    auto* enrolled = message ? std::get_if<Enrolled>(&message->content) : nullptr;
    if (enrolled == nullptr) {
        return unreadable;
    }
    if (enrolled->code != Code::ok) {
        return Error{enrolled->code, "refused: " + enrolled->refusal};
    }
    if (!isValidName(enrolled->tenant) || !isValidName(enrolled->name) ||
        !shoset::checkAggregators(enrolled->aggregators.list)) {
        return unreadable;
    }
    return std::move(*enrolled);
}

void Enroller::onTimer(Now now)
{
    if (now.mono >= deadline) {
        giveUpOn({Code::unavailable, trouble}, now);
    }
}

void Enroller::giveUpOn(const Error& error, Now now)
{
    const std::string sentence = aggregators[current].name + ": " + error.message;
    const bool isRefusal = error.code != Code::unavailable;
    if (failure.code == Code::ok || (isRefusal && failure.code == Code::unavailable)) {
        failure.code = error.code;
    }
    failure.message += (failure.message.empty() ? "" : "; ") + sentence;
    ++current;
    tryNext(now);
}

}  // namespace mesh::connector
