#include "aggregator/core/cluster_keeper.hpp"

#include "cluster/core/feature_level.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

namespace {

constexpr std::size_t uuidBytes = 16;

// RFC 9562, version 4.
std::string randomUuid(Rng& rng)
{
    std::string raw = rng.bytes(uuidBytes);
    raw[6] = static_cast<char>((raw[6] & 0x0f) | 0x40);
    raw[8] = static_cast<char>((raw[8] & 0x3f) | 0x80);
    const std::string hex = toHex(raw);
    return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) + "-" +
           hex.substr(20);
}

// What of `wanted` the node itself decides; an endpoint that it cannot name stays what somebody else said.
cluster::Node merged(const cluster::Node& wanted, const cluster::Node& known, cluster::FeatureLevel level)
{
    cluster::Node node = wanted;
    if (level < cluster::sealedSourcesFeatureLevel) {
        node.sealingKey.clear();  // nobody could be told
    }
    node.revision = known.revision;
    node.peerEndpoint = wanted.peerEndpoint.empty() ? known.peerEndpoint : wanted.peerEndpoint;
    if (wanted.witness) {
        return node;  // the other endpoints are of its time as an aggregator
    }
    node.meshEndpoint = wanted.meshEndpoint.empty() ? known.meshEndpoint : wanted.meshEndpoint;
    node.enrolEndpoint = wanted.enrolEndpoint.empty() ? known.enrolEndpoint : wanted.enrolEndpoint;
    node.facadeUrl = wanted.facadeUrl.empty() ? known.facadeUrl : wanted.facadeUrl;
    return node;
}

}  // namespace

std::vector<cluster::Operation> inheritanceOf(const cluster::State& state)
{
    std::vector<cluster::Operation> out;
    for (const auto& [id, role] : state.roles) {
        out.push_back(cluster::PutRole{role.id, cluster::anyRevision, role.privileges});
    }
    for (const auto& [id, account] : state.accounts) {
        out.push_back(cluster::RestoreAccount{account});
    }
    for (const std::string& tenant : state.registry.tenants()) {
        out.push_back(cluster::PutTenant{tenant});
    }
    for (const auto& [name, connector] : state.registry.connectors()) {
        out.push_back(cluster::PutConnector{connector});
    }
    for (const auto& [name, assignment] : state.prefixes) {
        out.push_back(cluster::AssignPrefix{name.tenant, name.name, assignment.prefix, assignment.uuid, {}});
    }
    for (const auto& [uri, property] : state.properties) {
        out.push_back(cluster::PutProperty{uri, cluster::anyRevision, property.json});
    }
    return out;
}

GivenAccounts judgeAccounts(const cluster::State& state, const std::optional<cluster::State>& given)
{
    if (!given || given->accounts.empty()) {
        return state.accounts.empty() ? GivenAccounts::missing : GivenAccounts::taken;
    }
    const auto taken = std::count_if(given->accounts.begin(), given->accounts.end(), [&state](const auto& one) {
        const cluster::Account* account = cluster::findAccount(state, one.first);
        return account != nullptr && account->userName == one.second.userName;
    });
    if (static_cast<std::size_t>(taken) == given->accounts.size()) {
        return GivenAccounts::taken;
    }
    return taken == 0 && !state.accounts.empty() ? GivenAccounts::superseded : GivenAccounts::pending;
}

ClusterKeeper::ClusterKeeper(KeeperSettings given, cluster::StateEngine& stateEngine, MembershipPort& membership, Rng& random)
    : settings(std::move(given)),
      inheritance(settings.inherited ? inheritanceOf(*settings.inherited) : std::vector<cluster::Operation>{}),
      engine(stateEngine), members(membership), rng(random)
{
}

void ClusterKeeper::onTimer(Now now)
{
    lastNow = now;
    if (busy || lookAt > now.mono) {
        return;
    }
    lookAt = never;
    const cluster::EngineStatus status = engine.status();
    if (status.leader == 0 || status.role == cluster::NodeRole::stopped) {
        return;  // the engine's next status wakes us
    }
    if (std::optional<Entry> entry = nextEntry()) {
        propose(std::move(*entry), now);
    } else if (status.role == cluster::NodeRole::primary && isFounded()) {
        changeMembership(status);
    }
}

std::optional<ClusterKeeper::Entry> ClusterKeeper::nextEntry() const
{
    const cluster::State& state = engine.state();
    const bool primary = engine.status().role == cluster::NodeRole::primary;
    if (!isFounded()) {
        return primary && !settings.self.witness ? std::optional<Entry>(foundingEntry()) : std::nullopt;
    }
    if (primary && settings.recovered) {
        if (std::optional<Entry> entry = recoveringEntry()) {
            return entry;
        }
    }
    if (primary) {
        if (std::optional<Entry> entry = lateAccount()) {
            return entry;
        }
    }
    // A node that is not registered was removed: it must not come back by itself.
    if (const cluster::Node* known = cluster::findNode(state, settings.self.id)) {
        cluster::Node wanted = merged(settings.self, *known, state.featureLevel);
        if (wanted != *known) {
            return Entry{cluster::PutNode{std::move(wanted)}};
        }
    }
    if (primary) {
        const auto oldest = std::min_element(
            state.nodes.begin(), state.nodes.end(),
            [](const auto& one, const auto& other) { return one.second.featureLevel < other.second.featureLevel; });
        if (oldest != state.nodes.end() && oldest->second.featureLevel > state.featureLevel) {
            return Entry{
                cluster::RaiseFeatureLevel{std::min(oldest->second.featureLevel, settings.self.featureLevel)}};
        }
    }
    return std::nullopt;
}

