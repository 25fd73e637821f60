#include "tests/simulation/stage.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>

namespace mesh::simulation {

namespace {

constexpr Duration look = 5ms;  // between two looks at a condition
constexpr Duration clientsPatience = 60s;

}  // namespace

std::string systemUri(const std::string& prefix, const std::string& tail)
{
    return "/redfish/v1/Systems/" + prefix + "_1" + tail;
}

std::string fanCommand(const std::string& to, int percent, int timeoutSeconds)
{
    return "{" + to + R"(,"command":"fan.speed","payload":{"percent":)" + std::to_string(percent) + R"(},"timeout":)" +
           std::to_string(timeoutSeconds) + R"(,"wait":30})";
}

Stage::Stage(std::vector<std::string> names, std::vector<StagePlace> places, std::vector<std::string> configured, std::uint64_t seed)
    : world(seed), network(world, fault), clusterNetwork(world, fault), shownTime(world.now().mono)
{
    std::vector<cluster::Command> first;
    for (cluster::Operation& operation : SimAggregator::firstState(fault)) {
        first.push_back({MessageId::make(world.now().wall, world.rng()), world.now().wall, std::move(operation)});
    }
    for (const std::string& name : names) {
        members.push_back(std::make_unique<SimEngine>(world, clusterNetwork, clusterCheckers, fault, members, members.size() + 1, name));
        members.back()->found(first);
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
        aggregators.push_back(
            std::make_unique<SimAggregator>(world, network, checkers, events, fault, names[i], names, *members[i]));
    }
    std::vector<shoset::AggregatorAddress> known = SimAggregator::addressesOf(names);
    std::erase_if(known, [&configured](const shoset::AggregatorAddress& address) {
        return !configured.empty() && std::find(configured.begin(), configured.end(), address.name) == configured.end();
    });
    for (const char* tenant : {"acme", "zeta"}) {
        static_cast<void>(registry.addTenant(tenant));
    }
    for (const StagePlace& place : places) {
        const std::string key(40, static_cast<char>('A' + satellites.size()));
        if (const Result<void> put = registry.put({place.tenant, place.name, key, place.prefix, "", ""}); !put) {
            throw std::runtime_error(put.error().message);
        }
        satellites.push_back(
            std::make_unique<SimSatellite>(world, network, checkers, events, fault, place.tenant, place.name, known));
        satellites.back()->makeBmcReliable();
    }
}

Stage::~Stage() = default;

SimAggregator& Stage::node(const std::string& name)
{
    return **std::find_if(aggregators.begin(), aggregators.end(), [&](const auto& each) { return each->processName() == name; });
}

SimSatellite& Stage::satellite(const std::string& address)
{
    return **std::find_if(satellites.begin(), satellites.end(), [&](const auto& each) { return each->processName() == address; });
}

void Stage::startAll()
{
    for (const auto& each : aggregators) {
        each->start(registry);
    }
    for (const auto& each : satellites) {
        each->start();
    }
}

void Stage::cut(const std::string& one, const std::string& other)
{
    network.cut(one, other);
    network.cut(other, one);
}

void Stage::leaveOnly(const Ways& ways)
{
    const auto isLeft = [&ways](const std::string& one, const std::string& other) {
        return std::find(ways.begin(), ways.end(), std::pair(one, other)) != ways.end() ||
               std::find(ways.begin(), ways.end(), std::pair(other, one)) != ways.end();
    };
    std::vector<std::string> others;
    for (const auto& each : satellites) {
        others.push_back(each->processName());
    }
    for (const auto& each : aggregators) {
        for (const std::string& other : others) {
            if (!isLeft(each->processName(), other)) {
                cut(each->processName(), other);
            }
        }
        others.push_back(each->processName());
    }
}

void Stage::pass(Duration time)
{
    shownTime += time;
    world.runUntil(shownTime);
}

bool Stage::until(const std::function<bool()>& condition, Duration patience)
{
    for (const Instant end = shownTime + patience; shownTime < end;) {
        if (condition()) {
            return true;
        }
        pass(look);
    }
    return condition();
}

bool Stage::isWhole()
{
    std::vector<std::string> running;
    for (const auto& each : satellites) {
        if (each->isUp()) {
            running.push_back(each->processName());
        }
    }
    for (const auto& each : aggregators) {
        if (each->isUp()) {
            running.push_back(each->processName());
        }
    }
    return std::all_of(aggregators.begin(), aggregators.end(), [&running](const auto& each) {
        return !each->isUp() || std::all_of(running.begin(), running.end(), [&each](const std::string& other) {
            return other == each->processName() || each->running().mesh().isReachable(other);
        });
    });
}

void Stage::askLater(const std::string& atNode, const std::string& method, const std::string& uri, const std::string& body,
                     std::function<void(const SimAggregator::Reply&)> done, const std::string& user)
{
    RequestHead head{method, uri, {{"Authorization", SimAggregator::basicOf(user)}}};
    if (!body.empty()) {
        head.headers.push_back({"Content-Type", "application/json"});
    }
    node(atNode).askOwn("q" + std::to_string(nextMarker++), std::move(head), body, clientsPatience, std::move(done));
}

SimAggregator::Reply Stage::ask(const std::string& atNode, const std::string& method, const std::string& uri, const std::string& body,
                                const std::string& user)
{
    std::optional<SimAggregator::Reply> answer;
    askLater(atNode, method, uri, body, [&answer](const SimAggregator::Reply& reply) { answer = reply; }, user);
    until([&answer] { return answer.has_value(); }, clientsPatience + 1s);
    return answer.value_or(SimAggregator::Reply{});
}

Result<cluster::Applied> Stage::propose(cluster::Operation operation)
{
    std::optional<Result<cluster::Applied>> outcome;
    members.front()->propose({MessageId::make(world.now().wall, world.rng()), world.now().wall, std::move(operation)},
                             world.now().mono + 10s, [&outcome](Result<cluster::Applied> applied) { outcome = std::move(applied); });
    until([&outcome] { return outcome.has_value(); }, 20s);
    return outcome.value_or(Result<cluster::Applied>(Error{Code::unavailable, "nobody has answered"}));
}

}  // namespace mesh::simulation
