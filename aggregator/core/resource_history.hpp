#pragma once

#include "aggregator/core/audit_trail.hpp"
#include "aggregator/core/resource_answer.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mesh::aggregator {

// Whose history a question without a tenant does not show, as it is in a database of its own.
std::vector<std::string> tenantsElsewhere(const NodeView& node, const std::optional<std::string>& asked);

// What this node has recorded (where nodes share a database: what all have), for who may configure managers: of his own tenant, or
// of any if he belongs to none.
//
//   GET /mesh/v1/history/audit?tenant=&since=&until=&resource=&after=&limit=    times in seconds since 1970; the oldest first
//
// 200 with {records, next}: `next` is there when there are more, and is the next page's `after`; who belongs to a tenant sees
// no ids, which count what all tenants do, and goes on at this node. The first page has `chains`, too.
// `elsewhere`: tenants whose history is in a database of their own, to be asked for by name. 409: it moved since the page before.
class HistoryResources {
public:
    explicit HistoryResources(const ResourceContext& resources) : context(resources) {}
    void setAudit(AuditTrail& deeds) { trail = &deeds; }

    void audit(const CallPtr& call) const;

private:
    ResourceContext context;
    AuditTrail* trail = nullptr;
};

}  // namespace mesh::aggregator
