#pragma once

#include "aggregator/core/cluster_keeper.hpp"
#include "aggregator/core/credentials.hpp"
#include "aggregator/core/hosting.hpp"
#include "aggregator/core/node_view.hpp"
#include "aggregator/core/own_resources.hpp"
#include "aggregator/core/satellites.hpp"
#include "cluster/core/state_engine.hpp"
#include "shoset/base/rng.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mesh::aggregator {

class Admission;

// What the facade's own resources are made of; all outlive them.
struct ResourceContext {
    cluster::StateEngine& engine;
    CatchUp& catchUp;
    MembershipPort& members;
    Credentials& credentials;
    PasswordPort& passwords;
    HostPort& hosts;
    const Satellites& satellites;
    const NodeView& node;
    Rng& rng;
};

// One request to a resource of the facade until it is answered, once.
struct Call {
    OwnRequest request;
    Now now;
    OwnResources::Done done;
    std::string id;                  // what stands for {} of the route
    const Principal* who = nullptr;  // into `request`; null: nobody has authenticated, the resource is open
    bool own = false;                // the asker's own account or session
    std::shared_ptr<Admission> admission;  // of what it will order, within a quota
    MessageId recorded;              // as which it stands in the audit trail; nil: it does not
    std::optional<Principal> loggedIn;  // who it turned out to be, of a login that made a session

    bool reads() const { return request.head.method == "GET" || request.head.method == "HEAD"; }
    // Whose satellites, accounts and sessions the asker sees. The open resources show everything there is: clients that
    // read the root before they log in go on with its links.
    const std::string& tenant() const;
    void answer(Answer result) { done(std::move(result), now); }
};
using CallPtr = std::shared_ptr<Call>;

// A collection of the facade's own, with the members that the asker sees.
struct OwnCollection {
    std::string uri;
    std::string type;  // "SessionCollection"
    std::string name;
    std::vector<std::string> members;
};

// Changes the replicated state for `call`. `then` gets what the entry did, also a user's error; what keeps the entry out of
// the log is answered here: 503 that may be repeated, 500, or 504 for an outcome that stayed unknown after
// limits::maxProposalAttempts under one request id.
void propose(const ResourceContext& context, CallPtr call, cluster::Operation operation,
             std::function<void(const cluster::Applied&)> then);

}  // namespace mesh::aggregator
