#include "connector/core/key_rotation.hpp"

#include "connector/core/take_number.hpp"
#include "shoset/base/limits.hpp"

namespace mesh::connector {

void KeyRotation::load(const KeysOnDisk& keys)
{
    currentKey = keys.current;
    nextKey = keys.next;
    std::string_view text = keys.note;
    Order order;
    if (takeNumber(text, ' ', order.first) && takeNumber(text, '\n', order.second)) {
        madeFor = order;
    }
}

bool KeyRotation::take(const shoset::KeyStatus& told)
{
    if (latest && orderOf(told) < orderOf(*latest)) {
        return false;
    }
    latest = told;
    wasPending = wasPending || (!nextKey.empty() && told.pending == nextKey);
    return true;
}

KeyStep KeyRotation::step(Instant now)
{
    if (running != KeyStep::none || !latest || (retryAt != never && now < retryAt)) {
        return KeyStep::none;
    }
    retryAt = never;
    running = wantedStep();
    if (running == KeyStep::make) {
        madeFor = orderOf(*latest);
    }
    return running;
}

KeyStep KeyRotation::wantedStep() const
{
    if (!nextKey.empty() && latest->key == nextKey) {
        return KeyStep::adopt;
    }
    if (latest->key != currentKey) {
        return KeyStep::none;  // of before the last rotation, or of a key that others made: no ground to act on
    }
    if (nextKey.empty()) {
        return latest->wanted ? KeyStep::make : KeyStep::none;
    }
    return isVoid() ? KeyStep::drop : KeyStep::none;
}

// It is not pending, and will not be by anything that was done before this was told.
bool KeyRotation::isVoid() const
{
    if (latest->pending == nextKey) {
        return false;
    }
    return wasPending || (!latest->wanted && madeFor && orderOf(*latest) > *madeFor);
}

void KeyRotation::onStep(const Result<std::string>& done, Instant now)
{
    const KeyStep ended = std::exchange(running, KeyStep::none);
    if (!done) {
        retryAt = now + limits::keyRetry;
        return;
    }
    if (ended == KeyStep::adopt) {
        currentKey = nextKey;
    }
    nextKey = ended == KeyStep::make ? *done : std::string();
    wasPending = false;
}

bool KeyRotation::isOffered() const
{
    return running == KeyStep::none && latest && latest->wanted && !nextKey.empty() && latest->key == currentKey &&
           latest->pending != nextKey && !isVoid();
}

bool KeyRotation::admitsNext(const shoset::KeyStatus& told) const
{
    return !nextKey.empty() && (told.pending == nextKey || told.key == nextKey);
}

std::string KeyRotation::note() const
{
    const Order order = madeFor.value_or(Order{});
    return std::to_string(order.first) + " " + std::to_string(order.second) + "\n";
}

} // namespace mesh::connector
