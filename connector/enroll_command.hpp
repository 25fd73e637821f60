#pragma once

#include "shoset/base/result.hpp"

#include <string>

namespace mesh::connector {

struct EnrollOptions {
    std::string config;      // connector.yaml, to be written
    std::string state;       // state directory
    std::string joinString;  // "-": read from standard input
    std::string key;         // file, made unless it is there; empty: connector.key beside the configuration
    std::string keyAs;       // the path that the configuration names instead, where the service sees the key elsewhere
    bool force = false;      // replace a configuration that is there
    std::string targetUrl = "https://127.0.0.1";
    std::string targetUser;  // empty: no authentication
    std::string targetPasswordFile;
    std::string targetCa;
    bool targetInsecure = false;
    std::string secretsOperator;  // whose secrets the connector takes; empty: none
};

// `mesh-connectord enroll`: makes a key pair on this machine, has it registered by the mesh that the join string is of,
// and writes the configuration. Blocking. Nothing is spent when the configuration is there already; an enrolment whose
// answer was lost may be repeated with the same join string, since the key file stays. Returns what to tell the operator.
Result<std::string> enroll(const EnrollOptions& options);

}  // namespace mesh::connector
