#pragma once

#include "deploy/meshctl/session.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace mesh::ctl {

// A request to the admin API below /mesh/v1/, or another that answers in JSON objects; a null `body` sends none. The parsed
// answer (empty where there was none), or what went wrong in a sentence; Code::refused when the node refused it.
Result<nlohmann::json> ask(Connection& connection, const std::string& method, const std::string& target,
                           const nlohmann::json& body);

// What a node knows of a member of the cluster (an entry of cluster.members in /mesh/v1/status), on one line.
std::string whatIsKnown(const nlohmann::json& member);

// The body of a 200, whatever it is; errors as of ask().
Result<std::string> download(Connection& connection, const std::string& target);

// The end of a command: the sentence on stdout, or the error on stderr; the exit status.
int done(const Result<void>& result, const std::string& sentence);

}  // namespace mesh::ctl
