#pragma once

#include "aggregator/core/node_view.hpp"
#include "cluster/core/state_engine.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"
#include "shoset/sealing/secret_bytes.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

// Where a tenant's history is to live, as an operator has said it.
struct WantedPlace {
    std::string name;    // see history::checkPlace(); empty: each node's own database
    std::string secret;  // of the tenant, with the password for it; empty: it needs none
    bool operator==(const WantedPlace&) const = default;
};

// Who opens databases and moves histories. Implemented by the shell.
class HistoryPlacesPort {
public:
    // The password in a secret of the tenant, or why it cannot be read here.
    using Secrets = std::function<Result<std::string>(const std::string& tenant, const std::string& secret)>;
    // It has moved to `place`, or `failure` says why not; for people.
    using News = std::function<void(const std::string& tenant, const std::string& place, const std::string& failure, Now)>;
    virtual ~HistoryPlacesPort() = default;
    virtual void start(Secrets secrets, News news) = 0;
    // Of the tenants there are, but for those whose place is not understood here: their histories stay where they are. Not before this
    // node has once caught up with the cluster. Passwords may be others than before.
    virtual void setPlaces(std::map<std::string, WantedPlace> places) = 0;
    virtual std::vector<PlaceStatus> statuses() const = 0;
};

// Documents of the kind `database`: of a tenant, where its history is to live; of the system, by node, the key that passwords for that
// node are sealed to.
// Of the tenant: that of each node's own database where nothing is said, or why nobody here can make sense of it.
Result<WantedPlace> placeOf(const cluster::State& state, const std::string& tenant);
std::string placeText(const WantedPlace& place);
cluster::DocumentName placeDocument(const std::string& tenant);
// Keys (raw) of the nodes of the cluster, by name.
std::map<std::string, std::string> nodeKeys(const cluster::State& state);
// What a node is called among the recipients of a secret.
std::string nodeRecipient(std::string_view node);

// Follows the replicated state: tells the shell where each tenant's history is to be, opens the passwords that are sealed to this node
// for that and for nothing else, and tells the cluster the key to seal them to. Places are told once this node has caught up with the
// cluster for the first time: one that has just started may know an old state, in which no tenant has a place of its own yet.
class HistoryPlaces {
public:
    struct Environment {
        std::string node;
        std::optional<sealing::Seed> seed;                  // none: this node reads no secrets
        std::function<void(Now)> onLanes;                   // HistoryPort::laneOf() may have changed
        // Records an event of the mesh's own (topic mesh.error) for a tenant, or for the system's operators.
        std::function<void(const std::string& tenant, std::string_view name, const std::string& payload, Now)> note;
    };
    HistoryPlaces(Environment environment, cluster::StateEngine& engine, HistoryPlacesPort* port, Rng& rng);

    // Something changed in the state that may be of interest here.
    void wake() { changed = isUsed; }
    void onTimer(Now now);
    Instant nextDeadline() const { return changed ? Instant{} : retryAt; }
    std::vector<PlaceStatus> statuses() const;
    void addMetrics(std::vector<Counter>& out) const;

private:
    void onNews(const std::string& tenant, const std::string& place, const std::string& failure, Now now) const;
    Result<std::string> password(const std::string& tenant, const std::string& secret) const;
    void catchUp(Now now);
    void tellPlaces(Now now);
    void tellKey(Now now);

    const Environment environment;
    cluster::StateEngine& engine;
    HistoryPlacesPort* const port;  // null: nothing is recorded here
    Rng& rng;
    const bool isUsed;  // there is something to do at all
    bool changed;
    bool caughtUp = false;  // with what was committed when this node asked, once since its start
    bool askingCluster = false;
    std::map<std::string, std::string> notUnderstood;  // why, of tenants whose document says nothing that this node knows
    bool proposing = false;
    Instant retryAt = never;
    std::shared_ptr<int> alive = std::make_shared<int>();
};

}  // namespace mesh::aggregator
