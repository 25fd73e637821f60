#pragma once

#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mesh::aggregator {

struct PeerAddress {
    std::string name;
    std::string endpoint;
    std::string key;  // public, Z85
};

struct Config {
    std::string name;
    std::string keyFile;
    std::string meshBind;
    std::string peersBind;  // empty: no peers
    std::vector<PeerAddress> peers;
    std::string facadeBind;
    std::string certificateFile;  // empty: made at first start, in the state directory
    std::string certificateKeyFile;
    std::vector<std::string> certificateNames;  // of the one that is made
    bool plainHttp = false;       // tests and benchmarks on loopback
    Duration collectionDeadline{};  // of one satellite, where a collection has to be fetched
    Duration idleTimeout{};
    std::uint64_t maxBody = 0;
    std::string registryFile;
    std::string accountsFile;
};

// Reads aggregator.yaml. Errors name file, line and what was expected.
Result<Config> loadConfig(const std::string& path);

}  // namespace mesh::aggregator
