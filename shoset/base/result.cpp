#include "shoset/base/result.hpp"

namespace mesh {

const char* codeName(Code code)
{
    switch (code) {
        case Code::ok: return "ok";
        case Code::invalidArgument: return "invalid_argument";
        case Code::notFound: return "not_found";
        case Code::alreadyExists: return "already_exists";
        case Code::permissionDenied: return "permission_denied";
        case Code::unauthenticated: return "unauthenticated";
        case Code::preconditionFailed: return "precondition_failed";
        case Code::tooLarge: return "too_large";
        case Code::full: return "full";
        case Code::notSent: return "not_sent";
        case Code::outcomeUnknown: return "outcome_unknown";
        case Code::refused: return "refused";
        case Code::deadlineExceeded: return "deadline_exceeded";
        case Code::unavailable: return "unavailable";
        case Code::corrupt: return "corrupt";
        case Code::ioError: return "io_error";
        case Code::unsupported: return "unsupported";
    }
    return "unknown";
}

}  // namespace mesh
