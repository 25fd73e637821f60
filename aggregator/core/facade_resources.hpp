#pragma once

#include "aggregator/core/resource_accounts.hpp"
#include "aggregator/core/resource_aggregation.hpp"
#include "aggregator/core/resource_call.hpp"
#include "aggregator/core/resource_cluster.hpp"
#include "aggregator/core/resource_commands.hpp"
#include "aggregator/core/resource_configurations.hpp"
#include "aggregator/core/resource_databases.hpp"
#include "aggregator/core/resource_events.hpp"
#include "aggregator/core/resource_history.hpp"
#include "aggregator/core/resource_managers.hpp"
#include "aggregator/core/resource_policies.hpp"
#include "aggregator/core/resource_registry.hpp"
#include "aggregator/core/resource_roles.hpp"
#include "aggregator/core/resource_secrets.hpp"
#include "aggregator/core/resource_services.hpp"
#include "aggregator/core/resource_sessions.hpp"
#include "aggregator/core/resource_sources.hpp"
#include "aggregator/core/resource_trace.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mesh::aggregator {

// The resources that the facade owns: finds the one that a path names, checks method, privileges and query, and lets its
// area answer. A collection is a route with a list of members, its pages and `only` are made here.
class FacadeResources final : public OwnResources {
public:
    FacadeResources(cluster::StateEngine& engine, CatchUp& catchUp, MembershipPort& members, Credentials& credentials, PasswordPort& passwords,
                    HostPort& hosts, const Satellites& satellites, const NodeView& node, Rng& rng);
    FacadeResources(const FacadeResources&) = delete;
    FacadeResources& operator=(const FacadeResources&) = delete;

    // What carries commands to workers, and what these offer; both outlive this. Set once before the first request.
    void setCommands(Commands& carrier, const OfferBook& book, CommandLookup* others = nullptr) { commands.set(carrier, book, others); }
    // How far connectors have come with their configuration. Set once before the first request.
    void setConfigurations(const Configurations& layers) { configurations.set(layers); }
    // Counts what they refuse, and shows how they are used. Set once before the first request.
    void setQuotas(TenantQuotas& ofTenants);
    // Records what changes here, and shows what was recorded; without it, nothing does.
    void setAudit(AuditTrail& deeds);
    void setEvents(EventFlow& flow) { events.set(flow); }
    // Shows where messages have been. Set once before the first request.
    void setTraces(TraceLookup& lookup) { traces.set(lookup); }

    bool isOpen(const std::string& method, const std::string& path) const override;
    bool ownsCollection(const std::string& collection) const override;
    void handle(OwnRequest request, Now now, Done done) override;
    std::vector<std::string> ownMembers(const std::string& collection, const Principal& who) const override;

private:
    struct Route;
    struct Found;
    void handleOnce(OwnRequest request, Now now, Done done);
    void handleRecorded(const CallPtr& call, const Route& route);
    static std::span<const Route> routes();
    static std::span<const Route> workerRoutes();
    static std::span<const Route> adminRoutes();
    // The first whose pattern is the path (without its first slash), and what stands for {}.
    static const Route* routeOf(std::string_view path, std::string& id);
    static bool namesWhatIsMade(std::string_view path);
    Found find(const Call& call) const;
    std::optional<Answer> refuse(Call& call, const Found& found) const;
    void readCollection(const CallPtr& call, const Route& route, std::string_view allow);

    const ResourceContext context;
    ServiceResources services;
    AccountResources accounts;
    RoleResources roles;
    SessionResources sessions;
    AggregationResources aggregation;
    SourceResources sources;
    ClusterResources cluster;
    ManagerResources managers;
    RegistryResources registry;
    DatabaseResources databases;
    CommandResources commands;
    ConfigurationResources configurations;
    PolicyResources policies;
    HistoryResources history;
    SecretResources secrets;
    EventResources events;
    TraceResources traces;
    AuditTrail* trail = nullptr;
};

}  // namespace mesh::aggregator
