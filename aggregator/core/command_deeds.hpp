#pragma once

#include "aggregator/core/command_record.hpp"

#include <string>
#include <string_view>

namespace mesh::aggregator {

// How a command stands in the audit trail: "/mesh/v1/commands/acme/sled07/power.cycle", of a connector type "type:chassis" or
// "all:chassis" in place of the name. One of redfish.* ends with what is asked for on the BMC.
std::string commandUri(const std::string& tenant, const shoset::Target& to, const std::string& command, std::string_view payload);
// What came of it, as an HTTP status: 200; 500 where a worker has failed; 504 where nobody knows; else why it was not executed.
int statusOf(const CommandRecord& record);
int statusOf(Code code);

}  // namespace mesh::aggregator
