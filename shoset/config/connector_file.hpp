#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mesh::config {

// What a program that sets up a connector writes as its configuration. Empty: not written.
struct ConnectorFile {
    struct Aggregator {
        std::string name, endpoint, key;
    };
    std::string comment;  // the first line
    std::string name;
    std::string key;               // file
    std::uint64_t assignment = 0;  // 0: none
    std::vector<Aggregator> aggregators;
    std::string url;
    std::string user;  // empty: no authentication
    std::string passwordFile;    // this,
    std::string passwordSealed;  // or this and
    std::string sealingKey;      // what opens it
    std::string ca;  // file
    std::string fingerprint;
    bool insecure = false;
    std::vector<std::string> operators;  // of secrets
    std::string tenant;                  // whose secrets it takes, if it has operators
};

// YAML, as connector/config.hpp reads it; whatever stands in the values.
std::string toYaml(const ConnectorFile& file);

}  // namespace mesh::config
