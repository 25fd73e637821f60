#include "aggregator/core/tenant_quotas.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

Admission::Admission(std::shared_ptr<TenantUse> of, std::uint64_t taken) : use(std::move(of)), bytes(taken)
{
    use->inFlight += bytes;
}

Admission::Admission(Admission&& other) noexcept : use(std::move(other.use)), bytes(std::exchange(other.bytes, 0)) {}

Admission& Admission::operator=(Admission&& other) noexcept
{
    if (this != &other) {
        release();
        use = std::move(other.use);
        bytes = std::exchange(other.bytes, 0);
    }
    return *this;
}

void Admission::release()
{
    if (use != nullptr) {
        use->inFlight -= bytes;
        use.reset();
    }
}

void TenantQuotas::setRegistry(const tenants::Registry& registry)
{
    std::map<std::string, std::shared_ptr<TenantUse>, std::less<>> known;
    for (const std::string& tenant : registry.tenants()) {
        const auto old = uses.find(tenant);
        TenantUse& use = *known.emplace(tenant, old == uses.end() ? std::make_shared<TenantUse>() : old->second).first->second;
        const tenants::Quota quota = registry.quotaOf(tenant);
        if (quota.messagesPerSecond != use.quota.messagesPerSecond) {
            use.paidUntil = {};  // what was sent at another rate is not paid for at this one
        }
        use.quota = quota;
    }
    uses = std::move(known);
}

Error TenantQuotas::refuse(std::string_view tenant, std::uint64_t most, const char* what, Now now) const
{
    Error error{Code::full, "tenant " + std::string(tenant) + " has reached its quota of " + std::to_string(most) + " " + what +
                                "; nothing was sent"};
    refused(tenant, error, now);
    return error;
}

Result<Admission> TenantQuotas::admit(std::string_view tenant, std::uint64_t bytes, Now now, std::size_t messages)
{
    const auto found = uses.find(tenant);
    if (found == uses.end()) {
        return Admission{};
    }
    TenantUse& use = *found->second;
    if (const std::uint64_t most = use.quota.bytesInFlight; most != 0 && use.inFlight != 0 && use.inFlight + bytes > most) {
        ++use.refusedBytes;
        ++refusedBytes;
        return refuse(tenant, most, "bytes in flight", now);
    }
    if (const std::uint64_t rate = use.quota.messagesPerSecond; rate != 0 && messages != 0) {
        const Duration each = Duration(1s) / rate;
        const Instant from = std::max(use.paidUntil, now.mono);
        const Duration wanted = each * std::min<std::uint64_t>(messages, rate * (limits::quotaBurst / 1s));
        if (from + wanted > now.mono + limits::quotaBurst) {
            ++use.refusedMessages;
            ++refusedMessages;
            return refuse(tenant, rate, "messages a second", now);
        }
        use.paidUntil = from + each * messages;
    }
    return Admission(found->second, bytes);
}

void TenantQuotas::connectorRefused(const Error& error, const tenants::Registry& registry, std::string_view tenant)
{
    refusedConnectors += error.code == Code::full && !registry.mayHaveAnother(tenant) ? 1 : 0;
}

const TenantUse* TenantQuotas::find(std::string_view tenant) const
{
    const auto found = uses.find(tenant);
    return found == uses.end() ? nullptr : found->second.get();
}

void TenantQuotas::addMetrics(std::vector<Counter>& out) const
{
    out.push_back({"bmcmesh_quota_refused_messages_total", "Messages refused because a tenant had sent as many as it may", refusedMessages, false});
    out.push_back({"bmcmesh_quota_refused_bytes_total", "Those because a tenant had as many bytes in flight as it may", refusedBytes, false});
    out.push_back({"bmcmesh_quota_refused_connectors_total", "Connectors refused because a tenant had as many as it may", refusedConnectors, false});
}

}  // namespace mesh::aggregator
