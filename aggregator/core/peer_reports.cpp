#include "aggregator/core/peer_reports.hpp"

#include "aggregator/core/json_text.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::array allRoles{cluster::NodeRole::stopped, cluster::NodeRole::follower, cluster::NodeRole::candidate,
                              cluster::NodeRole::primary};

bool isRole(const std::string& name)
{
    return std::any_of(allRoles.begin(), allRoles.end(), [&name](cluster::NodeRole role) { return name == roleName(role); });
}

}  // namespace

const char* roleName(cluster::NodeRole role)
{
    switch (role) {
    case cluster::NodeRole::stopped:
        return "stopped";
    case cluster::NodeRole::follower:
        return "standby";
    case cluster::NodeRole::candidate:
        return "candidate";
    case cluster::NodeRole::primary:
        return "primary";
    }
    return "";
}

std::string encodeReport(const NodeReport& report)
{
    const json body{{"role", report.role},
                    {"generation", report.generation},
                    {"term", report.term},
                    {"applied", report.applied},
                    {"not_ready", report.notReady.substr(0, limits::maxReasonBytes)},
                    {"peers", report.peers}};
    return jsonText(body);
}

std::optional<NodeReport> decodeReport(std::string_view text)
{
    const json body = text.size() > limits::maxReportBytes ? json() : json::parse(text, nullptr, false);
    try {
        NodeReport out;
        out.role = body.at("role").get<std::string>();
        out.generation = body.at("generation").get<std::uint64_t>();
        out.term = body.at("term").get<std::uint64_t>();
        out.applied = body.at("applied").get<std::uint64_t>();
        out.notReady = body.at("not_ready").get<std::string>();
        out.peers = body.at("peers").get<std::vector<std::string>>();
        const bool fine = isRole(out.role) && out.peers.size() <= limits::maxAggregators &&
                          std::all_of(out.peers.begin(), out.peers.end(), [](const std::string& name) { return isValidName(name); });
        return fine ? std::optional(std::move(out)) : std::nullopt;
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

PeerReports::PeerReports(Environment around, const cluster::StateEngine& stateEngine)
    : environment(std::move(around)), engine(stateEngine)
{
}

void PeerReports::onApplied()
{
    lookAt = std::min(lookAt, toldAt == Instant::min() ? Instant{} : toldAt + limits::reportPause);
}

void PeerReports::onReport(const std::string& node, std::string_view text)
{
    const auto peer = peers.find(node);
    std::optional<NodeReport> report = decodeReport(text);
    if (peer == peers.end() || !report) {
        ++dropped;
        return;
    }
    peer->second.report = std::move(report);
}

void PeerReports::onTimer(Now now)
{
    if (lookAt > now.mono) {
        return;
    }
    bool anotherOne = false;
    std::map<std::string, Peer> fresh;
    for (const auto& [id, node] : engine.state().nodes) {
        if (node.name == environment.self) {
            continue;
        }
        const auto known = peers.find(node.name);
        Peer peer = known == peers.end() ? Peer{false, now.wall, {}} : std::move(known->second);
        if (const bool linked = environment.isLinked(node.name); linked != peer.linked) {
            peer = {linked, now.wall, linked ? std::move(peer.report) : std::nullopt};
            anotherOne = anotherOne || linked;
        }
        fresh.emplace(node.name, std::move(peer));
    }
    peers = std::move(fresh);
    NodeReport own = environment.own();
    if (anotherOne || own != told || toldAt == Instant::min() || now.mono - toldAt >= limits::reportRefresh) {
        const std::string text = encodeReport(own);
        for (const auto& [name, peer] : peers) {
            if (peer.linked) {
                environment.tell(name, text);
            }
        }
        told = std::move(own);
        toldAt = now.mono;
    }
    lookAt = toldAt + limits::reportRefresh;
}

std::vector<PeerStatus> PeerReports::all() const
{
    std::vector<PeerStatus> out;
    for (const auto& [id, node] : engine.state().nodes) {
        if (node.name == environment.self) {
            continue;
        }
        // A link that has just gone counts, and one that has just come.
        const auto known = peers.find(node.name);
        const bool linked = environment.isLinked(node.name);
        PeerStatus status{node.name, linked};
        if (known != peers.end()) {
            status.since = known->second.since;
            status.report = linked ? known->second.report : std::nullopt;
        }
        out.push_back(std::move(status));
    }
    return out;
}

}  // namespace mesh::aggregator
