#include "tenants/quota.hpp"

#include "shoset/base/limits.hpp"

#include <string>

namespace mesh::tenants {

namespace {

struct QuotaPart {
    std::uint64_t Quota::*value;
    std::uint64_t most;
    const char* what;
};

constexpr QuotaPart quotaParts[] = {
    {&Quota::messagesPerSecond, limits::maxQuotaMessagesPerSecond, "messages a second"},
    {&Quota::bytesInFlight, limits::maxQuotaBytesInFlight, "bytes in flight"},
    {&Quota::storedEvents, limits::maxQuotaStoredEvents, "stored events"},
    {&Quota::connectors, limits::maxConnectors, "connectors"},
};

}  // namespace

Result<void> checkQuota(const Quota& quota)
{
    for (const QuotaPart& part : quotaParts) {
        if (quota.*part.value > part.most) {
            return Error{Code::invalidArgument, "a quota is at most " + std::to_string(part.most) + " " + part.what};
        }
    }
    return {};
}

}  // namespace mesh::tenants
