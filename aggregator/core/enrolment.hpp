#pragma once

#include "aggregator/core/catch_up.hpp"
#include "aggregator/core/tenant_quotas.hpp"
#include "cluster/core/state_engine.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mesh::aggregator {

struct EnrolmentCounters {
    std::uint64_t asked = 0, enrolled = 0, refused = 0, malformed = 0, limited = 0;
};

// Takes strangers in who bring a secret: the one thing that may be asked on the enrolment endpoint. A secret that the state
// does not have costs the cluster a question to the primary at most; at most limits::enrolmentsPerSecond are looked at, the rest is not answered. Pure.
class Enrolment {
public:
    // Puts an answer's frame on its way; an empty one: ends the connection, without a word. Whoever is in earnest comes
    // again.
    using Answer = std::function<void(std::string frame)>;

    Enrolment(std::string nodeName, cluster::StateEngine& engine, CatchUp& catchUp, Rng& rng);

    // Counts whom a tenant's quota refuses.
    void setQuotas(TenantQuotas& ofTenants) { quotas = &ofTenants; }

    // One frame from a stranger whose CURVE key (Z85) is proved. `answer` is called at most once, maybe later.
    void onFrame(const std::string& key, std::string_view frame, Now now, Answer answer);
    // The endpoint has to be open: somebody may come, or until the secret's expiry come back because the answer was lost. To be
    // asked at each change of the enrolments, and at the time that nextChange() names.
    bool isWanted(Now now) const;
    Duration nextChange(Now now) const;
    const EnrolmentCounters& counters() const { return count; }

private:
    bool withinRate(Instant now);
    void consume(const std::string& key, const std::string& secretHash, Now now, Answer answer, bool mayBeNew);
    void countRefused(const Error& error, const std::string& secretHash);
    void refuse(const Error& error, const std::string& key, const Answer& answer);
    std::string encode(const std::string& key, shoset::Enrolled content) const;

    const std::string name;
    cluster::StateEngine& engine;
    CatchUp& catchUp;
    TenantQuotas* quotas = nullptr;
    Rng& rng;
    Instant second{};
    std::size_t inSecond = 0;
    EnrolmentCounters count;
    std::shared_ptr<int> alive = std::make_shared<int>();
};

// All aggregators that connectors are to dial, from the registered nodes; nothing while one of them has not told its
// endpoint: a list that lacks it would have it forgotten.
std::optional<shoset::Aggregators> aggregatorsOf(const cluster::State& state);

}  // namespace mesh::aggregator
