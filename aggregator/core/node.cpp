#include "aggregator/core/node.hpp"

#include "aggregator/core/command_policies.hpp"

#include "cluster/core/state.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::aggregator {

namespace {

void addPartMetrics(const KeyRotationCounters& k, const PeerReports& reports, const CatchUp& questions, std::vector<Counter>& out)
{
    out.push_back({"bmcmesh_catch_up_refused_total", "Questions to the primary refused because too many waited", questions.refused(), false});
    out.push_back({"bmcmesh_reports_malformed_total", "What other nodes said of themselves, dropped", reports.malformed(), false});
    out.push_back({"bmcmesh_keys_offered_total", "New keys of connectors proposed by this node", k.offered, false});
    out.push_back({"bmcmesh_keys_offered_refused_total", "Those refused: of a dead key, or taken already", k.refused, false});
    out.push_back({"bmcmesh_keys_offered_limited_total", "Those not proposed because another one just was", k.limited, false});
    out.push_back({"bmcmesh_keys_changed_total", "Key changes that a new key's hello at this node has completed", k.completed, false});
    out.push_back({"bmcmesh_keys_change_repeated_total", "Attempts at that which led to nothing yet", k.repeated, false});
}

template <class... Parts>
void addMetricsOf(std::vector<Counter>& out, const Parts&... parts)
{
    (parts.addMetrics(out), ...);
}

template <class... Parts>
void noteHops(HopNotes& notes, Parts&... parts)
{
    (parts.setNotes(notes), ...);
}

void addCommandMetrics(const Commands& commands, const OfferBook& offers, std::vector<Counter>& out)
{
    const CommandCounters& c = commands.counters();
    out.push_back({"bmcmesh_worker_commands_in_flight", "Commands to workers under way", commands.running(), true});
    out.push_back({"bmcmesh_worker_commands_remembered", "Commands to workers that can be asked for", commands.remembered(), true});
    out.push_back({"bmcmesh_worker_commands_started_total", "Commands to workers", c.started, false});
    out.push_back({"bmcmesh_worker_commands_succeeded_total", "Connectors whose worker told SUCCESS", c.succeeded, false});
    out.push_back({"bmcmesh_worker_commands_failed_total", "Connectors that failed, or did not execute it", c.failed, false});
    out.push_back({"bmcmesh_worker_commands_unknown_total", "Connectors of which nobody knows whether they executed it", c.unknown, false});
    out.push_back({"bmcmesh_worker_commands_refused_total", "Commands refused before anything was sent", c.refused, false});
    out.push_back({"bmcmesh_worker_commands_refused_full_total", "Those because too many were under way", c.refusedFull, false});
    out.push_back({"bmcmesh_worker_commands_rechosen_total", "Times that another connector of the type got it", c.rechosen, false});
    out.push_back({"bmcmesh_worker_commands_asked_total", "Commands that connectors asked for", c.asked, false});
    out.push_back({"bmcmesh_worker_commands_asked_again_total", "Those that were asked for before", c.askedAgain, false});
    out.push_back({"bmcmesh_worker_commands_denied_total", "Those that no policy allows", c.denied, false});
    out.push_back({"bmcmesh_worker_commands_forgotten_total", "Ended commands forgotten before their time", c.forgotten, false});
    out.push_back({"bmcmesh_worker_payloads_dropped_total", "Payloads of replies that were too much to keep", c.payloadsDropped, false});
    out.push_back({"bmcmesh_worker_waiters_refused_total", "Requests that did not wait, as too many did", c.waitersRefused, false});
    out.push_back({"bmcmesh_offers_overtaken_total", "Offers that a later one had overtaken on another way", offers.overtaken(), false});
}

}  // namespace

