#include "shoset/core/outcome.hpp"

namespace mesh::shoset {

bool provesNotExecuted(Code code)
{
    switch (code) {
        case Code::notSent:
        case Code::notFound:
        case Code::unsupported:
        case Code::invalidArgument:
        case Code::permissionDenied:
        case Code::tooLarge:
        case Code::full:
        case Code::deadlineExceeded: return true;
        default: return false;
    }
}

const char* executedWord(ReplyState state, Code code, bool workerReported)
{
    if (state == ReplyState::success || workerReported) {
        return "yes";
    }
    return state == ReplyState::fail && provesNotExecuted(code) ? "no" : "unknown";
}

const char* stateName(ReplyState state)
{
    switch (state) {
        case ReplyState::onGoing: return "ON_GOING";
        case ReplyState::success: return "SUCCESS";
        case ReplyState::fail: return "FAIL";
    }
    return "FAIL";
}

}  // namespace mesh::shoset
