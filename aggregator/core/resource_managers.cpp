#include "aggregator/core/resource_managers.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_body.hpp"
#include "aggregator/core/resource_oem_schemas.hpp"
#include "aggregator/core/resource_schemas.hpp"
#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view managersUri = "/redfish/v1/Managers/";
constexpr std::array failoverRules{PropertyRule{"NewManager/@odata.id", Takes::text, true}};

std::string managerUri(const std::string& name)
{
    return std::string(managersUri) + name;
}

json managerLink(const std::string& uri)
{
    return {{"@odata.id", uri}};
}

const cluster::Member* memberOf(const cluster::EngineStatus& status, const cluster::Node& node)
{
    const auto found = std::find_if(status.members.begin(), status.members.end(),
                                    [&node](const cluster::Member& member) { return member.id == node.id; });
    return found == status.members.end() ? nullptr : &*found;
}

// What this node knows of one, itself or another.
PeerStatus knownOf(const ResourceContext& context, const cluster::Node& node)
{
    if (node.name == context.node.nodeName()) {
        return {node.name, true, {}, context.node.report()};
    }
    const std::vector<PeerStatus> peers = context.node.peers();
    const auto peer = std::find_if(peers.begin(), peers.end(), [&node](const PeerStatus& each) { return each.name == node.name; });
    return peer == peers.end() ? PeerStatus{node.name} : *peer;
}

json criticalCondition(const std::string& sentence, WallTime since)
{
    json condition = json::parse(messageJson({"GeneralError", {}, {}}));
    return {{"MessageId", condition["MessageId"]}, {"Message", sentence}, {"Severity", "Critical"}, {"Timestamp", dateTime(since)}};
}

json statusOf(const cluster::EngineStatus& status, const cluster::Node& node, const PeerStatus& known, const std::string& here, Now now)
{
    if (!known.linked) {
        return {{"State", "UnavailableOffline"},
                {"Health", "Critical"},
                {"Conditions", json::array({criticalCondition(here + " cannot reach it.", known.since)})}};
    }
    const char* state = node.id == status.leader || node.witness ? "Enabled" : "StandbySpare";
    if (known.report && !known.report->notReady.empty()) {
        return {{"State", state},
                {"Health", "Critical"},
                {"Conditions", json::array({criticalCondition("It is not ready: " + known.report->notReady, now.wall)})}};
    }
    return {{"State", state}, {"Health", "OK"}};
}

json oemOf(const NodeReport& report)
{
    json peers = json::array();
    for (const std::string& name : report.peers) {
        peers.push_back(managerLink(managerUri(name)));
    }
    return {{"@odata.type", oemTypeOf("Manager")},
            {"Role", report.role},
            {"Generation", report.generation},
            {"Term", report.term},
            {"Applied", report.applied},
            {"NotReady", report.notReady},
            {"Peers", std::move(peers)}};
}

json redundancyOf(const ResourceContext& context, const cluster::EngineStatus& status, const std::string& uri)
{
    json set = json::array();
    std::size_t voters = 0;
    for (const auto& [id, node] : context.engine.state().nodes) {
        const cluster::Member* member = memberOf(status, node);
        voters += member != nullptr && member->voter ? 1 : 0;
        set.push_back(managerLink(managerUri(node.name)));
    }
    const bool majority = status.leader != 0;
    return json::array({{{"@odata.id", uri + "#/Redundancy/0"},
                         {"MemberId", "0"},
                         {"Name", "Nodes of the service"},
                         {"Mode", "Failover"},
                         {"MinNumNeeded", voters / 2 + 1},
                         {"MaxNumSupported", limits::maxAggregators},
                         {"RedundancySet", std::move(set)},
                         {"Status", {{"State", "Enabled"}, {"Health", majority ? "OK" : "Critical"}}}}});
}

}  // namespace

std::vector<std::string> ManagerResources::members(const Principal& who) const
{
    std::vector<std::string> out;
    if (who.tenant.empty()) {
        for (const auto& [id, node] : context.engine.state().nodes) {
            out.push_back(managerUri(node.name));
        }
    }
    return out;
}

