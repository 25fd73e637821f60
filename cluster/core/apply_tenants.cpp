#include "cluster/core/apply_support.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::cluster {

StateMachine::Outcome StateMachine::run(const PutTenant& op, Entry& entry)
{
    if (current.registry.hasTenant(op.name)) {
        return std::string();
    }
    const std::size_t size = sizeOf(TenantRecord{op.name, {}});
    if (auto fit = fits(Table::registry, 0, size); !fit) {
        return fit.error();
    }
    if (auto added = current.registry.addTenant(op.name); !added) {
        return added.error();
    }
    used.registry += size;
    entry.changed(ChangeKind::tenant, op.name);
    return std::string();
}

StateMachine::Outcome StateMachine::run(const SetTenantQuota& op, Entry& entry)
{
    const bool known = current.registry.hasTenant(op.name);
    if (known == op.add) {
        return known ? Error{Code::alreadyExists, "there is a tenant " + op.name + " already"}
                     : Error{Code::notFound, "there is no tenant " + op.name};
    }
    const tenants::Quota old = current.registry.quotaOf(op.name);
    const tenants::Quota quota{op.messagesPerSecond.value_or(old.messagesPerSecond), op.bytesInFlight.value_or(old.bytesInFlight),
                               op.storedEvents.value_or(old.storedEvents), op.connectors.value_or(old.connectors)};
    if (auto valid = tenants::checkQuota(quota); !valid) {
        return valid.error();
    }
    if (known && quota == old) {
        return std::string();
    }
    const std::size_t before = known ? sizeOf(TenantRecord{op.name, old}) : 0;
    const std::size_t after = sizeOf(TenantRecord{op.name, quota});
    if (auto fit = fits(Table::registry, before, after); !fit) {
        return fit.error();
    }
    if (auto added = known ? Result<void>() : current.registry.addTenant(op.name); !added) {
        return added.error();
    }
    if (auto set = current.registry.setQuota(op.name, quota); !set) {
        return set.error();
    }
    used.registry += after - before;
    entry.changed(ChangeKind::tenant, op.name);
    return std::string();
}

Result<void> StateMachine::hasNoAccounts(const std::string& tenant) const
{
    const auto user = std::find_if(current.accounts.begin(), current.accounts.end(),
                                   [&tenant](const auto& account) { return account.second.tenant == tenant; });
    if (!tenant.empty() && user != current.accounts.end()) {
        return Error{Code::preconditionFailed, "tenant " + tenant + " still has accounts, " + user->second.userName +
                                                   " among them; remove those first"};
    }
    return {};
}

StateMachine::Outcome StateMachine::run(const RemoveTenant& op, Entry& entry)
{
    if (auto empty = hasNoAccounts(op.name); !empty) {
        return empty.error();
    }
    const std::size_t size = sizeOf(TenantRecord{op.name, current.registry.quotaOf(op.name)});
    if (auto removed = current.registry.removeTenant(op.name); !removed) {
        return removed.error();
    }
    used.registry -= size;
    entry.changed(ChangeKind::tenant, op.name);
    dropEnrolments([&op](const Enrolment& enrolment) { return enrolment.tenant == op.name; }, entry);
    dropTasksOf(op.name, entry);
    dropDocumentsOf(op.name, entry);
    return std::string();
}

// Whoever watches reads a registry as a whole at each change of it, so that many of them are told as one.
StateMachine::Outcome StateMachine::run(const DropTenant& op, Entry& entry)
{
    if (!current.registry.hasTenant(op.name)) {
        return Error{Code::notFound, "there is no tenant " + op.name};
    }
    if (auto empty = hasNoAccounts(op.name); !empty) {
        return empty.error();
    }
    std::vector<RemoveConnector> connectors;
    const auto& all = current.registry.connectors();
    for (auto next = all.lower_bound({op.name, ""}); next != all.end() && next->first.tenant == op.name; ++next) {
        connectors.push_back({next->first.tenant, next->first.name});
    }
    const std::size_t told = entry.changes.size();
    for (const RemoveConnector& connector : connectors) {
        (void)run(connector, entry);  // it is there
    }
    const Outcome removed = run(RemoveTenant{op.name}, entry);
    if (entry.changes.size() - told > limits::maxRemovalChanges) {
        entry.changes.resize(told);
        entry.changed(ChangeKind::everything, "");
    }
    return removed.ok() ? std::to_string(connectors.size()) : removed;
}

}  // namespace mesh::cluster