Node::Node(NodeSettings given, shoset::FramePort& frames, HttpPort& http, cluster::StateEngine& stateEngine,
           MembershipPort& members, PasswordPort& passwords, HostPort& hosts, HistoryPort& history, const ShellMetrics& shellMetrics, Rng& random)
    : settings(std::move(given)), engine(stateEngine), shell(shellMetrics), rng(random),
      pages(settings.seed ? *settings.seed : sealing::Seed::make(rng)), machines(engine.state().serviceUuid),
      links({settings.name, rng.next(),
             shoset::capabilityRedfish | shoset::capabilityStreams | shoset::capabilityCalm | shoset::capabilityOffers |
                 shoset::capabilitySecrets | shoset::capabilityConfig |
                 (history.events() != nullptr ? std::uint64_t{shoset::capabilityEvents | shoset::capabilityEventCredit} : 0),
              settings.software},
            frames,
            *this),
      catchUp(engine), logins(engine, catchUp, passwords, rng), deeds(settings.audit, settings.name, history, rng),
      eventFlow({settings.name, [this](const shoset::Address& address) { return machines.find(address) != nullptr; },
                 [this] { return otherStores(); },
                 [this](std::string_view tenant, std::size_t bytes, Now now) { return quotas.admit(tenant, bytes, now).ok(); }},
                history.events(), links),
      places({settings.name, settings.seed, [this](Now now) { deeds.onLanes(now); eventFlow.onLanes(); },
              [this](const std::string& tenant, std::string_view name, const std::string& payload, Now now) {
                  eventFlow.note(tenant, "mesh.error", name, payload, now);
              }},
             engine, history.places(), rng),
      refusals([this](const std::string& tenant, std::string_view name, std::string_view payload, Now now) {
          eventFlow.note(tenant, "mesh.error", name, payload, now);
      }),
      resources(engine, catchUp, members, logins, passwords, hosts, machines, *this, rng),
      front({engine.state().serviceUuid, settings.collectionDeadline, settings.authorityLease}, http, logins, resources, machines), requests(links, front, machines, rng),
      carried(links, requests, machines, offered, grants, [this](Now now) { return front.orders().mayWrite(now); }, rng),
      questions(links, engine, rng), elsewhere(questions, carried),
      traces(settings.name, hops, questions), sealed(links, engine, rng),
      keeper(settings.cluster, engine, members, rng), strangers(settings.name, engine, catchUp, rng),
      rotations(links, engine, rng),
      layers(links, engine,
             [this](const shoset::Address& address) {
                 return registry.find(shoset::tenantOf(address), shoset::nameOf(address));
             }),
      hosted({settings.cluster.self.id, [this](const std::string& node) { return links.hasDirectLink(node); },
              [this](Now now) { return front.orders().mayWrite(now).ok(); },
              [this](const std::string& node) { return links.hasLeft(node); }},
             engine, hosts, rng),
      reports({settings.name, [this] { return report(); }, [this](const std::string& node) { return links.hasDirectLink(node); },
               settings.tellPeer},
              engine)
{
    grants = policyOf(engine.state());
    front.setBroker(requests);
    resources.setCommands(carried, offered, &elsewhere);
    resources.setConfigurations(layers);
    front.setQuotas(quotas);
    resources.setQuotas(quotas);
    carried.setQuotas(quotas);
    strangers.setQuotas(quotas);
    front.setAudit(deeds);
    resources.setAudit(deeds);
    carried.setAudit(deeds);
    resources.setEvents(eventFlow);
    resources.setTraces(traces);
    carried.setRefusals(refusals);
    quotas.setRefused([this](std::string_view tenant, const Error& why, Now now) {
        refusals.note(tenant, "over_quota", {.reason = why.message}, now);
    });
    noteHops(hops, links, requests, carried, eventFlow);
    watching = engine.watch(engine.state().revision, [this](const cluster::Change& change) { onStateChange(change); });
}

Node::~Node()
{
    engine.unwatch(watching);
}

Result<void> Node::setRegistry(tenants::Registry fresh)
{
    tenants::Registry assigned = fresh;
    if (Result<void> applied = cluster::applyPrefixes(assigned, engine.state()); !applied) {
        return applied;
    }
    configured = std::move(fresh);
    registry = std::move(assigned);
    quotas.setRegistry(registry);
    machines.setRegistry(registry);
    offered.keep([this](const shoset::Address& address) { return machines.find(address) != nullptr; });
    for (const auto& [address, satellite] : machines.all()) {
        machines.setLinked(address, links.isReachable(address));
    }
    return {};
}

