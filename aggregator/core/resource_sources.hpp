#pragma once

#include "aggregator/core/resource_aggregation.hpp"
#include "aggregator/core/resource_body.hpp"
#include "aggregator/core/tenant_quotas.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mesh::aggregator {

// What changes AggregationSources: BMCs without an agent come by POST and go by DELETE, PATCH gives them another address or
// login. For who may configure managers and belongs to no tenant, since it makes this service connect to what is named. The
// satellites that have an agent are enrolled (resource_registry) and read-only here.
//
//   POST {HostName, UserName?, Password?, Name?, Id?, Oem.Bmcmesh: {Tenant?, Certificate?}}
//        HostName      URL of the BMC, or host[:port] with https
//        Name          of the connector; missing: made of the host name
//        Id            the prefix, for life; missing: from the SHA-256 of tenant and HostName, so that one that comes again
//                      has the URIs that it had
//        Tenant        may be missing where there is one only
//        Certificate   "Authority" (missing, too): a CA vouches for it; "Unchecked"; or its SHA-256 fingerprint
//   PATCH {HostName?, UserName?, Password?, Oem.Bmcmesh.Certificate?}
//
//         HostName and UserName of one with a login: with its Password only, which is for that address and user alone
//
// A password is sealed at once to the sealing key of every node that may run the connector, and what it was read from is wiped: the
// log, snapshots, backups and answers never have it. shoset/sealing/README.md says what that protects.
class SourceResources {
public:
    SourceResources(const ResourceContext& resources, const AggregationResources& reader) : context(resources), sources(reader) {}

    // Counts what a tenant's quota refuses.
    void setQuotas(TenantQuotas& ofTenants) { quotas = &ofTenants; }

    // Where the registry is a file, nothing is made here.
    bool takesNew() const { return context.node.registryInCluster(); }
    void create(const CallPtr& call) const;
    // GET, PATCH, DELETE of one.
    void handle(const CallPtr& call) const;

private:
    bool maySetUp(const CallPtr& call) const;
    std::optional<std::string> tenantFor(const RequestBody& body) const;
    std::optional<Answer> place(const RequestBody& body, cluster::Source& source) const;
    std::optional<Answer> fill(const RequestBody& body, cluster::Source& source) const;
    static std::optional<Answer> takePassword(RequestBody& body, std::optional<sealing::SecretText>& password);
    std::optional<Answer> seal(const std::optional<sealing::SecretText>& password, cluster::Source& source) const;
    // What a PATCH asks for, without the password in the clear.
    struct PatchWish {
        RequestBody body;
        cluster::Source sealed;  // what the source was to be when the password was sealed, if there was one
        bool hasPassword = false;
    };
    void beginPatch(const CallPtr& call, const cluster::Source& known) const;
    void patch(const CallPtr& call, const std::shared_ptr<const PatchWish>& wish, std::size_t attemptsLeft) const;
    void remove(const CallPtr& call, const cluster::Source& source) const;
    void answerCreated(const CallPtr& call, const cluster::Source& source, const std::vector<RedfishMessage>& info,
                       const cluster::Applied& applied) const;

    ResourceContext context;
    const AggregationResources& sources;
    TenantQuotas* quotas = nullptr;
};

}  // namespace mesh::aggregator
