#include "tests/simulation/satellite.hpp"

#include "shoset/base/limits.hpp"
#include "tests/simulation/tampering.hpp"
#include "tests/simulation/worker.hpp"

#include <algorithm>

namespace mesh::simulation {

using connector::BmcExchange;

namespace {

constexpr std::uint32_t workersUser = 1000;
constexpr Duration workerSocket = 20us;           // for a word to its worker
constexpr std::size_t outboxBytes = 16 * 1024;    // little enough to be full while nobody can be reached
// After a start also what was trimmed stands there, as long as its file does, until an aggregator has told what it has.
constexpr std::size_t outboxBytesAtMost = 2 * outboxBytes + limits::outboxSegmentBytes;

constexpr const char* rootBody = R"({"@odata.id":"/redfish/v1/","UUID":"00000000-0000-4000-8000-000000000001",)"
                                 R"("Systems":{"@odata.id":"/redfish/v1/Systems"}})";
constexpr const char* systemsBody = R"({"@odata.id":"/redfish/v1/Systems","Members":[)"
                                    R"({"@odata.id":"/redfish/v1/Systems/1"},{"@odata.id":"/redfish/v1/Systems/2"}]})";

}  // namespace

SimBmc::SimBmc(World& w, Checkers& c, const Fault& f, std::string who) : world(w), checkers(c), fault(f), satellite(std::move(who))
{
}

void SimBmc::attach(connector::BmcEvents* target, std::function<void()> turn)
{
    events = target;
    endTurn = std::move(turn);
    ++incarnation;
    exchanges.clear();
}

void SimBmc::later(BmcExchange id, Duration delay, std::function<void()> step)
{
    world.after(delay, [this, id, asker = incarnation, step = std::move(step)] {
        if (events != nullptr && incarnation == asker && exchanges.contains(id)) {
            step();
            endTurn();
        }
    });
}

void SimBmc::start(BmcExchange id, RequestHead head, std::string, bool, std::int64_t, bool, Instant deadline)
{
    Exchange& exchange = exchanges[id];
    exchange.room = limits::streamWindowBytes;
    exchange.mute = !reliable && world.chance(2);
    Duration delay = world.between(200us, world.chance(10) ? 300ms : 30ms);
    if (fault == Fault::executeLate && head.method == "POST" && world.chance(10)) {
        delay = limits::defaultRequestDeadline + 10s;
    } else if (exchange.mute || deadline <= world.now().mono + delay) {
        later(id, std::max<Duration>(deadline - world.now().mono, 0ns), [this, id] {
            exchanges.erase(id);
            events->onFailure(id, {Code::outcomeUnknown, "no answer"}, world.now());
        });
    }
    if (!reliable && world.chance(1)) {
        later(id, 1ms, [this, id] {
            exchanges.erase(id);
            events->onFailure(id, {Code::notSent, "connection refused"}, world.now());
        });
        return;
    }
    // The BMC does its work whether or not the connector still lives. What it shows was true when it was asked or is now.
    const bool readsAtOnce = world.chance(50);
    const std::size_t seen = resets[systemOf(head.target)];
    world.after(delay, [this, id, head = std::move(head), asker = incarnation, readsAtOnce, seen] {
        if (incarnation != asker || exchanges.contains(id) || head.method == "POST") {
            execute(id, head, readsAtOnce ? seen : resets[systemOf(head.target)]);
        }
    });
}

void SimBmc::execute(BmcExchange id, const RequestHead& head, std::size_t seen)
{
    const std::string* marker = findHeader(head.headers, "X-Request-Id");
    const std::string path = fault == Fault::mapWrong && marker != nullptr && world.chance(5) ? head.target + "x" : head.target;
    if (marker != nullptr) {
        checkers.executed(*marker, satellite, path);
    }
    resets[systemOf(path)] += head.method == "POST" ? 1 : 0;
    const auto found = exchanges.find(id);
    if (found == exchanges.end() || found->second.mute || events == nullptr) {
        return;
    }
    if (path == "/redfish/v1/") {
        answer(id, 200, "application/json", rootBody);
    } else if (path == "/redfish/v1/Systems") {
        answer(id, 200, "application/json", systemsBody);
    } else if (head.method == "POST") {
        answer(id, 204, "application/json", "");
    } else {
        answer(id, 200, "application/octet-stream", satelliteBody(satellite, path, seen));
    }
    endTurn();
}

void SimBmc::answer(BmcExchange id, int status, const char* type, std::string body)
{
    const bool follows = !body.empty();
    exchanges[id].rest = std::move(body);
    if (!follows) {
        exchanges.erase(id);
    }
    events->onHead(id, {status, {{"Content-Type", type}}}, follows, world.now());
    if (follows && exchanges.contains(id)) {
        push(id);
    }
}

void SimBmc::push(BmcExchange id)
{
    Exchange& exchange = exchanges[id];
    const std::size_t size = std::min({exchange.rest.size(), exchange.room, std::size_t{16 * 1024}});
    if (size == 0 || exchange.pushing) {
        return;
    }
    exchange.pushing = true;
    later(id, world.between(10us, 1ms), [this, id, size] {
        Exchange& it = exchanges[id];
        it.pushing = false;
        it.room -= size;
        const std::string piece = it.rest.substr(0, size);
        it.rest.erase(0, size);
        const bool last = it.rest.empty();
        if (last) {
            exchanges.erase(id);
        }
        events->onBody(id, piece, last, world.now());
        if (exchanges.contains(id)) {
            push(id);
        }
    });
}

void SimBmc::sendBody(BmcExchange, std::string, bool) {}

void SimBmc::grant(BmcExchange id, std::size_t bytes)
{
    if (const auto found = exchanges.find(id); found != exchanges.end()) {
        found->second.room += bytes;
        push(id);
    }
}

void SimBmc::cancel(BmcExchange id)
{
    exchanges.erase(id);
}

SimSatellite::SimSatellite(World& w, Network& n, Checkers& checkers, EventCheckers& events, const Fault& f, std::string ofTenant,
                           std::string logicalName, std::vector<shoset::AggregatorAddress> known)
    : world(w), network(n), eventCheckers(events), fault(f), tenant(std::move(ofTenant)), name(std::move(logicalName)),
      process(shoset::connectorAddress(tenant, name)), aggregators(std::move(known)), claimed(name), bmc(w, checkers, f, process),
      outbox(w, f)
{
}

void SimSatellite::start()
{
    world.trace("start " + process);
    ++incarnation;
    connector::WorkerRules rules({{{workersUser}, {}, {"fan.*"}, {}, {"sensor.*"}, {"*"}, {"fan.*"}}});
    connector::ConnectorSettings settings{claimed, {"bmc"}, {}, aggregators, 0, std::move(rules)};
    settings.outbox.maxBytes = outboxBytes;
    core = std::make_unique<connector::Connector>(std::move(settings), *this, bmc, *this, *this, world.rng());
    bmc.attach(core.get(), [this] { endTurn(); });
    if (const Result<void> loaded = core->loadJournal(durable); !loaded) {
        world.fail("the journal does not load: " + loaded.error().message);
    }
    for (const auto& [file, load] : {std::pair{connector::StateFile::fence, &connector::Connector::loadFence},
                                     std::pair{connector::StateFile::aggregators, &connector::Connector::loadAggregators},
                                     std::pair{connector::StateFile::configuration, &connector::Connector::loadConfiguration}}) {
        if (const Result<void> loaded = ((*core).*load)(files[file]); !loaded) {
            world.fail("a file of the connector does not load: " + loaded.error().message);
        }
    }
    if (const Result<void> loaded = core->loadOutbox(outbox.content(), world.now()); !loaded) {
        world.fail("the outbox of " + process + " is damaged: " + loaded.error().message);
    }
    core->start(world.now());
    endTurn();
    for (SimWorker* worker : workers) {
        worker->onConnectorUp();
    }
}

void SimSatellite::crash()
{
    network.crash(process);
    bmc.attach(nullptr, {});
    outbox.crash();
    core.reset();
    armed = never;
    journalIdleAt = {};
    dialled.clear();
    attached.clear();
    for (SimWorker* worker : workers) {
        worker->onConnectorDown();
    }
}

void SimSatellite::stop()
{
    core->bye("it was stopped", world.now());
    core->flush();
    world.after(limits::farewellTime, [this, asker = incarnation] {
        if (core && incarnation == asker) {
            crash();
        }
    });
}

void SimSatellite::addWorker(SimWorker& worker)
{
    workers.push_back(&worker);
}

void SimSatellite::removeWorker(SimWorker& worker)
{
    std::erase(workers, &worker);
    std::erase_if(attached, [&worker](const auto& entry) { return entry.second == &worker; });
}

connector::WorkerId SimSatellite::connectWorker(SimWorker& worker)
{
    attached[++lastWorker] = &worker;
    return lastWorker;
}

void SimSatellite::disconnectWorker(connector::WorkerId id)
{
    if (core && attached.erase(id) > 0) {
        core->onWorkerGone(id, world.now());
        endTurn();
    }
}

void SimSatellite::fromWorker(connector::WorkerId id, const std::string& word)
{
    if (core) {
        core->onWorkerMessage(id, {workersUser, workersUser, 7}, word, world.now());
        endTurn();
    }
}

Code SimSatellite::sendToWorker(connector::WorkerId id, std::string word)
{
    if (!attached.contains(id)) {
        return Code::notSent;
    }
    world.after(workerSocket, [this, id, word = std::move(word), asker = incarnation] {
        if (const auto found = attached.find(id); incarnation == asker && found != attached.end()) {
            found->second->hear(word);
        }
    });
    return Code::ok;
}

void SimSatellite::onConnected(shoset::LinkId link)
{
    core->onConnected(link, world.now());
    endTurn();
}

void SimSatellite::onDisconnected(shoset::LinkId link)
{
    core->onDisconnected(link, world.now());
    endTurn();
}

void SimSatellite::onFrame(shoset::LinkId link, std::string_view frame)
{
    core->onFrame(link, frame, world.now());
    if (fault == Fault::trimEarly) {
        believeOfAll(link, frame);
    }
    endTurn();
}

// What this aggregator says that it has stored, the others are made to say, too.
void SimSatellite::believeOfAll(shoset::LinkId link, std::string_view frame)
{
    for (const auto& [other, its] : dialled) {
        const std::string told = other == link ? std::string() : storedAsToldBy(its, frame);
        if (!told.empty()) {
            core->onFrame(other, told, world.now());
        }
    }
}

void SimSatellite::sendFrame(shoset::LinkId link, std::string frame)
{
    if (watchFrame) {
        watchFrame(frame);
    }
    network.send(this, link, std::move(frame));
}

void SimSatellite::resetLink(shoset::LinkId link)
{
    world.after(0ns, [this, link] { network.reset(this, link); });
}

void SimSatellite::dial(shoset::LinkId link, const shoset::AggregatorAddress& address, const std::string&)
{
    dialled[link] = address.name;
    const bool swapped = fault == Fault::wrongIdentity && name == "s1";
    network.dial(process, this, link, address.name,
                 swapped ? shoset::connectorAddress(tenant == "acme" ? "zeta" : "acme", name) : process);
}

void SimSatellite::hangUp(shoset::LinkId link)
{
    dialled.erase(link);
    network.hangUp(this, link);
}

void SimSatellite::writeOutbox(std::uint64_t segment, std::string bytes, bool fresh)
{
    outbox.write(segment, std::move(bytes), fresh, [this] {
        core->onOutboxWritten({}, world.now());
        endTurn();
    });
}

void SimSatellite::save(connector::StateFile file, std::string content)
{
    world.after(world.between(500us, 8ms), [this, file, content = std::move(content), asker = incarnation] {
        if (core && incarnation == asker) {
            files[file] = content;
            core->onSaved(file, {}, world.now());
            endTurn();
        }
    });
}

void SimSatellite::persist(std::uint64_t token, std::string lines)
{
    const auto acknowledge = [this, token, asker = incarnation] {
        if (core && incarnation == asker) {
            core->onPersisted(token, {}, world.now());
            endTurn();
        }
    };
    const bool early = fault == Fault::journalNotDurable;
    if (early) {
        world.after(0ns, acknowledge);
    }
    journalIdleAt = std::max(journalIdleAt, world.now().mono + (early ? Duration(2s) : world.between(500us, 8ms)));
    world.at(journalIdleAt, [this, early, lines, acknowledge, asker = incarnation] {
        if (core && incarnation == asker) {
            durable += lines;
            if (!early) {
                acknowledge();
            }
        }
    });
}

void SimSatellite::rewrite(std::string content)
{
    durable = std::move(content);
}

void SimSatellite::checkOutbox()
{
    const shoset::Outbox& box = core->eventOutbox();
    eventCheckers.holds(process, box.bytes(), outboxBytesAtMost);
    if (box.epoch() != 0 && !box.isRenewing()) {
        const shoset::Outbox::Entry* first = box.from(1);
        eventCheckers.trimmed(process, box.epoch(), first == nullptr ? box.last() + 1 : first->event.sequence);
    }
}

void SimSatellite::endTurn()
{
    checkOutbox();
    core->flush();
    const Instant next = core->nextDeadline();
    if (next >= armed) {
        return;
    }
    armed = next;
    world.at(next, [this, next, asker = incarnation] {
        if (core && incarnation == asker && armed == next) {
            armed = never;
            core->onTimer(world.now());
            endTurn();
        }
    });
}

}  // namespace mesh::simulation