std::string Node::connectorOfKey(std::string_view key) const
{
    const tenants::Connector* connector = registry.findByKey(key);
    return connector == nullptr ? std::string() : shoset::connectorAddress(connector->tenant, connector->name);
}

void Node::onClusterStatus(Now now)
{
    front.orders().setPrimaryKnown(engine.status().leader != 0, now.mono);
    keeper.wake();
    hosted.wake();
    reports.wake();
}

// What connectors dial follows the registered nodes.
void Node::tellAggregators(Now now)
{
    aggregatorsChanged = false;
    if (std::optional<shoset::Aggregators> list = keeper.isFounded() ? aggregatorsOf(engine.state()) : std::nullopt) {
        links.tellConnectors(std::move(*list), now);
    }
}

void Node::onTimer(Now now)
{
    if (aggregatorsChanged) {
        tellAggregators(now);
    }
    places.onTimer(now);
    links.onTimer(now);
    front.onTimer(now);
    requests.onTimer(now);
    carried.onTimer(now);
    questions.onTimer(now);
    deeds.onTimer(now);
    eventFlow.onTimer(now);
    keeper.onTimer(now);
    rotations.onTimer(now);
    layers.onTimer(now);
    logins.sessions().onTimer(now);
    hosted.onTimer(now);
    reports.onTimer(now);
}

Instant Node::nextDeadline() const
{
    if (aggregatorsChanged) {
        return Instant{};
    }
    return std::min({links.nextDeadline(), front.nextDeadline(), requests.nextDeadline(), carried.nextDeadline(), questions.nextDeadline(),
                     places.nextDeadline(), deeds.nextDeadline(), eventFlow.nextDeadline(), keeper.nextDeadline(), rotations.nextDeadline(),
                     layers.nextDeadline(), logins.sessions().nextDeadline(), hosted.nextDeadline(),
                     reports.nextDeadline()});
}

void Node::onReply(const shoset::Address& from, const MessageId& id, shoset::Reply reply, std::string_view body, bool last,
                   Instant sent, Now now)
{
    if (!questions.onReply(from, id, reply, body, now)) {
        requests.onReply(from, id, std::move(reply), body, last, sent, now);
    }
}

void Node::onChunk(const shoset::Address& from, const MessageId& id, const shoset::Chunk& chunk, std::string_view body,
                   bool last, Now now)
{
    requests.onChunk(from, id, chunk, body, last, now);
}

void Node::onCredit(const shoset::Address& from, const MessageId& id, std::uint64_t total, Now now)
{
    requests.onCredit(from, id, total, now);
}

void Node::onAnnounce(const shoset::Address& from, shoset::Announce announce, Now now)
{
    const tenants::Connector* connector =
        registry.find(shoset::tenantOf(from), shoset::nameOf(from));
    if (connector == nullptr) {
        return;
    }
    if (connector->prefix.empty() && announce.bmcReachable) {
        assignPrefix(*connector, announce.uuid, now);
    }
    offered.onIncarnation(from, announce.incarnation);
    layers.onIncarnation(from, announce.incarnation);
    machines.onAnnounce(from, std::move(announce));
}

void Node::onOffers(const shoset::Address& from, shoset::Offers offers)
{
    if (machines.find(from) != nullptr) {
        offered.onOffers(from, std::move(offers));
    }
}

void Node::onConfigured(const shoset::Address& from, shoset::Configured told)
{
    layers.onConfigured(from, std::move(told));
}

void Node::onCommandAsked(const shoset::Address& from, const MessageId& id, shoset::Command command, std::string_view payload,
                          std::optional<Instant> deadline, Now now)
{
    if (machines.find(from) == nullptr) {
        return;
    }
    if (SecretAsks::concerns(command)) {
        sealed.onAsked(from, id, command, payload, now);
    } else {
        carried.onAsked(from, id, std::move(command), payload, deadline, now);
    }
}

bool Node::onPeerAsked(const shoset::Address& from, const MessageId& id, const shoset::Command& command, std::string_view payload,
                       Now now)
{
    return questions.onAsked(from, id, command, payload, now);
}

