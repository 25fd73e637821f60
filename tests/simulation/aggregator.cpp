#include "tests/simulation/aggregator.hpp"

#include "cluster/core/feature_level.hpp"
#include "shoset/base/limits.hpp"

#include <stdexcept>

namespace mesh::simulation {

using aggregator::ExchangeId;

namespace {

std::string hashOf(const std::string& password)
{
    return "$argon2id$" + password;
}

}  // namespace

SimAggregator::SimAggregator(World& w, Network& n, Checkers& c, const Fault& f, std::string ownName,
                             std::vector<std::string> everybody)
    : world(w), network(n), checkers(c), fault(f), name(std::move(ownName)), all(std::move(everybody))
{
    makeAccounts();
}

// "root" of the system, "acme" and "zeta" of their tenants; the simulated hash contains the password.
void SimAggregator::makeAccounts()
{
    const auto propose = [this](cluster::Operation operation) {
        engine.propose({MessageId::make(world.now().wall, world.rng()), world.now().wall, std::move(operation)}, never,
                       [](const Result<cluster::Applied>& applied) {
                           if (!applied || !applied->ok()) {
                               throw std::logic_error(applied ? applied->error.message : applied.error().message);
                           }
                       });
        engine.pump(world.now().mono);
    };
    propose(cluster::SetServiceUuid{"11111111-1111-4111-8111-111111111111"});
    propose(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
    propose(cluster::PutNode{ownRecord()});
    for (const std::string tenant : {"acme", "zeta"}) {
        propose(cluster::PutTenant{tenant});
        propose(cluster::CreateAccount{tenant, hashOf("pw-" + tenant), "Administrator", fault == Fault::ignoreTenant ? "" : tenant, true, false});
    }
    propose(cluster::CreateAccount{"root", hashOf("pw-root"), "Administrator", "", true, false});
}

// The only node of its own cluster: each simulated aggregator keeps its own state.
cluster::Node SimAggregator::ownRecord() const
{
    cluster::Node record;
    record.id = engine.status().self;
    record.name = name;
    record.key = std::string(39, '0') + "9";
    record.storage = "simulated";
    record.featureLevel = cluster::newestFeatureLevel;
    return record;
}

void SimAggregator::start(const tenants::Registry& registry)
{
    world.trace("start " + name);
    ++incarnation;
    std::vector<std::string> others;
    for (const std::string& other : all) {
        if (other != name) {
            others.push_back(other);
        }
    }
    aggregator::NodeSettings settings;
    settings.name = name;
    settings.software = "simulated";
    settings.cluster.self = ownRecord();
    node = std::make_unique<aggregator::Node>(std::move(settings), *this, *this, engine, *this, *this, *this, world.rng());
    if (const Result<void> accepted = node->setRegistry(registry); !accepted) {
        world.fail("the registry is refused: " + accepted.error().message);
    }
    network.listen(name, this);
    shoset::LinkId link = 1;
    for (const std::string& other : others) {
        if (name < other) {
            node->mesh().addDialledPeer(link, other);
            network.dial(name, this, link, other, name);
        }
        ++link;
    }
    endTurn();
}

void SimAggregator::crash()
{
    network.crash(name);
    for (const auto& [id, open] : markers) {
        checkers.nodeDied(open.marker);
    }
    markers.clear();
    node.reset();
    armed = never;
    turnPosted = false;
}

void SimAggregator::ask(const std::string& marker, const std::string& user, RequestHead head, std::string body)
{
    const ExchangeId id = nextExchange++;
    markers[id] = {marker, 0, {}};
    // "root:pw-root", "acme:pw-acme", "zeta:pw-zeta" in base64
    const std::string credential = user == "root" ? "cm9vdDpwdy1yb290" : user == "acme" ? "YWNtZTpwdy1hY21l" : "emV0YTpwdy16ZXRh";
    head.headers.push_back({"Authorization", "Basic " + credential});
    head.headers.push_back({"X-Request-Id", marker});  // keeps no GET from following another
    node->facade().setNow(world.now());
    node->facade().onRequest(id, {std::move(head), "client", false, std::move(body), 0});
    endTurn();
}

void SimAggregator::onConnected(shoset::LinkId link)
{
    node->mesh().onConnected(link, world.now());
    endTurn();
}

void SimAggregator::onDisconnected(shoset::LinkId link)
{
    node->mesh().onDisconnected(link, world.now());
    endTurn();
}

void SimAggregator::onAccepted(shoset::LinkId link, const shoset::Address& identity)
{
    node->mesh().addAccepted(link, identity);
}

void SimAggregator::onAcceptedGone(shoset::LinkId link)
{
    node->mesh().removeLink(link, world.now());
    endTurn();
}

void SimAggregator::onFrame(shoset::LinkId link, std::string_view frame)
{
    node->mesh().onFrame(link, frame, world.now());
    endTurn();
}

void SimAggregator::sendFrame(shoset::LinkId link, std::string frame)
{
    network.send(this, link, std::move(frame));
}

void SimAggregator::resetLink(shoset::LinkId link)
{
    world.after(0ns, [this, link] { network.reset(this, link); });
}

void SimAggregator::respond(ExchangeId id, ResponseHead head, std::string body, bool last)
{
    if (fault == Fault::loseReply && world.chance(5)) {
        return;
    }
    Open& open = markers.at(id);
    open.status = head.status;
    open.body = head.status == 200 ? std::move(body) : std::string();
    const std::size_t bytes = open.body.size();
    if (last) {
        checkers.answered(open.marker, open.status, open.body);
        markers.erase(id);
    } else {
        written(id, bytes);
    }
}

void SimAggregator::writeBody(ExchangeId id, std::string piece, bool last)
{
    const auto found = markers.find(id);
    if (found == markers.end()) {
        return;
    }
    found->second.body += piece;
    if (last) {
        checkers.answered(found->second.marker, found->second.status, found->second.body);
        markers.erase(found);
    } else {
        written(id, piece.size());
    }
}

// The client takes its time.
void SimAggregator::written(ExchangeId id, std::size_t bytes)
{
    world.after(world.between(10us, 5ms), [this, id, bytes, asker = incarnation] {
        if (node && incarnation == asker) {
            node->facade().setNow(world.now());
            node->facade().onWritten(id, bytes);
            endTurn();
        }
    });
}

void SimAggregator::abort(ExchangeId id)
{
    checkers.answered(markers.at(id).marker, 0, {});
    markers.erase(id);
}

void SimAggregator::check(std::string password, std::string hash, std::function<void(bool, Now)> done)
{
    world.after(world.between(10ms, 40ms), [this, right = hash == hashOf(password), done, asker = incarnation] {
        if (node && incarnation == asker) {
            done(right, world.now());
            endTurn();
        }
    });
}

void SimAggregator::hash(std::string password, std::function<void(Result<std::string>, Now)> done)
{
    world.after(10ms, [this, password, done, asker = incarnation] {
        if (node && incarnation == asker) {
            done(hashOf(password), world.now());
            endTurn();
        }
    });
}

void SimAggregator::endTurn()
{
    if (!turnPosted) {
        turnPosted = true;
        world.after(1us, [this, asker = incarnation] {
            if (node && incarnation == asker) {
                turnPosted = false;
                engine.pump(world.now().mono);
                node->flush();
            }
        });
    }
    const Instant next = node->nextDeadline();
    if (next >= armed) {
        return;
    }
    armed = next;
    world.at(next, [this, next, asker = incarnation] {
        if (node && incarnation == asker && armed == next) {
            armed = never;
            node->onTimer(world.now());
            endTurn();
        }
    });
}

}  // namespace mesh::simulation
