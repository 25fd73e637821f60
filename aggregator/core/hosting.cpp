#include "aggregator/core/hosting.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::aggregator {

namespace {

std::vector<shoset::AggregatorAddress> aggregatorsIn(const cluster::State& state)
{
    std::vector<shoset::AggregatorAddress> out;
    for (const auto& [id, node] : state.nodes) {
        if (!node.witness && !node.meshEndpoint.empty()) {
            out.push_back({node.name, node.meshEndpoint, node.key});
        }
    }
    return out;
}

// A connector hears of other aggregators by itself.
bool sameButAggregators(const HostedConnector& one, HostedConnector other)
{
    other.aggregators = one.aggregators;
    return one == other;
}

const tenants::Connector* connectorOf(const cluster::State& state, const cluster::Source& source)
{
    const tenants::Connector* connector = state.registry.find(source.tenant, source.connector);
    return connector == nullptr || connector->revoked ? nullptr : connector;
}

}  // namespace

Hosting::Hosting(Environment around, cluster::StateEngine& stateEngine, HostPort& hostPort, Rng& random)
    : environment(std::move(around)), engine(stateEngine), port(hostPort), rng(random)
{
}

std::size_t Hosting::running() const
{
    return static_cast<std::size_t>(std::count_if(children.begin(), children.end(), [](const auto& entry) {
        return entry.second.phase == Phase::running;
    }));
}

void Hosting::stop()
{
    stopping = true;
    lookAt = never;
    for (const auto& [hosted, child] : children) {
        port.end(hosted);
    }
    children.clear();
}

void Hosting::onTimer(Now now)
{
    lastNow = now;
    if (stopping || lookAt > now.mono) {
        return;
    }
    std::erase_if(notBefore, [&now](const auto& entry) { return entry.second <= now.mono; });
    watchNodes(now);
    assign(now);
    host(now);
    const bool idle = engine.state().sources.empty() && children.empty();
    const Instant soon = now.mono + limits::hostTick;
    lookAt = !idle ? soon : keptAt == engine.state().revision ? never : std::max(keepAgainAt, soon);
}

void Hosting::watchNodes(Now now)
{
    const auto& nodes = engine.state().nodes;
    std::erase_if(unlinkedSince, [&nodes](const auto& entry) { return !nodes.contains(entry.first); });
    for (const auto& [id, node] : nodes) {
        if (id == environment.self || environment.isLinked(node.name)) {
            unlinkedSince.erase(id);
        } else {
            unlinkedSince.emplace(id, now.mono);
        }
    }
}

bool Hosting::isAlive(const cluster::Node& node, Now now) const
{
    const auto unlinked = unlinkedSince.find(node.id);
    if (unlinked != unlinkedSince.end() && environment.hasLeft(node.name)) {
        return false;
    }
    return unlinked == unlinkedSince.end() || now.mono - unlinked->second < limits::hostPatience;
}

bool Hosting::canHost(std::uint64_t id, const cluster::Source& source, Now now) const
{
    const cluster::Node* node = cluster::findNode(engine.state(), id);
    return node != nullptr && !node->witness && isAlive(*node, now) &&
           (source.userName.empty() || cluster::passwordFor(source, *node) != nullptr);
}

// The one with the fewest, of these the first; 0: there is none.
std::uint64_t Hosting::choose(const cluster::Source& source, const std::map<std::uint64_t, std::size_t>& load, Now now) const
{
    std::uint64_t best = 0;
    std::size_t fewest = 0;
    for (const auto& [id, node] : engine.state().nodes) {
        const auto hosts = load.find(id);
        const std::size_t count = hosts == load.end() ? 0 : hosts->second;
        // Who has just lost its link is not where another one goes.
        const bool linked = !unlinkedSince.contains(id);
        if (linked && canHost(id, source, now) && (best == 0 || count < fewest)) {
            best = id;
            fewest = count;
        }
    }
    return best;
}

