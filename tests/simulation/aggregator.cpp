#include "tests/simulation/aggregator.hpp"

#include "cluster/core/feature_level.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/frame.hpp"

#include <algorithm>

namespace mesh::simulation {

using aggregator::ExchangeId;

namespace {

std::string hashOf(const std::string& password)
{
    return "$argon2id$" + password;
}

std::string meshEndpointOf(const std::string& member)
{
    return "tcp://" + member + ":5670";
}

std::string keyOfMember(std::size_t place)
{
    return std::string(40, static_cast<char>('0' + place));
}

}  // namespace

SimAggregator::SimAggregator(World& w, Network& n, Checkers& c, EventCheckers& events, const Fault& f, std::string ownName,
                             std::vector<std::string> everybody, SimEngine& stateEngine)
    : world(w), network(n), checkers(c), eventCheckers(events), fault(f), name(std::move(ownName)), all(std::move(everybody)),
      store(w, f), engine(stateEngine)
{
    eventCheckers.addStore(store);
}

// The simulated hash contains the password.
std::vector<cluster::Operation> SimAggregator::firstState(const Fault& fault)
{
    std::vector<cluster::Operation> out;
    for (const std::string tenant : {"acme", "zeta"}) {
        out.push_back(cluster::PutTenant{tenant});
        out.push_back(cluster::CreateAccount{tenant, hashOf("pw-" + tenant), "Administrator",
                                             fault == Fault::ignoreTenant ? "" : tenant, true, false});
    }
    out.push_back(cluster::CreateAccount{"root", hashOf("pw-root"), "Administrator", "", true, false});
    return out;
}

std::string SimAggregator::basicOf(const std::string& user)
{
    // "root:pw-root", "acme:pw-acme", "zeta:pw-zeta" in base64
    const char* encoded = user == "root" ? "cm9vdDpwdy1yb290" : user == "acme" ? "YWNtZTpwdy1hY21l" : "emV0YTpwdy16ZXRh";
    return std::string("Basic ") + encoded;
}

std::vector<shoset::AggregatorAddress> SimAggregator::addressesOf(const std::vector<std::string>& names)
{
    std::vector<shoset::AggregatorAddress> out;
    for (const std::string& member : names) {
        out.push_back({member, meshEndpointOf(member), keyOfMember(out.size())});
    }
    return out;
}

// As the satellites know it.
cluster::Node SimAggregator::recordOf(const std::string& member) const
{
    const auto place = static_cast<std::size_t>(std::find(all.begin(), all.end(), member) - all.begin());
    cluster::Node record;
    record.id = place + 1;
    record.name = member;
    record.key = keyOfMember(place);
    record.meshEndpoint = meshEndpointOf(member);
    record.storage = "simulated-" + member;
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
    settings.audit = aggregator::AuditMode::off;  // what it would store shows nowhere here; events are stored
    settings.cluster.self = recordOf(name);
    for (const std::string& member : all) {
        settings.cluster.founders.push_back(recordOf(member));
    }
    engine.start([this] { endTurn(); });
    store.start([this] { endTurn(); });
    node = std::make_unique<aggregator::Node>(std::move(settings), *this, *this, engine, *this, *this, *this, *this, *this, world.rng());
    if (const Result<void> accepted = node->setRegistry(registry); !accepted) {
        world.fail("the registry is refused: " + accepted.error().message);
    }
    engine.onStatus([this](const cluster::EngineStatus&) { node->onClusterStatus(world.now()); });
    node->onClusterStatus(world.now());
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
    node.reset();
    engine.crash();
    store.crash();
    armed = never;
    turnPosted = false;
    for (const auto& [id, open] : std::exchange(markers, {})) {
        open.done ? open.done({}) : checkers.nodeDied(open.marker);
    }
}

void SimAggregator::stop()
{
    node->mesh().bye("it was stopped", world.now());
    node->flush();
    network.closeListener(name);
    world.after(limits::farewellTime, [this, asker = incarnation] {
        if (node && incarnation == asker) {
            crash();
        }
    });
}

void SimAggregator::enrol(const std::string& key, std::string_view frame, aggregator::Enrolment::Answer answer)
{
    node->enrolment().onFrame(key, frame, world.now(), std::move(answer));
    endTurn();
}

void SimAggregator::ask(const std::string& marker, const std::string& user, RequestHead head, std::string body)
{
    head.headers.push_back({"Authorization", basicOf(user)});
    head.headers.push_back({"X-Request-Id", marker});  // keeps no GET from following another
    begin({marker, {}, {}, 0}, std::move(head), std::move(body));
}

void SimAggregator::askOwn(const std::string& marker, RequestHead head, std::string body, Duration patience,
                           std::function<void(const Reply&)> done)
{
    world.after(patience, [this, id = nextExchange] {
        if (markers.contains(id)) {
            node->facade().setNow(world.now());
            node->facade().onAborted(id);
            markers.at(id).reply = {};
            finish(id);
            endTurn();
        }
    });
    begin({marker, {}, std::move(done), 0}, std::move(head), std::move(body));
}

void SimAggregator::begin(Open open, RequestHead head, std::string body)
{
    const ExchangeId id = nextExchange++;
    const std::string remote = open.marker + ":1";
    open.failedBarriers = engine.failedBarriers();
    markers[id] = std::move(open);
    node->facade().setNow(world.now());
    node->facade().onRequest(id, {std::move(head), remote, false, std::move(body), 0});
    endTurn();
}

// Not from inside the node: whoever learns of it may ask again.
void SimAggregator::finish(ExchangeId id)
{
    auto ended = markers.extract(id);
    Open& open = ended.mapped();
    open.reply.unsure = open.failedBarriers != engine.failedBarriers();
    if (open.done) {
        world.after(0ns, [open] { open.done(open.reply); });
    } else {
        const int status = open.reply.head.status;
        checkers.answered(open.marker, status, status == 200 ? open.reply.body : std::string());
    }
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

void SimAggregator::checkAcknowledged(std::string_view frame)
{
    shoset::FrameReader reader(frame);
    for (auto next = reader.next(); next && next->has_value(); next = reader.next()) {
        if ((*next)->prelude.kind != shoset::Kind::eventsStored) {
            continue;
        }
        const Result<shoset::Message> message = shoset::decodeHeader((*next)->prelude.kind, (*next)->header);
        const auto& told = std::get<shoset::EventsStored>(message->content);
        eventCheckers.acknowledged(name, store, message->destination, {told.epoch, told.sequence});
    }
}

void SimAggregator::sendFrame(shoset::LinkId link, std::string frame)
{
    checkAcknowledged(frame);
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
    const std::size_t bytes = body.size();
    markers.at(id).reply = {std::move(head), std::move(body), false};
    if (last) {
        finish(id);
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
    found->second.reply.body += piece;
    if (last) {
        finish(id);
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
    markers.at(id).reply = {};
    finish(id);
}

void SimAggregator::check(std::string password, std::string hash, std::function<void(Result<bool>, Now)> done)
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