// Once and for life; the state machine answers a second request for the same connector with the first prefix.
void Node::assignPrefix(const tenants::Connector& connector, const std::string& uuid, Now now)
{
    cluster::AssignPrefix operation{connector.tenant, connector.name, {}, uuid, connector.key};
    engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)},
                   now.mono + limits::defaultRequestDeadline, [](const Result<cluster::Applied>&) {});
}

void Node::onServiceChange()
{
    machines.setServiceUuid(engine.state().serviceUuid);
    front.setServiceUuid(engine.state().serviceUuid);
}

void Node::onStateChange(const cluster::Change& change)
{
    keeper.wake();
    reports.onApplied();
    const bool ofHosts = change.kind == cluster::ChangeKind::source || change.kind == cluster::ChangeKind::connector ||
                         change.kind == cluster::ChangeKind::node || change.kind == cluster::ChangeKind::everything;
    if (ofHosts) {
        hosted.wake();
    }
    aggregatorsChanged = aggregatorsChanged || change.kind == cluster::ChangeKind::node ||
                         change.kind == cluster::ChangeKind::service || change.kind == cluster::ChangeKind::everything;
    if (change.kind == cluster::ChangeKind::service || change.kind == cluster::ChangeKind::everything) {
        onServiceChange();
    }
    if (change.kind == cluster::ChangeKind::account || change.kind == cluster::ChangeKind::role ||
        change.kind == cluster::ChangeKind::everything) {
        front.endStreamsOfExpelled();
    }
    const bool ofDocuments = change.kind == cluster::ChangeKind::document || change.kind == cluster::ChangeKind::everything;
    if (ofDocuments || change.kind == cluster::ChangeKind::tenant) {
        grants = policyOf(engine.state());
    }
    if (ofDocuments || change.kind == cluster::ChangeKind::tenant || change.kind == cluster::ChangeKind::node ||
        change.kind == cluster::ChangeKind::featureLevel) {
        places.wake();
    }
    if (ofDocuments) {
        layers.onChange(change.key);
    }
    if (settings.registryInCluster &&
        (change.kind == cluster::ChangeKind::connector || change.kind == cluster::ChangeKind::everything)) {
        rotations.onChange(change.key);
        layers.onConnectorChange(change.key);
    }
    const bool ofRegistry = change.kind == cluster::ChangeKind::connector || change.kind == cluster::ChangeKind::tenant;
    if (change.kind == cluster::ChangeKind::prefix || change.kind == cluster::ChangeKind::everything ||
        (settings.registryInCluster && ofRegistry)) {
        // A clash between the file and the state was refused when the file was read, and keeps the old registry here.
        const Result<void> applied = setRegistry(settings.registryInCluster ? engine.state().registry : configured);
        static_cast<void>(applied);
    }
}

void Node::onConnectorUp(const shoset::Address& connector, const std::string& key, Now now)
{
    layers.onHello(connector, now);
    if (settings.registryInCluster) {
        rotations.onHello(connector, key, now);
    }
    eventFlow.onConnectorUp(connector, now);
}

void Node::onConnectorDown(const shoset::Address& connector, Now)
{
    eventFlow.onConnectorDown(connector);
}

void Node::onRefusedRecord(const shoset::Address& peer, std::string_view why, Now now)
{
    if (shoset::isConnector(peer)) {
        refusals.note(shoset::tenantOf(peer), why, {.connector = shoset::nameOf(peer)}, now);
    }
}

void Node::onEventRecord(const shoset::Address& peer, shoset::Message message, std::string_view body, Now now)
{
    eventFlow.onRecord(peer, std::move(message), body, now);
}

std::map<std::string, std::uint64_t> Node::eventQuotas() const
{
    std::map<std::string, std::uint64_t> out;
    for (const std::string& tenant : registry.tenants()) {
        if (const std::uint64_t most = registry.quotaOf(tenant).storedEvents; most != 0) {
            out.emplace(tenant, most);
        }
    }
    return out;
}

