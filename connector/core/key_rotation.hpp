#pragma once

#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace mesh::connector {

// What the key files hold at the start; public halves, Z85.
struct KeysOnDisk {
    std::string current;
    std::string next;  // made for a rotation that had not ended; empty: none
    std::string note;  // as given to ConnectorPort::makeKey() with it; empty: lost
};

// What is to be done with the key files.
enum class KeyStep : std::uint8_t {
    none,
    make,  // a next key
    adopt,  // the next key as the current one, which is dead
    drop,  // the next key
};

// The connector's part in the rotation of its key. What the aggregators tell of the key decides alone, whoever tells it
// and however often, so that a restart of either side at any moment changes nothing:
//
//   told                                    next key   what is done
//   wanted                                  none       make one
//   wanted, pending is none or another's    there      offer it; where it was pending before, it is void: drop it
//   pending is the next key                 there      connect with it (Connector does)
//   in force is the next key                there      adopt it
//   not wanted                              there      drop it: the rotation was cancelled
//
// A key that may come into force must not be dropped, and an aggregator that lags behind tells of times gone by. So
// what is older than what was told before counts for nothing, and with the next key a note is kept of what it was made
// for: it is dropped only by what is newer. Pure.
class KeyRotation {
public:
    void load(const KeysOnDisk& keys);
    // There are keys that can be changed.
    bool isAble() const { return !currentKey.empty(); }
    const std::string& current() const { return currentKey; }
    const std::string& next() const { return nextKey; }

    // False: it is older than what was told before.
    bool take(const shoset::KeyStatus& told);
    // What is to be done now; the answer has to be told to onStep() before there is another.
    KeyStep step(Instant now);
    // What step() said is done; of `make`, the public half. After an error it is said again, limits::keyRetry later.
    void onStep(const Result<std::string>& done, Instant now);
    // The next key has to be offered.
    bool isOffered() const;
    // Whoever tells this admits the next key.
    bool admitsNext(const shoset::KeyStatus& told) const;
    // Of the status that asked for the key that is being made, for ConnectorPort::makeKey(): "<generation> <revision>".
    std::string note() const;
    Instant nextDeadline() const { return retryAt; }

private:
    using Order = std::pair<std::uint64_t, std::uint64_t>;
    static Order orderOf(const shoset::KeyStatus& told) { return {told.generation, told.revision}; }
    KeyStep wantedStep() const;
    bool isVoid() const;

    std::string currentKey;
    std::string nextKey;
    std::optional<Order> madeFor;  // nothing: not known, and the next key is older than all that is told
    bool wasPending = false;      // the next key, in what was told
    std::optional<shoset::KeyStatus> latest;
    KeyStep running = KeyStep::none;
    Instant retryAt = never;  // after a step that failed
};

} // namespace mesh::connector
