#include "aggregator/core/key_rotations.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

KeyRotations::KeyRotations(Mesh& links, cluster::StateEngine& stateEngine, Rng& random)
    : mesh(links), engine(stateEngine), rng(random)
{
}

const tenants::Connector* KeyRotations::find(const shoset::Address& connector) const
{
    return engine.state().registry.find(shoset::tenantOf(connector), shoset::nameOf(connector));
}

void KeyRotations::onChange(const std::string& connector)
{
    if (connector.empty()) {
        allChanged = true;
    } else {
        changed.insert(connector);
    }
}

std::optional<shoset::KeyStatus> KeyRotations::statusOf(const shoset::Address& connector) const
{
    const cluster::State& state = engine.state();
    const tenants::Connector* known = find(connector);
    if (known == nullptr || known->revoked) {
        return std::nullopt;
    }
    return shoset::KeyStatus{state.generation, state.revision, known->key, known->pendingKey, known->rotating};
}

void KeyRotations::tell(const shoset::Address& connector, Now now)
{
    if (const std::optional<shoset::KeyStatus> status = statusOf(connector)) {
        mesh.tellKey(connector, *status, now);
    }
}

void KeyRotations::onHello(const shoset::Address& connector, const std::string& key, Now now)
{
    tell(connector, now);
    const tenants::Connector* known = find(connector);
    if (known != nullptr && tenants::isPendingKey(*known, key)) {
        completions[connector] = {key};
        complete(now);
    }
}

bool KeyRotations::withinRate(const shoset::Address& connector, Instant now)
{
    std::erase_if(offers, [now](const auto& entry) { return now - entry.second >= limits::keyOfferPause; });
    return offers.emplace(connector, now).second;
}

void KeyRotations::onOffer(const shoset::Address& connector, const std::string& linkKey, const std::string& offered,
                           Now now)
{
    const tenants::Connector* known = find(connector);
    if (known == nullptr || known->key != linkKey) {
        ++count.refused;
        return;
    }
    if (!known->rotating || known->pendingKey == offered) {
        return tell(connector, now);  // it has not heard that yet
    }
    if (!withinRate(connector, now.mono)) {
        ++count.limited;
        return;
    }
    ++count.offered;
    // What comes of it is told as a change; what fails the connector offers again.
    propose(cluster::OfferKey{known->tenant, known->name, offered}, now,
            [this](const Result<cluster::Applied>& applied) { count.refused += applied && !applied->ok() ? 1 : 0; });
}

// Again and again until the state has the key in force, or waits for it no more: without a primary that takes a while.
void KeyRotations::complete(Now now)
{
    lastNow = now;
    for (auto entry = completions.begin(); entry != completions.end();) {
        const auto& [connector, completion] = *entry;
        const tenants::Connector* known = find(connector);
        if (known == nullptr || !tenants::isPendingKey(*known, completion.key)) {
            entry = completions.erase(entry);
            continue;
        }
        if (!completion.asked && completion.askAt <= now.mono) {
            entry->second.asked = true;
            propose(cluster::CompleteRotation{known->tenant, known->name, completion.key}, now,
                    [this, name = connector](const Result<cluster::Applied>& applied) {
                        const auto found = completions.find(name);
                        if (found == completions.end()) {
                            return;
                        }
                        if (applied) {
                            count.completed += applied->ok() ? 1 : 0;
                            completions.erase(found);
                        } else {
                            ++count.repeated;
                            found->second.asked = false;
                            found->second.askAt = lastNow.mono + limits::keyRetry;
                        }
                    });
        }
        ++entry;
    }
}

void KeyRotations::propose(cluster::Operation operation, Now now, cluster::StateEngine::ProposeHandler done)
{
    engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, now.mono + limits::keeperDeadline,
                   [done = std::move(done), owner = std::weak_ptr<int>(alive)](Result<cluster::Applied> applied) {
                       if (!owner.expired()) {
                           done(std::move(applied));
                       }
                   });
}

void KeyRotations::onTimer(Now now)
{
    lastNow = now;
    if (std::exchange(allChanged, false)) {
        changed.clear();
        mesh.tellKeys([this](const shoset::Address& connector) { return statusOf(connector); }, now);
    }
    for (const shoset::Address& connector : std::exchange(changed, {})) {
        tell(connector, now);
    }
    complete(now);
}

Instant KeyRotations::nextDeadline() const
{
    if (allChanged || !changed.empty()) {
        return Instant{};
    }
    Instant next = never;
    for (const auto& [connector, completion] : completions) {
        next = std::min(next, completion.asked ? never : completion.askAt);
    }
    return next;
}

} // namespace mesh::aggregator
