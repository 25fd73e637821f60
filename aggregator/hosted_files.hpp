#pragma once

#include "aggregator/core/hosting.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/sealing/secret_bytes.hpp"
#include "shoset/zmq/keys.hpp"

#include <set>
#include <string>

// The files of connectors that this node runs, one folder "SOURCE.ASSIGNMENT" for each. Blocking: for the worker thread.
namespace mesh::aggregator {

// The configuration in such a folder.
std::string hostedConfig(const std::string& folder);

// Writes them, mode 0600 in a folder of mode 0700, and returns the connector's public key. A key pair and a fence that are
// there stay. The BMC's password stays sealed, for the connector to open with `keyFile`; one that is still sealed as older programs
// did is opened with `own`, and stands there in the clear until the cluster has it sealed anew.
Result<std::string> writeHostedFiles(const std::string& folder, const HostedConnector& connector, const shoset::KeyPair& own,
                                     const std::string& keyFile);

// Removes the folders below `directory` of assignments up to `upTo` but those of `keep`. What it is not meant to know stays.
void removeHostedFiles(const std::string& directory, const std::set<Hosted>& keep, cluster::Revision upTo);

}  // namespace mesh::aggregator
