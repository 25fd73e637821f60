#pragma once

#include "aggregator/core/node_view.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"
#include "tenants/registry.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mesh::aggregator {

// What a tenant takes of its quota at this node.
struct TenantUse {
    tenants::Quota quota;
    Instant paidUntil{};  // messages were admitted that the rate gives until then
    std::uint64_t inFlight = 0;  // bytes
    std::uint64_t refusedMessages = 0;
    std::uint64_t refusedBytes = 0;
};

// The bytes in flight of one exchange, given back when it goes. An empty one holds nothing.
class Admission {
public:
    Admission() = default;
    Admission(std::shared_ptr<TenantUse> of, std::uint64_t taken);
    Admission(Admission&& other) noexcept;
    Admission& operator=(Admission&& other) noexcept;
    ~Admission() { release(); }

    void release();
    // False also for one that holds nothing, and for nullptr.
    bool isOf(const TenantUse* tenant) const { return tenant != nullptr && use.get() == tenant; }

private:
    std::shared_ptr<TenantUse> use;
    std::uint64_t bytes = 0;
};

// Lets messages of tenants in, as far as the quotas of the registry allow, for each tenant by itself: what one is refused
// for costs no other. Counts what this node takes in, whoever it is for: requests to satellites, commands to workers (each
// connector that gets one), and whatever else is asked about here.
class TenantQuotas {
public:
    // Told of what was refused, during the call that refuses. Set once before the first message.
    using Refused = std::function<void(std::string_view tenant, const Error& why, Now now)>;
    void setRefused(Refused listener) { refused = std::move(listener); }

    // Who there is, and what they may take. What is in flight stays counted; a tenant that is gone is forgotten.
    void setRegistry(const tenants::Registry& registry);

    // `messages` at once (0: what was let in before), with `bytes` to be held together until the admission goes. All or nothing;
    // full says which quota it is, in a sentence, and the sender may come again. What is larger than a quota by itself is let in
    // when nothing else is in the way. A tenant that nobody knows has none to reach either, and no quota.
    Result<Admission> admit(std::string_view tenant, std::uint64_t bytes, Now now, std::size_t messages = 1);
    // The registry has refused a connector of this tenant: counted, if its quota was why.
    void connectorRefused(const Error& error, const tenants::Registry& registry, std::string_view tenant);
    // nullptr: unknown.
    const TenantUse* find(std::string_view tenant) const;
    void addMetrics(std::vector<Counter>& out) const;

private:
    Error refuse(std::string_view tenant, std::uint64_t most, const char* what, Now now) const;

    std::map<std::string, std::shared_ptr<TenantUse>, std::less<>> uses;
    std::uint64_t refusedMessages = 0;
    std::uint64_t refusedBytes = 0;
    std::uint64_t refusedConnectors = 0;
    Refused refused = [](std::string_view, const Error&, Now) {};
};

}  // namespace mesh::aggregator