// The other aggregators, once the state has told who they are.
std::optional<std::vector<shoset::Address>> Node::otherStores() const
{
    if (!keeper.isFounded()) {
        return std::nullopt;
    }
    std::vector<shoset::Address> out;
    for (const auto& [id, node] : engine.state().nodes) {
        if (node.name != settings.name && !node.witness) {
            out.push_back(node.name);
        }
    }
    return out;
}

void Node::onKeyOffer(const shoset::Address& connector, const std::string& linkKey, const shoset::KeyOffer& offer, Now now)
{
    if (settings.registryInCluster) {
        rotations.onOffer(connector, linkKey, offer.key, now);
    }
}

void Node::onLinkLost(shoset::LinkId link, Now now)
{
    reports.wake();
    hosted.wake();
    requests.onLinkLost(link, now);
}

void Node::onRoutesChanged(const std::vector<shoset::Address>& addresses, Now now)
{
    for (const shoset::Address& address : addresses) {
        machines.setLinked(address, links.isReachable(address));
    }
    reports.wake();
    requests.onRoutesChanged(addresses, now);
}

std::string Node::serviceUuid() const
{
    return engine.state().serviceUuid;
}

std::string Node::notReady() const
{
    const cluster::EngineStatus status = engine.status();
    if (status.role == cluster::NodeRole::stopped) {
        return status.reason;
    }
    if (const std::string reason = shell.whyNotReady(); !reason.empty()) {
        return reason;
    }
    if (!keeper.isFounded()) {
        return keeper.lastFailure().empty() ? "the cluster has no primary yet, or it has not told what it knows" : keeper.lastFailure();
    }
    if (keeper.isRecovering()) {
        return "a new generation is being begun after a recovery";
    }
    const bool removed = cluster::findNode(engine.state(), status.self) == nullptr;
    return removed ? "this node was removed from the cluster" : std::string();
}

NodeReport Node::report() const
{
    const cluster::EngineStatus status = engine.status();
    NodeReport out{roleName(status.role), engine.state().generation, status.term, engine.state().revision, notReady(), {}};
    for (const auto& [id, node] : engine.state().nodes) {
        if (node.name != settings.name && links.hasDirectLink(node.name)) {
            out.peers.push_back(node.name);
        }
    }
    return out;
}