void Hosting::assign(Now now)
{
    const cluster::State& state = engine.state();
    const cluster::EngineStatus status = engine.status();
    if (status.role != cluster::NodeRole::primary || state.serviceUuid.empty()) {
        return;
    }
    std::map<std::uint64_t, std::size_t> load;
    for (const auto& [id, source] : state.sources) {
        if (const tenants::Connector* connector = connectorOf(state, source)) {
            ++load[connector->host];
        }
    }
    for (const auto& [id, source] : state.sources) {
        const tenants::Connector* connector = connectorOf(state, source);
        if (connector == nullptr || !mayPropose(id) || canHost(connector->host, source, now)) {
            continue;
        }
        if (const std::uint64_t next = choose(source, load, now); next != 0) {
            ++load[next];
            ++assignments;
            propose(id, cluster::AssignHost{source.tenant, source.connector, next, state.generation, status.term}, now);
        }
    }
}

std::map<Hosted, HostedConnector> Hosting::wanted(Now now) const
{
    std::map<Hosted, HostedConnector> out;
    const cluster::State& state = engine.state();
    const cluster::Node* self = cluster::findNode(state, environment.self);
    if (!environment.mayOrder(now) || self == nullptr) {
        return out;
    }
    for (const auto& [id, source] : state.sources) {
        const tenants::Connector* connector = connectorOf(state, source);
        const cluster::SealedPassword* password = cluster::passwordFor(source, *self);
        if (connector == nullptr || connector->host != environment.self || (password == nullptr && !source.userName.empty())) {
            continue;
        }
        out.emplace(Hosted{id, connector->assignment},
                    HostedConnector{id, source.connector, connector->assignment, {source.generation, source.term},
                                    source.hostName, source.userName, source.fingerprint, source.insecure,
                                    source.userName.empty() ? std::string() : password->box, aggregatorsIn(state), source.tenant,
                                    source.userName.empty() ? std::string() : password->key});
    }
    return out;
}

void Hosting::host(Now now)
{
    const std::map<Hosted, HostedConnector> all = wanted(now);
    for (auto next = children.begin(); next != children.end();) {
        const auto child = next++;
        const auto still = all.find(child->first);
        if (still == all.end() || !sameButAggregators(still->second, child->second.connector)) {
            port.end(child->first);
            children.erase(child);
        }
    }
    std::set<Hosted> inForce;
    const bool ledNow = engine.status().leader != 0;  // or what there is may be long over
    for (const auto& [hosted, connector] : all) {
        inForce.insert(hosted);
        if (!ledNow && !children.contains(hosted)) {
            continue;
        }
        const auto [child, fresh] = children.try_emplace(hosted, Child{connector, Phase::preparing, {}, {}});
        if (fresh) {
            prepare(hosted, child->second);
        }
        advance(hosted, child->second, now);
        if (const cluster::Source* source = cluster::findSource(engine.state(), hosted.first)) {
            sealForOthers(*source, now);
        }
    }
    // Without a majority nothing is known to be over. Told again when the state has moved on: what a node has at its start
    // may be of long ago, and nothing of what ended since is in it.
    const cluster::Revision revision = engine.state().revision;
    if (environment.mayOrder(now) && (inForce != kept || (revision != keptAt && keepAgainAt <= now.mono))) {
        port.keepOnly(inForce, revision);
        kept = std::move(inForce);
        keptAt = revision;
        keepAgainAt = now.mono + limits::hostRefusalPause;
    }
}

void Hosting::prepare(const Hosted& hosted, Child& child)
{
    child.phase = Phase::preparing;
    const HostedConnector asked = child.connector;
    port.prepare(asked, [this, hosted, asked, owner = std::weak_ptr<int>(alive)](Result<std::string> key) {
        if (owner.expired() || stopping) {
            return;
        }
        const auto found = children.find(hosted);
        if (found == children.end() || !(found->second.connector == asked)) {
            return;  // it was changed or ended meanwhile
        }
        Child& ready = found->second;
        ready.phase = key ? Phase::prepared : Phase::failed;
        ready.key = key ? *key : std::string();
        ready.retryAt = lastNow.mono + limits::keeperRetry;
        wake();
    });
}

