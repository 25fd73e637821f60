#include "aggregator/core/command_deeds.hpp"

#include "shoset/core/redfish_command.hpp"

#include <algorithm>

namespace mesh::aggregator {

std::string commandUri(const std::string& tenant, const shoset::Target& to, const std::string& command, std::string_view payload)
{
    const std::string target = !to.name.empty() ? to.name : (to.all ? "all:" : "type:") + to.type;
    std::string uri = "/mesh/v1/commands/" + tenant + "/" + target + "/" + command;
    if (shoset::isRedfishCommand(command)) {
        if (const Result<shoset::RedfishCommand> request = shoset::parseRedfishCommand(command, payload)) {
            uri += request->uri;
        }
    }
    return uri;
}

int statusOf(Code code)
{
    switch (code) {
        case Code::ok: return 200;
        case Code::invalidArgument: return 400;
        case Code::permissionDenied: return 403;
        case Code::notFound: return 404;
        case Code::tooLarge: return 413;
        case Code::unsupported: return 409;
        case Code::deadlineExceeded:
        case Code::outcomeUnknown: return 504;
        default: return 503;
    }
}

int statusOf(const CommandRecord& record)
{
    int worst = 200;
    for (const CommandPart& part : record.parts) {
        const bool failed = part.state == shoset::ReplyState::fail;
        worst = std::max(worst, !failed ? 200 : part.failure.empty() ? statusOf(part.code) : 500);
    }
    return worst;
}

}  // namespace mesh::aggregator
