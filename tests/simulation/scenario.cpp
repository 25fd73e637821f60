#include "tests/simulation/scenario.hpp"

#include "shoset/base/limits.hpp"
#include "tests/simulation/aggregator.hpp"
#include "tests/simulation/clients.hpp"
#include "tests/simulation/cluster.hpp"
#include "tests/simulation/event_worker.hpp"
#include "tests/simulation/satellite.hpp"

#include <array>

namespace mesh::simulation {

namespace {

struct Place {
    const char* tenant;
    const char* name;
    const char* prefix;
};
constexpr std::array places{Place{"acme", "s1", "A1"}, Place{"zeta", "s1", "Z1"}, Place{"acme", "s2", "A2"}};
constexpr std::size_t systemsEach = 2;
constexpr std::size_t crowd = 12;
constexpr std::uint64_t zetasRate = 6;  // messages a second at each node: fewer than its clients send at times
constexpr Duration busyPause = 300ms;   // between two events of a worker, on average
constexpr Duration quietPause = 2s;     // the same, of zeta's: its quota is for them, too
constexpr const char* reset = "/Actions/ComputerSystem.Reset";
constexpr Duration loginSlack = 8s;  // a deadline begins when it is known who asks; without a majority that takes a while
constexpr Duration endSlack = 10s;  // after the last request's deadline everything has ended

class Scenario {
public:
    Scenario(std::uint64_t seed, Duration length, Fault chosen)
        : world(seed), fault(chosen), network(world, fault), checkers(world), end(world.now().mono + length)
    {
        const std::vector<std::string> names{"agg-a", "agg-b", "agg-c"};
        makeCluster(names);
        for (std::size_t i = 0; i < names.size(); ++i) {
            aggregators.push_back(std::make_unique<SimAggregator>(world, network, checkers, eventCheckers, fault, names[i], names, *members[i]));
        }
        for (const Place& place : places) {
            satellites.push_back(std::make_unique<SimSatellite>(world, network, checkers, eventCheckers, fault, place.tenant,
                                                                place.name, SimAggregator::addressesOf(names)));
            const Duration pause = std::string_view(place.tenant) == "zeta" ? quietPause : busyPause;
            workers.push_back(std::make_unique<EventWorker>(world, eventCheckers, *satellites.back(), pause, end));
        }
        makeRegistry();
    }

    RunResult go()
    {
        for (const auto& aggregator : aggregators) {
            aggregator->start(registry);
        }
        for (const auto& satellite : satellites) {
            satellite->start();
        }
        for (const auto& worker : workers) {
            worker->start();
        }
        world.after(2s, [this] { client(); });
        world.after(2s, [this] { clusterClient(); });
        world.after(3s, [this] { trouble(); });
        if (world.runUntil(end) && settle()) {
            checkers.finish();
            eventCheckers.finish();
            checkMembers();
            checkCluster();
        }
        RunResult result{world.failure(), world.traceText(), world.events()};
        result.requests = checkers.requests();
        result.succeeded = checkers.succeeded();
        result.changed = clusterCheckers.made();
        result.emitted = eventCheckers.acceptedEvents();
        result.refused = eventCheckers.refusedEvents();
        result.heard = eventCheckers.deliveredEvents();
        result.largestQueue = network.largestQueue();
        return result;
    }

private:
    void makeCluster(const std::vector<std::string>& names)
    {
        std::vector<cluster::Command> first;
        for (cluster::Operation& operation : SimAggregator::firstState(fault)) {
            first.push_back({MessageId::make(world.now().wall, world.rng()), world.now().wall, std::move(operation)});
        }
        for (const std::string& name : names) {
            members.push_back(std::make_unique<SimEngine>(world, network, clusterCheckers, fault, members, members.size() + 1, name));
            members.back()->found(first);
        }
    }

    void makeRegistry()
    {
        for (const char* tenant : {"acme", "zeta"}) {
            expect(registry.addTenant(tenant));
        }
        expect(registry.setQuota("zeta", {zetasRate, 0, 0, 0}));
        std::size_t number = 0;
        for (const Place& place : places) {
            std::string key(40, '0');
            key[39] = static_cast<char>('1' + number++);
            expect(registry.put({place.tenant, place.name, key, place.prefix, "", ""}));
        }
    }

    void expect(const Result<void>& result)
    {
        if (!result) {
            world.fail(result.error().message);
        }
    }

    bool settle()
    {
        network.heal();
        return world.runUntil(end + limits::defaultRequestDeadline + endSlack);
    }

    // Whatever got lost or came late: in the end every aggregator shows every satellite's members.
    void checkMembers()
    {
        for (const auto& aggregator : aggregators) {
            if (aggregator->isUp() && aggregator->listedSystems() != places.size() * systemsEach) {
                world.fail(aggregator->processName() + " shows " + std::to_string(aggregator->listedSystems()) + " systems");
            }
        }
    }

