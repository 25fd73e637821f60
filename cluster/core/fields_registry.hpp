#pragma once

#include "cluster/core/fields_support.hpp"

#include <utility>

// The fields of tenants, connectors, prefixes and properties, as in fields_accounts.hpp.
namespace mesh::cluster {

template <class Archive>
void fields(Archive& a, PutTenant& op)
{
    name(a, op.name);
}

template <class Archive>
void fields(Archive& a, RemoveTenant& op)
{
    name(a, op.name);
}

template <class Archive>
void fields(Archive& a, SetTenantQuota& op)
{
    name(a, op.name);
    a.flag(op.add);
    for (std::optional<std::uint64_t>* part : {&op.messagesPerSecond, &op.bytesInFlight, &op.storedEvents, &op.connectors}) {
        optional(a, *part, [&a](std::uint64_t& value) { a.number(value); });
    }
}

template <class Archive>
void fields(Archive& a, DropTenant& op)
{
    name(a, op.name);
}

template <class Archive>
void fields(Archive& a, TenantRecord& tenant)
{
    name(a, tenant.name);
    if (a.level >= tenantQuotaFeatureLevel) {
        a.number(tenant.quota.messagesPerSecond);
        a.number(tenant.quota.bytesInFlight);
        a.number(tenant.quota.storedEvents);
        a.number(tenant.quota.connectors);
    }
}

template <class Archive>
void fields(Archive& a, tenants::Connector& connector)
{
    name(a, connector.tenant);
    name(a, connector.name);
    name(a, connector.key);
    name(a, connector.prefix);
    name(a, connector.product);
    name(a, connector.type);
    if (a.level >= clusterFeatureLevel) {
        name(a, connector.pendingKey);
        a.flag(connector.rotating);
        a.flag(connector.revoked);
        a.flag(connector.agentless);
        a.number(connector.host);
        a.number(connector.assignment);
    }
}

template <class Archive>
void fields(Archive& a, PutConnector& op)
{
    fields(a, op.connector);
}

template <class Archive>
void fields(Archive& a, RemoveConnector& op)
{
    name(a, op.tenant);
    name(a, op.name);
}

template <class Archive>
void fields(Archive& a, AssignPrefix& op)
{
    name(a, op.tenant);
    name(a, op.connector);
    name(a, op.configured);
    name(a, op.uuid);
    name(a, op.key);
}

template <class Archive>
void fields(Archive& a, SetServiceUuid& op)
{
    name(a, op.uuid);
}

template <class Archive>
void fields(Archive&, RaiseGeneration&)
{
}

template <class Archive>
void fields(Archive& a, PutProperty& op)
{
    a.text(op.uri, limits::maxUriBytes);
    a.number(op.ifRevision);
    a.text(op.json, limits::maxPropertyBytes);
}

template <class Archive>
void fields(Archive& a, RemoveProperty& op)
{
    a.text(op.uri, limits::maxUriBytes);
    a.number(op.ifRevision);
}

template <class Archive>
void fields(Archive& a, std::pair<tenants::ConnectorName, PrefixAssignment>& entry)
{
    name(a, entry.first.tenant);
    name(a, entry.first.name);
    name(a, entry.second.prefix);
    name(a, entry.second.uuid);
}

template <class Archive>
void fields(Archive& a, std::pair<std::string, Property>& entry)
{
    a.text(entry.first, limits::maxUriBytes);
    a.text(entry.second.json, limits::maxPropertyBytes);
    a.number(entry.second.revision);
}

}  // namespace mesh::cluster
