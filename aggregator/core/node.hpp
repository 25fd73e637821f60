#pragma once

#include "aggregator/core/audit_trail.hpp"
#include "aggregator/core/broker.hpp"
#include "aggregator/core/cluster_keeper.hpp"
#include "aggregator/core/command_lookup.hpp"
#include "aggregator/core/commands.hpp"
#include "aggregator/core/configurations.hpp"
#include "aggregator/core/credentials.hpp"
#include "aggregator/core/enrolment.hpp"
#include "aggregator/core/event_flow.hpp"
#include "aggregator/core/facade.hpp"
#include "aggregator/core/facade_resources.hpp"
#include "aggregator/core/history_places.hpp"
#include "aggregator/core/hop_notes.hpp"
#include "aggregator/core/hosting.hpp"
#include "aggregator/core/key_rotations.hpp"
#include "aggregator/core/mesh.hpp"
#include "aggregator/core/node_view.hpp"
#include "aggregator/core/refusal_notes.hpp"
#include "aggregator/core/satellites.hpp"
#include "aggregator/core/tenant_quotas.hpp"
#include "aggregator/core/trace_lookup.hpp"
#include "aggregator/core/secret_asks.hpp"
#include "cluster/core/state_engine.hpp"
#include "shoset/base/limits.hpp"
#include "tenants/registry.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

struct NodeSettings {
    std::string name;
    std::string software;
    KeeperSettings cluster;
    bool registryInCluster = false;  // else it is given by setRegistry()
    Duration collectionDeadline = limits::collectionDeadline;
    Duration authorityLease = limits::authorityLease;
    // Takes this node's report to another one; it may be lost.
    std::function<void(const std::string& node, const std::string& report)> tellPeer = [](const std::string&, const std::string&) {};
    AuditMode audit = AuditMode::required;
    // Of the key that passwords of databases are sealed to, and of another for places in pages; without it those end with the program.
    std::optional<sealing::Seed> seed = {};
};

// What only the shell can say of the node.
class ShellMetrics {
public:
    virtual ~ShellMetrics() = default;
    virtual std::vector<Counter> shellMetrics() const = 0;
    // What the core cannot know: the other nodes do not listen to this one, or a recovery is not on its disk; empty: nothing.
    virtual std::string whyNotReady() const = 0;
};

// One aggregator's logic: mesh, requests in flight, satellites, facade. The shell gives it frames, HTTP requests and
// time, and after each batch calls flush().
class Node final : public MeshEvents, public NodeView {
public:
    Node(NodeSettings settings, shoset::FramePort& frames, HttpPort& http, cluster::StateEngine& engine,
         MembershipPort& members, PasswordPort& passwords, HostPort& hosts, HistoryPort& history, const ShellMetrics& shell, Rng& rng);
    ~Node() override;

    // Who belongs to the mesh, where that is not kept in the cluster (the factory-provisioned registry); prefixes come from
    // the state. Again after a reload. An error, with the old registry in force: a prefix clash, named.
    Result<void> setRegistry(tenants::Registry registry);
    // A recovery (see KeeperSettings) has begun its new generation and forgotten the lost nodes.
    bool hasRecovered() const { return keeper.hasRecovered(); }
    // The engine's status or members have changed.
    void onClusterStatus(Now now);
    // What another node, which is proved, says of itself.
    void onPeerReport(const std::string& node, std::string_view text) { reports.onReport(node, text); }
    // The address that a connector's key stands for; empty: unknown.
    std::string connectorOfKey(std::string_view key) const;

    Mesh& mesh() { return links; }
    Facade& facade() { return front; }
    Credentials& credentials() { return logins; }
    const Satellites& satellites() const { return machines; }
    Enrolment& enrolment() { return strangers; }
    Hosting& hosting() { return hosted; }
    const AuditTrail& audit() const { return deeds; }
    EventFlow& events() { return eventFlow; }
    // How many events may be stored of each tenant that has such a quota.
    std::map<std::string, std::uint64_t> eventQuotas() const;
    const Broker& broker() const { return requests; }

    void onTimer(Now now);
    Instant nextDeadline() const;
    void flush() { links.flush(); }

    void onReply(const shoset::Address& from, const MessageId& id, shoset::Reply reply, std::string_view body, bool last,
                 Instant sent, Now now) override;
    void onChunk(const shoset::Address& from, const MessageId& id, const shoset::Chunk& chunk, std::string_view body,
                 bool last, Now now) override;
    void onCredit(const shoset::Address& from, const MessageId& id, std::uint64_t total, Now now) override;
    void onAnnounce(const shoset::Address& from, shoset::Announce announce, Now now) override;
    void onConnectorUp(const shoset::Address& connector, const std::string& key, Now now) override;
    void onKeyOffer(const shoset::Address& connector, const std::string& linkKey, const shoset::KeyOffer& offer, Now now) override;
    void onOffers(const shoset::Address& from, shoset::Offers offers) override;
    void onConfigured(const shoset::Address& from, shoset::Configured told) override;
    void onCommandAsked(const shoset::Address& from, const MessageId& id, shoset::Command command, std::string_view payload,
                        std::optional<Instant> deadline, Now now) override;
    bool onPeerAsked(const shoset::Address& from, const MessageId& id, const shoset::Command& command, std::string_view payload,
                     Now now) override;
    void onEventRecord(const shoset::Address& peer, shoset::Message message, std::string_view body, Now now) override;
    void onConnectorDown(const shoset::Address& connector, Now now) override;
    void onRefusedRecord(const shoset::Address& peer, std::string_view why, Now now) override;
    void onLinkLost(shoset::LinkId link, Now now) override;
    void onRoutesChanged(const std::vector<shoset::Address>& addresses, Now now) override;

    std::string nodeName() const override { return settings.name; }
    std::string serviceUuid() const override;
    std::string software() const override { return settings.software; }
    std::string notReady() const override;
    NodeReport report() const override;
    std::vector<PeerStatus> peers() const override { return reports.all(); }
    bool registryInCluster() const override { return settings.registryInCluster; }
    std::vector<Counter> metrics() const override;
    std::vector<PlaceStatus> historyPlaces() const override { return places.statuses(); }
    const PagePlaces& pagePlaces() const override { return pages; }

private:
    std::optional<std::vector<shoset::Address>> otherStores() const;
    void assignPrefix(const tenants::Connector& connector, const std::string& uuid, Now now);
    void onStateChange(const cluster::Change& change);
    void onServiceChange();
    void tellAggregators(Now now);

    const NodeSettings settings;
    cluster::WatchId watching = 0;
    bool aggregatorsChanged = true;  // what connectors were told of them is old
    cluster::StateEngine& engine;
    const ShellMetrics& shell;
    Rng& rng;
    const PagePlaces pages;
    tenants::Registry configured;  // as in the file
    tenants::Registry registry;    // with the assigned prefixes
    TenantQuotas quotas;
    HopNotes hops;
    Satellites machines;
    Mesh links;
    CatchUp catchUp;
    Credentials logins;
    AuditTrail deeds;
    EventFlow eventFlow;
    HistoryPlaces places;
    RefusalNotes refusals;
    FacadeResources resources;
    Facade front;
    Broker requests;
    OfferBook offered;
    tenants::Policy grants;  // what connectors may ask each other for
    Commands carried;
    PeerQuestions questions;
    CommandLookup elsewhere;
    TraceLookup traces;
    SecretAsks sealed;
    ClusterKeeper keeper;
    Enrolment strangers;
    KeyRotations rotations;
    Configurations layers;
    Hosting hosted;
    PeerReports reports;
};

}  // namespace mesh::aggregator