    void checkCluster()
    {
        std::map<std::string, const cluster::StateMachine*> machines;
        for (const auto& member : members) {
            machines[member->memberName()] = &member->stateMachine();
        }
        clusterCheckers.finish(machines);
    }

    void clusterClient()
    {
        if (world.now().mono < end) {
            world.after(world.between(10ms, 400ms), [this] { clusterClient(); });
            clients.act();
        }
    }

    void client()
    {
        if (world.now().mono >= end) {
            return;
        }
        world.after(world.between(1ms, 30ms), [this] { client(); });
        const Place& place = places[world.rng().below(places.size())];
        static constexpr std::array users{"root", "acme", "zeta"};
        const std::string user = users[world.rng().below(users.size())];
        const std::string member = world.chance(50) ? "1" : "2";
        if (world.chance(95)) {
            static constexpr std::array tails{"", reset, "/LogServices/1/Entries/1/Attachment"};
            ask(place, user, member, tails[world.rng().below(tails.size())]);
            return;
        }
        // Now and then many look at one system while some reset it.
        for (std::size_t i = 0; i < crowd; ++i) {
            world.after(world.between(0ns, 100ms), [this, &place, user, member] { ask(place, user, member, world.chance(25) ? reset : ""); });
        }
    }

    void ask(const Place& place, const std::string& user, const std::string& member, const std::string& tail)
    {
        SimAggregator& node = *aggregators[world.rng().below(aggregators.size())];
        if (!node.isUp()) {
            return;
        }
        const bool post = tail == reset;
        const std::string marker = "m" + std::to_string(nextMarker++);
        checkers.asked(marker, {user == "root" ? "" : user, shoset::connectorAddress(place.tenant, place.name),
                                "/redfish/v1/Systems/" + member + tail,
                                world.now().mono + limits::defaultRequestDeadline + loginSlack, !post});
        node.ask(marker, user,
                 {post ? "POST" : "GET", "/redfish/v1/Systems/" + std::string(place.prefix) + "_" + member + tail, {}}, "");
    }

    void trouble()
    {
        if (world.now().mono >= end) {
            return;
        }
        world.after(world.between(300ms, 3s), [this] { trouble(); });
        switch (world.rng().below(7)) {
            case 0: crash(*satellites[world.rng().below(satellites.size())]); break;
            case 1: crash(*aggregators[world.rng().below(aggregators.size())]); break;
            case 2: network.cut(anybody(), anybody()); break;
            case 3: network.clog(anybody(), anybody(), world.between(100ms, 5s)); break;
            case 4: isolate(*aggregators[world.rng().below(aggregators.size())]); break;
            default: network.heal(); break;
        }
    }

    // From the other aggregators, in one direction or both.
    void isolate(const SimAggregator& aggregator)
    {
        const std::uint64_t directions = 1 + world.rng().below(3);
        for (const auto& other : aggregators) {
            if (other.get() != &aggregator && (directions & 1) != 0) {
                network.cut(aggregator.processName(), other->processName());
            }
            if (other.get() != &aggregator && (directions & 2) != 0) {
                network.cut(other->processName(), aggregator.processName());
            }
        }
    }

    std::string anybody()
    {
        const std::uint64_t which = world.rng().below(aggregators.size() + satellites.size());
        return which < aggregators.size() ? aggregators[which]->processName()
                                          : satellites[which - aggregators.size()]->processName();
    }

    void crash(SimSatellite& satellite)
    {
        if (satellite.isUp()) {
            satellite.crash();
            world.after(world.between(50ms, 2s), [&satellite] { satellite.start(); });
        }
    }

    void crash(SimAggregator& aggregator)
    {
        if (aggregator.isUp()) {
            aggregator.crash();
            world.after(world.between(50ms, 3s), [this, &aggregator] { aggregator.start(registry); });
        }
    }

    World world;
    const Fault fault;
    Network network;
    Checkers checkers;
    EventCheckers eventCheckers{world};
    ClusterCheckers clusterCheckers{world};
    const Instant end;
    tenants::Registry registry;
    SimMembers members;
    std::vector<std::unique_ptr<SimAggregator>> aggregators;
    ClusterClients clients{world, clusterCheckers, aggregators};
    std::vector<std::unique_ptr<SimSatellite>> satellites;
    std::vector<std::unique_ptr<EventWorker>> workers;
    std::uint64_t nextMarker = 1;
};

}  // namespace

RunResult run(std::uint64_t seed, Duration virtualTime, Fault fault)
{
    return Scenario(seed, virtualTime, fault).go();
}

}  // namespace mesh::simulation
