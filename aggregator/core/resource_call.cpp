#include "aggregator/core/resource_call.hpp"

#include "cluster/core/feature_level.hpp"
#include "shoset/base/limits.hpp"

#include <optional>

namespace mesh::aggregator {

namespace {

Answer notProposed(const Error& error)
{
    if (error.code == Code::outcomeUnknown) {
        return errorAnswer(504, {"OperationTimeout", {}, {}},
                           "The change was passed on but not confirmed (" + error.message +
                               "). Whether it was made is not known.");
    }
    if (error.code == Code::ioError) {
        return errorAnswer(500, {"InternalError", {}, {}}, "The change could not be stored: " + error.message + ".");
    }
    return temporarilyUnavailable("Nothing was changed: " + error.message + ". The request may be repeated.");
}

// `unknown`: what an earlier attempt ended with. What a later one was refused for does not undo it.
void attempt(const ResourceContext& context, CallPtr call, cluster::Command command,
             std::function<void(const cluster::Applied&)> then, std::size_t attemptsLeft, std::optional<Error> unknown)
{
    cluster::Command again = command;
    if (again.since == 0 && context.engine.state().featureLevel >= cluster::clusterFeatureLevel) {
        again.since = context.engine.state().revision;
    }
    context.engine.propose(
        std::move(command), call->now.mono + limits::defaultRequestDeadline,
        [context, call, again = std::move(again), then = std::move(then), attemptsLeft,
         unknown = std::move(unknown)](Result<cluster::Applied> applied) {
            if (applied && applied->error.code == Code::outcomeUnknown) {  // a repeat that came too late
                call->answer(notProposed(applied->error));
            } else if (applied) {
                then(*applied);
            } else if (applied.error().code == Code::outcomeUnknown && attemptsLeft > 1) {
                attempt(context, call, again, then, attemptsLeft - 1, applied.error());
            } else {
                call->answer(notProposed(unknown ? *unknown : applied.error()));
            }
        });
}

}  // namespace

const std::string& Call::tenant() const
{
    static const std::string system;
    return who == nullptr ? system : who->tenant;
}

void propose(const ResourceContext& context, CallPtr call, cluster::Operation operation,
             std::function<void(const cluster::Applied&)> then)
{
    const Now now = call->now;
    attempt(context, std::move(call), {MessageId::make(now.wall, context.rng), now.wall, std::move(operation)},
            std::move(then), limits::maxProposalAttempts, std::nullopt);
}

}  // namespace mesh::aggregator
