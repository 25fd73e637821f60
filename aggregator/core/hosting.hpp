#pragma once

#include "cluster/core/state_engine.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mesh::aggregator {

// What the connector of a BMC without an agent is run with, on the node that the cluster made its host.
struct HostedConnector {
    std::string source;  // id
    std::string name;
    std::uint64_t assignment = 0;
    shoset::Fence fence;  // of the primary that assigned it
    std::string url;
    std::string userName;     // empty: no authentication
    std::string fingerprint;  // empty: a CA vouches for the BMC
    bool insecure = false;
    std::string sealedPassword;  // to this node
    std::vector<shoset::AggregatorAddress> aggregators;
    std::string tenant = {};
    std::string sealedTo = {};  // see cluster::SealedPassword::key
    bool operator==(const HostedConnector&) const = default;
};

// A source and one of its assignments.
using Hosted = std::pair<std::string, std::uint64_t>;

// The programs that a node runs as connectors, and what only this node's key can do. Handlers run later, on the loop.
class HostPort {
public:
    using Prepared = std::function<void(Result<std::string> publicKey)>;
    virtual ~HostPort() = default;
    // This node's own, public; see cluster::Node::sealingKey.
    virtual std::string sealingKey() const = 0;
    // Seals the password of the source's BMC to a node: to its sealing key, where it has told one, for this source, address and user
    // alone.
    virtual Result<cluster::SealedPassword> seal(std::string_view password, const cluster::Source& source, const cluster::Node& node) = 0;
    // The same with a password that was sealed to this node.
    virtual Result<cluster::SealedPassword> reseal(const cluster::SealedPassword& own, const cluster::Source& source,
                                                   const cluster::Node& node) = 0;
    // Writes the files of this assignment; its key pair is made once, and found again later.
    virtual void prepare(const HostedConnector& connector, Prepared done) = 0;
    // Runs what was prepared, again and again when it ends by itself.
    virtual void run(const Hosted& hosted) = 0;
    // Ends it, if it runs.
    virtual void end(const Hosted& hosted) = 0;
    // Of all assignments up to this revision these alone are in force: the files of others may go.
    virtual void keepOnly(const std::set<Hosted>& inForce, cluster::Revision upTo) = 0;
};

// Keeps every BMC without an agent fronted by one node, by what the cluster has committed.
//
//   primary     assigns a source to the live node with the fewest of them when it has no host, or its host is gone: removed,
//               or stopped in order, or without a link to the primary for limits::hostPatience. An assignment that serves
//               is left as it is
//   host        makes the files and a key for its assignment, registers the key, runs the connector while the assignment is
//               in force and this node may order; seals the password to nodes that came later or have another key,
//               and anew where it is sealed as older programs did
//
// What fails is tried again after limits::keeperRetry; what the state refuses, after limits::hostRefusalPause.
class Hosting {
public:
    struct Environment {
        std::uint64_t self = 0;
        std::function<bool(const std::string& node)> isLinked;
        std::function<bool(Now)> mayOrder;  // not without a majority for too long
        // It took its leave, after its connectors had ended, and has not come back.
        std::function<bool(const std::string& node)> hasLeft = [](const std::string&) { return false; };
    };
    Hosting(Environment environment, cluster::StateEngine& engine, HostPort& port, Rng& rng);

    // Something changed: look again at the next timer.
    void wake() { lookAt = Instant{}; }
    // Ends what runs; nothing starts any more.
    void stop();
    void onTimer(Now now);
    Instant nextDeadline() const { return lookAt; }

    std::size_t running() const;
    std::uint64_t assigned() const { return assignments; }
    // Sources that nobody can run before their password is given anew.
    std::size_t passwordsNeeded() const;

private:
    enum class Phase : std::uint8_t { preparing, failed, prepared, running };
    struct Child {
        HostedConnector connector;
        Phase phase = Phase::preparing;
        std::string key;
        Instant retryAt{};
    };

    void watchNodes(Now now);
    bool isAlive(const cluster::Node& node, Now now) const;
    bool canHost(std::uint64_t node, const cluster::Source& source, Now now) const;
    void assign(Now now);
    std::uint64_t choose(const cluster::Source& source, const std::map<std::uint64_t, std::size_t>& load, Now now) const;
    std::map<Hosted, HostedConnector> wanted(Now now) const;
    void host(Now now);
    void prepare(const Hosted& hosted, Child& child);
    void advance(const Hosted& hosted, Child& child, Now now);
    void sealForOthers(const cluster::Source& source, Now now);
    bool mayPropose(const std::string& source) const;
    void propose(const std::string& source, cluster::Operation operation, Now now);

    const Environment environment;
    cluster::StateEngine& engine;
    HostPort& port;
    Rng& rng;
    std::map<std::uint64_t, Instant> unlinkedSince;  // by node
    std::map<Hosted, Child> children;
    std::map<std::string, Instant> notBefore;  // of sources: nothing is proposed for them; `never` while something is
    std::set<Hosted> kept;  // as the port was told last, at this revision
    cluster::Revision keptAt = 0;
    Instant keepAgainAt{};
    bool stopping = false;
    std::uint64_t assignments = 0;
    Now lastNow;
    Instant lookAt{};
    std::shared_ptr<int> alive = std::make_shared<int>();
};

}  // namespace mesh::aggregator
