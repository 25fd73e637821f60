#include "aggregator/core/resource_cluster.hpp"

#include "aggregator/core/catch_up.hpp"
#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_body.hpp"
#include "cluster/core/backup.hpp"

#include <nlohmann/json.hpp>

#include <array>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::array memberRules{PropertyRule{"name", Takes::text, true}, PropertyRule{"key", Takes::text, true},
                                 PropertyRule{"peer_endpoint", Takes::text, true}, PropertyRule{"mesh_endpoint", Takes::text},
                                 PropertyRule{"witness", Takes::flag}};
constexpr std::array transferRules{PropertyRule{"to", Takes::text, true}};

json describeNode(const cluster::Node& node)
{
    return {{"id", node.id},
            {"name", node.name},
            {"key", node.key},
            {"peer_endpoint", node.peerEndpoint},
            {"mesh_endpoint", node.meshEndpoint},
            {"witness", node.witness},
            {"software", node.software},
            {"feature_level", node.featureLevel},
            {"started", !node.storage.empty()}};
}

json nodesOf(const cluster::State& state)
{
    json nodes = json::array();
    for (const auto& [id, node] : state.nodes) {
        nodes.push_back(describeNode(node));
    }
    return nodes;
}

}  // namespace

Answer ClusterResources::list() const
{
    const cluster::State& state = context.engine.state();
    return documentAnswer(200, "application/json",
                          jsonText({{"generation", state.generation}, {"feature_level", state.featureLevel}, {"nodes", nodesOf(state)}}));
}

void ClusterResources::take(const CallPtr& call) const
{
    if (const std::string reason = context.node.notReady(); !reason.empty()) {
        return call->answer(temporarilyUnavailable("This node takes nobody in now: " + reason + "."));
    }
    auto read = readBody(call->request, memberRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    const RequestBody& body = std::get<RequestBody>(read);
    cluster::Node node;
    node.name = *body.text("name");
    node.key = *body.text("key");
    node.peerEndpoint = *body.text("peer_endpoint");
    node.meshEndpoint = body.textOr("mesh_endpoint", "");
    node.featureLevel = context.engine.state().featureLevel;  // until it says what it knows
    node.witness = body.flag("witness") != nullptr && *body.flag("witness");
    if (const cluster::Node* known = cluster::findNodeByName(context.engine.state(), node.name)) {
        if (known->key != node.key || !known->storage.empty()) {
            return call->answer(adminRefusal({Code::alreadyExists, "node " + node.name + " is in the cluster already; if it has "
                                                              "lost its data, remove it first"}));
        }
        node.id = known->id;  // it asks again: the answer got lost
    }
    propose(context, call, cluster::PutNode{std::move(node)}, [this, call](const cluster::Applied& applied) {
        if (!applied.ok()) {
            return call->answer(adminRefusal(applied.error));
        }
        const cluster::State& state = context.engine.state();
        call->answer(documentAnswer(201, "application/json",
                                    jsonText({{"id", std::stoull(applied.value)}, {"nodes", nodesOf(state)}})));
    });
}

void ClusterResources::remove(const CallPtr& call) const
{
    const cluster::State& state = context.engine.state();
    const cluster::Node* node = cluster::findNodeByName(state, call->id);
    if (node == nullptr) {
        return call->answer(notFound(call->request.path));
    }
    if (state.nodes.size() == 1) {
        return call->answer(adminRefusal({Code::preconditionFailed, "this is the cluster's only node"}));
    }
    propose(context, call, cluster::RemoveNode{node->id}, [call](const cluster::Applied& applied) {
        call->answer(applied.ok() ? noContent() : adminRefusal(applied.error));
    });
}

void ClusterResources::transfer(const CallPtr& call) const
{
    auto read = readBody(call->request, transferRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    const std::string& to = *std::get<RequestBody>(read).text("to");
    const cluster::Node* node = cluster::findNodeByName(context.engine.state(), to);
    if (node == nullptr) {
        return call->answer(adminRefusal({Code::invalidArgument, "there is no node " + to}));
    }
    if (node->witness) {
        return call->answer(adminRefusal({Code::preconditionFailed, to + " is a witness, which votes and is never the primary for long; "
                                                                    "choose an aggregator"}));
    }
    context.members.transferTo(node->id, [call](const Result<void>& done) {
        call->answer(done ? documentAnswer(202, "application/json", "{}") : adminRefusal(done.error()));
    });
}

void ClusterResources::backup(const CallPtr& call) const
{
    context.catchUp.run(call->now.mono, [this, call](const Result<void>& caughtUp) {
        if (!caughtUp || context.engine.state().serviceUuid.empty()) {
            return call->answer(temporarilyUnavailable(
                "What the nodes agree on is not known here: " + (caughtUp ? "the cluster has not begun" : caughtUp.error().message) + "."));
        }
        call->answer(documentAnswer(200, "application/octet-stream",
                                    cluster::makeBackup(context.engine.state(), {context.node.nodeName(), context.node.software(), call->now.wall})));
    });
}

}  // namespace mesh::aggregator
