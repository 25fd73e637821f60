#pragma once

#include "shoset/base/result.hpp"

#include <cstdint>
#include <string>

namespace mesh::connector {

// The small files of the connector's state directory, each of which is replaced as a whole.
enum class StateFile : std::uint8_t {
    fence,        // the highest fence seen (FenceGuard)
    aggregators,  // the list that an aggregator told last (Contacts)
    configuration,  // what it is configured as, and how far that is (Configuration)
    rotation,     // what the next key was made for (KeyRotation); saved with that key, not by StatePort
    secrets,      // keys that secrets are sealed to, and versions seen (Secrets): itself a secret
};

// Implemented by files that are synced; answers with Connector::onSaved.
class StatePort {
public:
    virtual ~StatePort() = default;
    // After a crash either the old or the new content is there. One at a time for each file.
    virtual void save(StateFile file, std::string content) = 0;
};

}  // namespace mesh::connector