const cluster::Node* ManagerResources::find(const Call& call) const
{
    const cluster::Node* node = cluster::findNodeByName(context.engine.state(), call.id);
    return call.tenant().empty() && node != nullptr && node->name == call.id ? node : nullptr;
}

Answer ManagerResources::get(const Call& call) const
{
    const cluster::Node* node = find(call);
    if (node == nullptr) {
        return notFound(call.request.path);
    }
    const cluster::EngineStatus status = context.engine.status();
    const std::string uri = managerUri(node->name);
    const std::string type = typeOf("Manager");
    const PeerStatus known = knownOf(context, *node);
    json body{{"@odata.id", uri},
              {"@odata.type", type},
              {"Id", node->name},
              {"Name", (node->witness ? "Witness " : "Aggregator ") + node->name},
              {"ManagerType", "Service"},
              {"Status", statusOf(status, *node, known, context.node.nodeName(), call.now)},
              {"Redundancy@odata.count", 1},
              {"Redundancy", redundancyOf(context, status, uri)},
              {"NetworkProtocol", managerLink(uri + "/NetworkProtocol")},
              {"Actions",
               {{"#Manager.ForceFailover", {{"target", uri + "/Actions/Manager.ForceFailover"}}}}}};
    if (known.report) {
        body["Oem"]["Bmcmesh"] = oemOf(*known.report);
    }
    if (!node->software.empty()) {
        body["FirmwareVersion"] = node->software;
    }
    if (const std::string uuid = context.node.serviceUuid(); !uuid.empty()) {
        body["ServiceEntryPointUUID"] = uuid;
    }
    return representationAnswer(call.request.head,
                                {type, jsonText(body), std::string(readOnly), {}});
}

Answer ManagerResources::networkProtocol(const Call& call) const
{
    const cluster::Node* node = find(call);
    if (node == nullptr) {
        return notFound(call.request.path);
    }
    const std::string type = typeOf("ManagerNetworkProtocol");
    const json body{{"@odata.id", managerUri(node->name) + "/NetworkProtocol"},
                    {"@odata.type", type},
                    {"Id", "NetworkProtocol"},
                    {"Name", "Network Protocol of " + node->name},
                    {"HostName", node->name},
                    {"HTTP", {{"ProtocolEnabled", false}}},
                    {"HTTPS", {{"ProtocolEnabled", !node->witness}}},
                    {"Status", {{"State", "Enabled"}, {"Health", "OK"}}}};
    return representationAnswer(call.request.head,
                                {type, jsonText(body), std::string(readOnly), {}});
}

void ManagerResources::forceFailover(const CallPtr& call) const
{
    if (find(*call) == nullptr) {
        return call->answer(notFound(call->request.path));
    }
    auto read = readBody(call->request, failoverRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    const std::string& uri = *std::get<RequestBody>(read).text("NewManager/@odata.id");
    const cluster::EngineStatus status = context.engine.status();
    const cluster::Node* chosen = uri.starts_with(managersUri)
                                      ? cluster::findNodeByName(context.engine.state(), uri.substr(managersUri.size()))
                                      : nullptr;
    if (chosen != nullptr && chosen->witness) {
        return call->answer(errorAnswer(400, {"ActionParameterValueError", {"NewManager", "ForceFailover"}, {}},
                                        "NewManager is a witness, which votes and is never the primary for long; choose an aggregator."));
    }
    const cluster::Member* member = chosen == nullptr ? nullptr : memberOf(status, *chosen);
    if (member == nullptr || !member->voter || chosen->id == status.leader ||
        !knownOf(context, *chosen).linked) {
        return call->answer(errorAnswer(400, {"ActionParameterValueError", {"NewManager", "ForceFailover"}, {}},
                                        "NewManager must be the URI of another node of this service that is up and votes."));
    }
    context.members.transferTo(chosen->id, [call](const Result<void>& done) {
        call->answer(done ? noContent()
                          : temporarilyUnavailable(done.error().message));
    });
}

}  // namespace mesh::aggregator
