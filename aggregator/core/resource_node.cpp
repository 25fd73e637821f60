#include "aggregator/core/resource_node.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_databases.hpp"
#include "tenants/policy.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

// Of a HELP line: backslash and line feed are escaped.
std::string escapeHelp(const std::string& text)
{
    std::string out;
    for (const char c : text) {
        out += c == '\\' ? "\\\\" : c == '\n' ? "\\n" : std::string(1, c);
    }
    return out;
}

void addReport(json& member, const NodeReport& report)
{
    member["role"] = report.role;
    member["generation"] = report.generation;
    member["term"] = report.term;
    member["applied"] = report.applied;
    member["not_ready"] = report.notReady;
    member["peers"] = report.peers;
}

// What this node knows of a member: of one that it cannot reach, that and since when.
void addWhatIsKnown(json& member, const NodeView& node, const std::string& name)
{
    const std::vector<PeerStatus> peers = node.peers();
    const auto peer = std::find_if(peers.begin(), peers.end(), [&name](const PeerStatus& each) { return each.name == name; });
    member["reachable"] = peer == peers.end() ? name == node.nodeName() : peer->linked;
    if (peer == peers.end() && name == node.nodeName()) {
        addReport(member, node.report());
    } else if (peer != peers.end() && !peer->linked) {
        member["unreachable_since"] = dateTime(peer->since);
    } else if (peer != peers.end() && peer->report) {
        addReport(member, *peer->report);
    }
}

json clusterStatus(const ResourceContext& context)
{
    const cluster::StateEngine& engine = context.engine;
    const cluster::EngineStatus status = engine.status();
    json members = json::array();
    std::string leader;
    for (const cluster::Member& member : status.members) {
        members.push_back({{"id", member.id},
                           {"name", member.name},
                           {"voter", member.voter},
                           {"primary", member.id == status.leader},
                           {"self", member.id == status.self}});
        addWhatIsKnown(members.back(), context.node, member.name);
        leader = member.id == status.leader ? member.name : leader;
    }
    return {{"role", roleName(status.role)},
            {"primary", leader},
            {"generation", engine.state().generation},
            {"term", status.term},
            {"applied", engine.state().revision},
            {"reason", status.reason},
            {"members", std::move(members)}};
}

}  // namespace

Answer health(const ResourceContext& context)
{
    const std::string reason = context.node.notReady();
    const bool primary = context.engine.status().role == cluster::NodeRole::primary;
    return documentAnswer(reason.empty() ? 200 : 503, "application/json",
                          jsonText({{"ready", reason.empty()}, {"reason", reason}, {"primary", primary}}));
}

Answer metrics(const NodeView& node)
{
    std::string out;
    for (const Counter& counter : node.metrics()) {
        out += "# HELP " + counter.name + " " + escapeHelp(counter.help) + "\n# TYPE " + counter.name +
               (counter.gauge ? " gauge\n" : " counter\n") + counter.name + " " + std::to_string(counter.value) + "\n";
    }
    return documentAnswer(200, "text/plain; version=0.0.4; charset=utf-8", std::move(out));
}

Answer meshStatus(const Call& call, const ResourceContext& context)
{
    const NodeView& node = context.node;
    json peers = json::array();
    for (const PeerStatus& peer : node.peers()) {
        peers.push_back({{"name", peer.name}, {"linked", peer.linked}});
    }
    json machines = json::array();
    for (const auto& [address, satellite] : context.satellites.all()) {
        if (tenants::mayReach(call.tenant(), satellite.tenant)) {
            machines.push_back({{"tenant", satellite.tenant},
                                {"name", satellite.name},
                                {"prefix", satellite.prefix},
                                {"uuid", satellite.uuid},
                                {"trouble", satellite.trouble()},
                                {"linked", satellite.linked}});
        }
    }
    json histories = json::array();
    for (const PlaceStatus& status : node.historyPlaces()) {
        if (tenants::mayReach(call.tenant(), status.tenant)) {
            histories.push_back(placeStatusJson(status));
        }
    }
    return documentAnswer(200, "application/json",
                          jsonText({{"node", node.nodeName()},
                                {"software", node.software()},
                                {"not_ready", node.notReady()},
                                {"service_uuid", node.serviceUuid()},
                                {"cluster", clusterStatus(context)},
                                {"peers", std::move(peers)},
                                {"history", std::move(histories)},
                                {"satellites", std::move(machines)}}));
}

}  // namespace mesh::aggregator
