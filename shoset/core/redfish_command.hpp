#pragma once

#include "shoset/base/http.hpp"
#include "shoset/base/result.hpp"

#include <array>
#include <string>
#include <string_view>

namespace mesh::shoset {

// Commands that every connector executes itself, on its own BMC: "redfish.get" and the like, of connector type "redfish" 1.0.
// Their payload is {"uri": "/redfish/v1/…" as the BMC spells it, "body": JSON, "headers": {…}}; the latter two may be missing.
constexpr std::string_view redfishType = "redfish";
constexpr std::array<std::string_view, 4> redfishCommands{"redfish.delete", "redfish.get", "redfish.patch", "redfish.post"};
bool isRedfishCommand(std::string_view name);

struct RedfishCommand {
    std::string method;
    std::string uri;   // of /redfish/v1, with its query; what else it has to be is for who knows URIs to check
    std::string body;  // JSON in its shortest form, or empty
    Headers headers;   // If-Match, If-None-Match and Accept, as they were given
};
// Code::invalidArgument says what was expected.
Result<RedfishCommand> parseRedfishCommand(std::string_view name, std::string_view payload);

}  // namespace mesh::shoset
