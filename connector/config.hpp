#pragma once

#include "connector/core/connector.hpp"
#include "connector/redfish/client.hpp"
#include "shoset/base/result.hpp"

#include <string>

namespace mesh::connector {

struct Config {
    std::string name;
    std::string keyFile;
    std::string workerSocket;  // path; empty: no worker may attach
    BmcTarget target;
    ConnectorSettings settings;
};

// Reads connector.yaml, the password file and the policy file that it names. Errors name file, line and what was expected.
Result<Config> loadConfig(const std::string& path);

}  // namespace mesh::connector
