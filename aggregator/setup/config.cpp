#include "aggregator/setup/config.hpp"

#include "cluster/history/core/database_url.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/config/reader.hpp"
#include "shoset/core/message.hpp"
#include "shoset/zmq/keys.hpp"

#include <algorithm>
#include <string_view>

namespace mesh::aggregator {

namespace {

constexpr std::uint64_t maxFeatureLevel = 1000;  // of what is read; what the program knows is asked later

bool isAddress(std::string_view text)
{
    return shoset::isTcpEndpoint("tcp://" + std::string(text));
}

bool isBindEndpoint(std::string_view text)
{
    constexpr std::string_view anywhere = "tcp://*:";
    return shoset::isTcpEndpoint(text) || (text.starts_with(anywhere) && isAddress("0.0.0.0:" + std::string(text.substr(anywhere.size()))));
}

constexpr config::Form bindEndpoint{isBindEndpoint, "tcp://ADDRESS:PORT"};
constexpr config::Form remoteEndpoint{shoset::isTcpEndpoint, "tcp://HOST:PORT"};
constexpr config::Form address{isAddress, "ADDRESS:PORT"};

// What others can connect to, where binding says it.
std::string reachable(const std::string& bind)
{
    const bool anywhere = bind.find("//0.0.0.0:") != std::string::npos || bind.find("//*:") != std::string::npos ||
                          bind.find("//[::]:") != std::string::npos;
    return anywhere ? std::string() : bind;
}

void readPeers(config::Reader& reader, config::Section peers, Config& out)
{
    out.peersBind = peers.text("bind", "", bindEndpoint);
    out.peersAdvertise = peers.text("advertise", reachable(out.peersBind), remoteEndpoint);
    for (config::Section entry : peers.sections("members")) {
        PeerAddress peer{entry.text("name"), entry.text("endpoint", remoteEndpoint), entry.text("key")};
        if (!shoset::isValidKey(peer.key)) {
            reader.complain(entry, "expected a public key of 40 characters (Z85) for 'key'");
        }
        if (peer.name == out.name) {
            reader.complain(entry, "expected the other nodes here, not '" + peer.name + "' itself");
        }
        out.peers.push_back(std::move(peer));
    }
    if (!out.peers.empty() && out.peersBind.empty()) {
        reader.complain(peers, "expected 'bind' in peers, since there are members");
    }
    if (out.peers.size() >= limits::maxAggregators) {
        reader.complain(peers, "expected at most " + std::to_string(limits::maxAggregators - 1) + " members");
    }
}

void readFacade(config::Reader& reader, config::Section facade, Config& out)
{
    out.facadeBind = facade.text("bind", "0.0.0.0:8443", address);
    const std::string certificate = facade.text("certificate", "auto");
    if (certificate != "auto") {
        out.certificateFile = certificate;
        out.certificateKeyFile = facade.text("certificate_key");
    }
    out.certificateNames = facade.texts("names");
    out.plainHttp = facade.flag("plain_http_for_tests", false);
    if (out.plainHttp && !out.facadeBind.starts_with("127.") && !out.facadeBind.starts_with("[::1]")) {
        reader.complain(facade, "plain_http_for_tests works on loopback addresses only");
    }
    out.collectionDeadline = facade.duration("collection_deadline", limits::collectionDeadline);
    out.idleTimeout = facade.duration("idle_timeout", limits::httpIdleTimeout);
    out.maxBody = facade.bytes("max_body", limits::maxRequestBodyBytes);
}

// A unit's name as systemd has them, never one that could be taken for an option.
bool isTargetName(const std::string& name)
{
    constexpr std::string_view suffix = ".target";
    constexpr std::string_view others = ":_.\\@-";
    return name.size() > suffix.size() && name.size() <= limits::maxUnitNameBytes && name.ends_with(suffix) && name.front() != '-' &&
           std::all_of(name.begin(), name.end(), [others](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || others.find(c) != others.npos;
           });
}

void readFollowers(config::Reader& reader, config::Section cluster, Config& out)
{
    out.onPrimary = cluster.text("on_primary", "");
    out.onStandby = cluster.text("on_standby", "");
    out.primaryTarget = cluster.text("primary_target", "");
    out.systemctl = cluster.text("systemctl", "/usr/bin/systemctl");
    if (!out.primaryTarget.empty() && !isTargetName(out.primaryTarget)) {
        reader.complain(cluster, "expected the name of a systemd unit that ends in '.target' for 'primary_target'");
    }
    if (!out.systemctl.starts_with('/')) {
        reader.complain(cluster, "expected an absolute path for 'systemctl'");
    }
}

void readCluster(config::Reader& reader, config::Section cluster, Config& out)
{
    out.clusterDirectory = cluster.text("directory", "");
    out.electionTimeout = cluster.duration("election_timeout", limits::raftElection);
    out.clusterHeartbeat = cluster.duration("heartbeat", limits::raftHeartbeat);
    readFollowers(reader, cluster, out);
    out.witness = cluster.flag("witness", false);
    out.authorityLease = cluster.duration("authority_lease", limits::authorityLease);
    out.newestFeatureLevel = static_cast<std::uint32_t>(cluster.number("newest_feature_level", 0, maxFeatureLevel));
    if (out.electionTimeout < limits::raftElectionFloor || out.clusterHeartbeat < limits::raftHeartbeatFloor ||
        out.clusterHeartbeat * 3 > out.electionTimeout) {
        reader.complain(cluster, "expected an election_timeout of 300ms at least, and a heartbeat of 50ms at least and a "
                                 "third of it at most");
    }
}

void readWho(config::Reader& reader, config::Section root, Config& out)
{
    if (root.isText("registry")) {
        if (root.text("registry") != "cluster") {
            reader.complain(root, "expected 'cluster' or a mapping with 'file' for 'registry'");
        }
    } else {
        out.registryFile = root.section("registry").text("file");
    }
    out.accountsFile = root.section("accounts").text("file", "/var/lib/bmcmesh/accounts");
}

void readHistory(config::Reader& reader, config::Section history, Config& out)
{
    out.historyDatabase = history.text("database", "");
    const std::string audit = history.text("audit", "required");
    out.audit = audit == "off" ? AuditWish::off : audit == "best_effort" ? AuditWish::bestEffort : AuditWish::required;
    if (audit != "off" && audit != "best_effort" && audit != "required") {
        reader.complain(history, "expected 'required', 'best_effort' or 'off' for 'audit', not '" + audit + "'");
    }
    if (const Result<void> fine = history::checkUrl(out.historyDatabase); !out.historyDatabase.empty() && !fine) {
        reader.complain(history, fine.error().message + " for 'database'");
    }
    out.historyKeep = history.duration("keep", limits::historyKeep);
    out.historyMaxSize = history.bytes("max_size", limits::historyMaxBytes);
    out.eventsKeep = history.duration("events_keep", limits::eventsKeep);
    out.eventsMaxSize = history.bytes("events_max_size", limits::eventsMaxBytes);
    out.historySyslog = history.text("syslog", "");
}

void readServices(config::Reader& reader, config::Section root, Config& out)
{
    config::Section mesh = root.section("mesh");
    out.meshBind = mesh.text("bind", "tcp://0.0.0.0:5670", bindEndpoint);
    out.meshAdvertise = mesh.text("advertise", reachable(out.meshBind), remoteEndpoint);
    config::Section enrolment = root.section("enrolment");
    out.enrolBind = enrolment.text("bind", "tcp://0.0.0.0:5672", bindEndpoint);
    out.enrolAdvertise = enrolment.text("advertise", reachable(out.enrolBind), remoteEndpoint);
    readFacade(reader, root.section("facade"), out);
    readWho(reader, root, out);
    readHistory(reader, root.section("history"), out);
}

// It votes; what would serve clients and connectors would be silently without effect.
void readWitness(config::Reader& reader, config::Section root, Config& out)
{
    for (const char* name : {"facade", "mesh", "enrolment", "registry", "accounts", "history"}) {
        if (root.has(name)) {
            const config::Section at = root.isText(name) ? root : root.section(name);
            reader.complain(at, std::string("expected no '") + name + "' for a witness, which serves neither clients nor connectors");
        }
    }
    if (out.peersBind.empty()) {
        reader.complain(root, "expected 'bind' in peers for a witness, which is there for the other nodes alone");
    }
    if (!out.onPrimary.empty() || !out.onStandby.empty() || !out.primaryTarget.empty()) {
        reader.complain(root.section("cluster"), "expected no on_primary, on_standby or primary_target for a witness, which is never "
                                                 "what another service could follow");
    }
}

}  // namespace

Result<Config> loadConfig(const std::string& path, bool witness)
{
    Config out;
    config::Reader reader(path);
    config::Section root = reader.root();
    config::Section node = root.section("node");
    out.name = node.name("name");
    out.keyFile = node.text("key");
    out.busyPoll = node.flag("busy_poll", true);
    readPeers(reader, root.section("peers"), out);
    readCluster(reader, root.section("cluster"), out);
    out.witness = out.witness || witness;
    out.audit = out.witness ? AuditWish::off : AuditWish::required;
    out.witness ? readWitness(reader, root, out) : readServices(reader, root, out);
    if (Result<void> fine = reader.finish(); !fine) {
        return fine.error();
    }
    return out;
}

}  // namespace mesh::aggregator