void Hosting::advance(const Hosted& hosted, Child& child, Now now)
{
    const cluster::Source* source = cluster::findSource(engine.state(), hosted.first);
    const tenants::Connector* connector = source == nullptr ? nullptr : connectorOf(engine.state(), *source);
    if (connector == nullptr) {
        return;
    }
    if (child.phase == Phase::failed && child.retryAt <= now.mono) {
        prepare(hosted, child);
    }
    if (child.phase != Phase::prepared) {
        return;
    }
    if (connector->key == child.key) {
        child.phase = Phase::running;
        port.run(hosted);
    } else if (!mayPropose(hosted.first)) {
        return;
    } else if (connector->key.empty()) {
        propose(hosted.first,
                cluster::RegisterHostKey{source->tenant, source->connector, environment.self, hosted.second, child.key}, now);
    } else {
        // The files of this assignment got lost, and with them what its connector had begun: another one has to be made.
        propose(hosted.first, cluster::AssignHost{source->tenant, source->connector, 0, source->generation, source->term}, now);
    }
}

// A node that came after the password did, or has lost its keys since, cannot run the connector until it has a copy. What is sealed
// to the key of a node's links, as older programs did, is sealed anew to the one that is meant for it.
void Hosting::sealForOthers(const cluster::Source& source, Now now)
{
    const cluster::Node* self = cluster::findNode(engine.state(), environment.self);
    const cluster::SealedPassword* own = self == nullptr ? nullptr : cluster::passwordFor(source, *self);
    if (own == nullptr || source.userName.empty() || !mayPropose(source.id)) {
        return;
    }
    cluster::Source changed = source;
    for (const auto& [id, node] : engine.state().nodes) {
        const cluster::SealedPassword* known = cluster::passwordFor(source, node);
        if (node.witness || (known != nullptr && known->key == cluster::sealingKeyId(node))) {
            continue;
        }
        if (Result<cluster::SealedPassword> sealed = port.reseal(*own, source, node)) {
            std::erase_if(changed.passwords, [id = id](const cluster::SealedPassword& former) { return former.node == id; });
            changed.passwords.push_back(std::move(*sealed));
        }
    }
    if (!(changed == source)) {
        propose(source.id, cluster::PutSource{std::move(changed), source.revision}, now);
    }
}

std::size_t Hosting::passwordsNeeded() const
{
    const cluster::State& state = engine.state();
    return static_cast<std::size_t>(std::count_if(state.sources.begin(), state.sources.end(), [&state](const auto& entry) {
        return cluster::needsPassword(state, entry.second);
    }));
}

// One for a source at a time.
bool Hosting::mayPropose(const std::string& source) const
{
    const auto underWay = std::count_if(notBefore.begin(), notBefore.end(), [](const auto& entry) { return entry.second == never; });
    return !notBefore.contains(source) && static_cast<std::size_t>(underWay) < limits::maxHostOrders;
}

void Hosting::propose(const std::string& source, cluster::Operation operation, Now now)
{
    notBefore[source] = never;
    engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, now.mono + limits::keeperDeadline,
                   [this, source, owner = std::weak_ptr<int>(alive)](const Result<cluster::Applied>& applied) {
                       if (owner.expired() || stopping) {
                           return;
                       }
                       const bool done = applied && applied->ok();
                       const Duration pause = applied ? limits::hostRefusalPause : limits::keeperRetry;
                       notBefore[source] = done ? Instant{} : lastNow.mono + pause;
                       wake();
                   });
}

}  // namespace mesh::aggregator
