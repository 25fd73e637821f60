#include "aggregator/core/resource_node.hpp"

#include "tenants/policy.hpp"

#include <nlohmann/json.hpp>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

std::string dump(const json& value)
{
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Of a HELP line: backslash and line feed are escaped.
std::string escapeHelp(const std::string& text)
{
    std::string out;
    for (const char c : text) {
        out += c == '\\' ? "\\\\" : c == '\n' ? "\\n" : std::string(1, c);
    }
    return out;
}

}  // namespace

Answer health(const NodeView& node)
{
    const std::string reason = node.notReady();
    return documentAnswer(reason.empty() ? 200 : 503, "application/json", dump({{"ready", reason.empty()}, {"reason", reason}}));
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

Answer meshStatus(const Call& call, const NodeView& node, const Satellites& satellites)
{
    json peers = json::array();
    for (const PeerStatus& peer : node.peers()) {
        peers.push_back({{"name", peer.name}, {"linked", peer.linked}});
    }
    json machines = json::array();
    for (const auto& [address, satellite] : satellites.all()) {
        if (tenants::mayReach(call.tenant(), satellite.tenant)) {
            machines.push_back({{"tenant", satellite.tenant},
                                {"name", satellite.name},
                                {"prefix", satellite.prefix},
                                {"uuid", satellite.uuid},
                                {"trouble", satellite.trouble()},
                                {"linked", satellite.linked}});
        }
    }
    return documentAnswer(200, "application/json",
                          dump({{"node", node.nodeName()},
                                {"software", node.software()},
                                {"not_ready", node.notReady()},
                                {"service_uuid", node.serviceUuid()},
                                {"peers", std::move(peers)},
                                {"satellites", std::move(machines)}}));
}

}  // namespace mesh::aggregator
