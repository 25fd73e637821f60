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
    bool operator==(const PeerAddress&) const = default;
};

// What becomes of a write whose author cannot be recorded (AuditMode of aggregator/core).
enum class AuditWish { required, bestEffort, off };

struct Config {
    std::string name;
    std::string keyFile;
    bool busyPoll = true;        // where that pays (host::BusyPoll)
    std::string meshBind;
    std::string meshAdvertise;   // what connectors are told; empty: not known
    std::string peersBind;       // empty: no peers
    std::string peersAdvertise;  // what the other nodes are told; empty: not known
    std::vector<PeerAddress> peers;
    std::string enrolBind;
    std::string enrolAdvertise;  // what new connectors are told; empty: not known
    std::string facadeBind;
    std::string certificateFile;  // empty: made at first start, in the state directory
    std::string certificateKeyFile;
    std::vector<std::string> certificateNames;  // of the one that is made
    bool plainHttp = false;       // tests and benchmarks on loopback
    Duration collectionDeadline{};  // of one satellite, where a collection has to be fetched
    Duration idleTimeout{};
    std::uint64_t maxBody = 0;
    std::string registryFile;     // empty: tenants and connectors are in the cluster's state
    std::string accountsFile;     // of a node from before there was a cluster: taken over at the first start
    std::string clusterDirectory; // empty: below the state directory
    Duration electionTimeout{};   // without a word from the primary
    Duration clusterHeartbeat{};
    std::uint32_t newestFeatureLevel = 0;  // that this node behaves as if it knew; 0: what it does know
    std::string onPrimary;        // executables that follow this node's part; empty: none
    std::string onStandby;
    std::string primaryTarget;    // unit of systemd that is active where the primary is; empty: none
    std::string systemctl;        // the program that starts and stops it, an absolute path
    Duration authorityLease{};    // for writes to satellites, after the majority was lost
    std::string historyDatabase;  // URL; empty: SQLite in the state directory
    AuditWish audit = AuditWish::required;
    Duration historyKeep{};
    std::uint64_t historyMaxSize = 0;
    Duration eventsKeep{};
    std::uint64_t eventsMaxSize = 0;
    std::string historySyslog;    // Unix datagram socket that gets each record; empty: none
    bool witness = false;         // votes, and serves neither clients nor connectors
};

// Reads aggregator.yaml. Errors name file, line and what was expected. `witness`: the command line says that it is one, as
// cluster.witness in the file does; what a witness has no use for is an error then.
Result<Config> loadConfig(const std::string& path, bool witness = false);

}  // namespace mesh::aggregator