ClusterKeeper::Entry ClusterKeeper::foundingEntry() const
{
    const cluster::State& state = engine.state();
    if (state.featureLevel < cluster::clusterFeatureLevel) {
        return {cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel}};
    }
    for (const cluster::Node& founder : settings.founders) {
        if (cluster::findNode(state, founder.id) == nullptr) {
            return {cluster::PutNode{founder}};
        }
    }
    if (inheritedSoFar < inheritance.size()) {
        return {inheritance[inheritedSoFar], Purpose::inheritance};
    }
    const bool hasUuid = settings.inherited && !settings.inherited->serviceUuid.empty();
    return {cluster::SetServiceUuid{hasUuid ? settings.inherited->serviceUuid : randomUuid(rng)}};
}

std::optional<ClusterKeeper::Entry> ClusterKeeper::lateAccount() const
{
    const bool hadNone = engine.state().nextAccountId == 1;
    if (!settings.inherited || (lateAccountsSoFar == 0 && !hadNone) || lateAccountsSoFar >= settings.inherited->accounts.size()) {
        return std::nullopt;
    }
    const auto next = std::next(settings.inherited->accounts.begin(), static_cast<std::ptrdiff_t>(lateAccountsSoFar));
    return Entry{cluster::RestoreAccount{next->second}, Purpose::lateAccount};
}

std::optional<ClusterKeeper::Entry> ClusterKeeper::recoveringEntry() const
{
    if (!lost) {
        return Entry{cluster::RaiseGeneration{}, Purpose::newGeneration};
    }
    for (const std::uint64_t id : *lost) {
        if (cluster::findNode(engine.state(), id) != nullptr) {
            return Entry{cluster::RemoveNode{id}};
        }
    }
    return std::nullopt;
}

bool ClusterKeeper::hasRecovered() const
{
    return lost && std::none_of(lost->begin(), lost->end(), [this](std::uint64_t id) {
               return cluster::findNode(engine.state(), id) != nullptr;
           });
}

// The ids of nodes are never used again: who joins from now on is none of these.
void ClusterKeeper::noteLost()
{
    lost.emplace();
    for (const auto& [id, node] : engine.state().nodes) {
        if (id != settings.self.id) {
            lost->insert(id);
        }
    }
}

// One step towards the members that the registered nodes make.
void ClusterKeeper::changeMembership(const cluster::EngineStatus& status)
{
    const cluster::State& state = engine.state();
    const auto memberOf = [&status](std::uint64_t id) {
        return std::find_if(status.members.begin(), status.members.end(),
                            [id](const cluster::Member& member) { return member.id == id; });
    };
    for (const auto& [id, node] : state.nodes) {
        const auto member = memberOf(id);
        if (member == status.members.end()) {
            members.addSpare(id, node.name, step("adding " + node.name));
            return;
        }
        if (!member->voter) {
            members.makeVoter(id, step("giving " + node.name + " its vote"));
            return;
        }
    }
    for (const cluster::Member& member : status.members) {
        if (cluster::findNode(state, member.id) != nullptr) {
            continue;
        }
        if (member.id == status.self) {  // whoever is next removes us
            members.transferTo(0, step("handing over before this node is removed"));
        } else {
            members.removeMember(member.id, step("removing " + member.name));
        }
        return;
    }
}

MembershipPort::Done ClusterKeeper::step(std::string what)
{
    busy = true;
    return [this, what = std::move(what), owner = std::weak_ptr<int>(alive)](const Result<void>& done) {
        if (!owner.expired()) {
            finish(what, done ? Error{} : done.error());
        }
    };
}

void ClusterKeeper::propose(Entry entry, Now now)
{
    busy = true;
    engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(entry.operation)}, now.mono + limits::keeperDeadline,
                   [this, purpose = entry.purpose, owner = std::weak_ptr<int>(alive)](const Result<cluster::Applied>& applied) {
                       if (!owner.expired()) {
                           onApplied(purpose, applied);
                       }
                   });
}

void ClusterKeeper::onApplied(Purpose purpose, const Result<cluster::Applied>& applied)
{
    if (applied && purpose == Purpose::inheritance) {
        ++inheritedSoFar;  // what the cluster refuses of it, it would refuse again
    }
    if (applied && purpose == Purpose::lateAccount) {
        ++lateAccountsSoFar;  // as above
    }
    if (applied && purpose == Purpose::newGeneration) {
        noteLost();
    }
    const bool mayBeRefused = purpose == Purpose::inheritance || purpose == Purpose::lateAccount;
    const Error refused = applied && !mayBeRefused ? applied->error : Error{};
    finish("registering", applied ? refused : applied.error());
}

void ClusterKeeper::finish(const std::string& what, const Error& error)
{
    busy = false;
    failure = error.code == Code::ok ? std::string() : what + ": " + error.message;
    lookAt = error.code == Code::ok ? Instant{} : lastNow.mono + limits::keeperRetry;
}

}  // namespace mesh::aggregator