std::vector<Counter> Node::metrics() const
{
    const MeshCounters& m = links.counters();
    const shoset::LinkCounters& l = links.linkCounters();
    const BrokerCounters& b = requests.counters();
    const FacadeCounters& f = front.counters();
    const GatherCounters& g = front.gatherCounters();
    const EnrolmentCounters& e = strangers.counters();
    std::vector<Counter> out{
        {"bmcmesh_links_up", "Links to connectors and peers", links.linksUp(), true},
        {"bmcmesh_requests_in_flight", "Requests to satellites in flight", requests.inFlight(), true},
        {"bmcmesh_records_delivered_total", "Records for this node", m.delivered, false},
        {"bmcmesh_records_forwarded_total", "Records passed on", m.forwarded, false},
        {"bmcmesh_records_malformed_total", "Frames and records dropped as malformed", m.malformed + l.malformed, false},
        {"bmcmesh_records_before_greeting_total", "Records dropped because no link was agreed yet", l.beforeHello, false},
        {"bmcmesh_links_refused_total", "Greetings refused", l.refusals, false},
        {"bmcmesh_links_timed_out_total", "Links that fell silent", l.timeouts, false},
        {"bmcmesh_records_dropped_link_down_total", "Records that waited for a link that ended, or came after", l.droppedQueued + l.sentWhileDown, false},
        {"bmcmesh_records_wrong_source_total", "Records dropped because they bore another's name", m.wrongSource, false},
        {"bmcmesh_records_not_allowed_total", "Records dropped because their kind is not the sender's", m.notAllowed, false},
        {"bmcmesh_records_no_route_total", "Records without a way to their destination", m.noRoute, false},
        {"bmcmesh_records_hop_limit_total", "Records dropped at the hop limit", m.hopLimit, false},
        {"bmcmesh_records_expired_total", "Records dropped after their deadline", m.expired, false},
        {"bmcmesh_records_clock_unknown_total", "Records dropped before the clocks were compared", m.clockUnknown, false},
        {"bmcmesh_announcements_overtaken_total", "Announcements that a later one had overtaken on another way", machines.overtaken(), false},
        {"bmcmesh_links_replaced_total", "Links given up for a newer one of the same peer", m.replacedLinks, false},
        {"bmcmesh_commands_started_total", "Requests to satellites", b.started, false},
        {"bmcmesh_commands_retried_total", "Requests sent again over another way", b.retried, false},
        {"bmcmesh_commands_failed_total", "Requests that ended without an answer", b.failed, false},
        {"bmcmesh_commands_timed_out_total", "Requests that ended by their deadline", b.timedOut, false},
        {"bmcmesh_commands_refused_full_total", "Requests refused because too many were in flight", b.refusedFull, false},
        {"bmcmesh_replies_unknown_total", "Replies to nothing that is in flight", b.unknownReply, false},
        {"bmcmesh_replies_wrong_source_total", "Replies from somebody who was not asked", b.wrongSource, false},
        {"bmcmesh_streams_broken_total", "Answers of which a piece was lost", b.brokenStream, false},
        {"bmcmesh_http_requests_total", "Requests to the facade", f.requests, false},
        {"bmcmesh_http_bad_form_total", "Requests refused for their form", f.badPath, false},
        {"bmcmesh_http_unauthenticated_total", "Requests that this node answered 401, logins among them", f.unauthenticated, false},
        {"bmcmesh_http_forbidden_total", "Requests that this node answered 403", f.forbidden, false},
        {"bmcmesh_http_without_authority_total", "Writes refused because the majority was lost for too long", f.withoutAuthority, false},
        {"bmcmesh_http_loops_total", "Requests that had passed this service before", f.loops, false},
        {"bmcmesh_http_answers_cut_total", "Answers cut off midway", f.cutAnswers, false},
        {"bmcmesh_http_forged_locations_total", "Location headers dropped", f.forgedLocations, false},
        {"bmcmesh_http_joined_total", "GETs answered by what the same GET of another client brought", front.joined(), false},
        {"bmcmesh_http_joined_anew_total", "Those that asked themselves after all, because a write may have come between", f.joinedAnew, false},
        {"bmcmesh_gathered_collections_total", "Collections fetched from satellites with their members", g.started, false},
        {"bmcmesh_gathered_refused_full_total", "Those refused because too many were being fetched", g.refusedFull, false},
        {"bmcmesh_gathered_missing_total", "Satellites named as missing in one of them", g.missing, false},
        {"bmcmesh_gathered_too_large_total", "Satellites left out because it became too large", g.tooLarge, false},
        {"bmcmesh_gathered_foreign_members_total", "Members dropped because they bore another's name", g.foreignMembers, false},
        {"bmcmesh_enrolments_total", "Connectors enrolled by this node", e.enrolled, false},
        {"bmcmesh_enrolments_refused_total", "Strangers refused on the enrolment endpoint", e.refused + e.malformed, false},
        {"bmcmesh_enrolments_limited_total", "Strangers not answered because too many came at once", e.limited, false},
        {"bmcmesh_hosted_connectors", "Connectors of BMCs without an agent that this node runs", hosted.running(), true},
        {"bmcmesh_source_passwords_needed", "BMCs without an agent whose password has to be given anew", hosted.passwordsNeeded(), true},
        {"bmcmesh_host_assignments_total", "Orders of this node as the primary that another one fronts a BMC", hosted.assigned(), false},
        {"bmcmesh_requests_overtaken_total", "Requests that ended as unknown because their connector went to another node", b.overtaken, false},
    };
    addPartMetrics(rotations.counters(), reports, catchUp, out);
    addMetricsOf(out, logins, deeds, places, quotas, sealed, layers, eventFlow, refusals, hops);
    addCommandMetrics(carried, offered, out);
    const std::vector<Counter> ofShell = shell.shellMetrics();
    out.insert(out.end(), ofShell.begin(), ofShell.end());
    return out;
}

}  // namespace mesh::aggregator
