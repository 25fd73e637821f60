#pragma once

#include "aggregator/core/resource_answer.hpp"
#include "aggregator/core/resource_body.hpp"
#include "aggregator/core/tenant_quotas.hpp"

namespace mesh::aggregator {

// /mesh/v1/tenants, /mesh/v1/connectors, /mesh/v1/enrolments: who belongs to the mesh, where that is kept in the cluster.
// For who may configure managers and belongs to no tenant. A connector is named "tenant:name" in paths.
//
//   GET tenants                      with quotas, how many connectors each has, and what is in flight and was refused at this node
//   POST tenants {name, quota?}      quota: {messages_per_second?, bytes_in_flight?, stored_events?, connectors?}, 0 is none (see
//                                    tenants/quota.hpp). 201, without a quota also where it is there; 409 with one
//   PATCH tenants/{name} {quota}     what is given changes
//   DELETE tenants/{name}            409 while it has connectors or accounts; with ?force=true its connectors go with it
//   GET connectors
//   POST connectors {tenant, name, key, prefix?, product?, type?}   one whose key is known: taken over from a registry file
//   DELETE connectors/{id}           forgets it, gives its prefix back
//   POST connectors/{id}/revoke      its key is dead on every node at once
//   POST connectors/{id}/rotation    asks it for a new key; `rotation` of the list tells how far it is: "", "wanted", "offered"
//   DELETE connectors/{id}/rotation  not any more
//   POST enrolments {tenant, name, minutes?, prefix?, product?, type?}   201 with {id, join, expires}
//   DELETE enrolments/{id}
class RegistryResources {
public:
    explicit RegistryResources(const ResourceContext& resources) : context(resources) {}
    void setQuotas(TenantQuotas& ofTenants) { quotas = &ofTenants; }

    Answer tenants() const;  // 409 here and below where a file is the registry
    void createTenant(const CallPtr& call) const;
    void setQuota(const CallPtr& call) const;
    void removeTenant(const CallPtr& call) const;
    Answer connectors(const Call& call) const;
    void putConnector(const CallPtr& call) const;
    void removeConnector(const CallPtr& call) const;
    void revoke(const CallPtr& call) const;
    void rotate(const CallPtr& call) const;
    void cancelRotation(const CallPtr& call) const;
    void createEnrolment(const CallPtr& call) const;
    void cancelEnrolment(const CallPtr& call) const;

private:
    void change(const CallPtr& call, cluster::Operation operation, int status) const;
    Answer refuseConnector(const Error& error, const std::string& tenant) const;

    ResourceContext context;
    TenantQuotas* quotas = nullptr;
};

}  // namespace mesh::aggregator
