// How a connector seals anew what is sealed to a former key of its own.
#include "connector/core/secrets.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace mesh::connector {

using nlohmann::json;

namespace {

constexpr std::size_t maxSecretListDepth = 4;

}  // namespace

void Secrets::beginResealing(Now now)
{
    resealAt = never;
    resealing = true;
    left = false;
    lookedAt = now.mono;
    if (!send({}, shoset::secretList, "{}", now)) {
        resealing = false;  // goes on when there is a link
    }
}

// Those that are sealed to a key of this connector that is not in force any more.
Result<void> Secrets::takeList(std::string_view body)
{
    const bool bounded = shoset::checkJsonBounds(body, limits::maxPayloadBytes, maxSecretListDepth).ok();
    const json list = bounded ? json::parse(body, nullptr, false) : json();
    std::vector<std::string> former;
    for (std::size_t i = 1; i < seeds.size(); ++i) {
        former.push_back(sealing::toBase64(sealing::sealingKeyOf(seeds[i])));
    }
    toReseal.clear();
    const json secrets = list.is_object() ? list.value("secrets", json()) : json();
    if (!secrets.is_array()) {
        return Error{Code::corrupt, "expected a list of secrets"};
    }
    for (const json& each : secrets) {
        const json name = each.is_object() ? each.value("name", json()) : json();
        const json key = each.is_object() ? each.value("key", json()) : json();
        const bool isFormer = key.is_string() && std::find(former.begin(), former.end(), key.get<std::string>()) != former.end();
        if (isFormer && name.is_string() && toReseal.size() < limits::maxSecretsPerTenant) {
            toReseal.push_back(name.get<std::string>());
        }
    }
    return {};
}

// After the last one the list is looked at again, at once or after a while: only one that has none to reseal ends it.
void Secrets::resealNext(Now now)
{
    if (toReseal.empty()) {
        return left ? endResealing(now) : beginResealing(now);
    }
    Ask ask{Purpose::toReseal, 0, {{}, std::move(toReseal.front())}};
    toReseal.pop_front();
    std::string payload = json{{"name", ask.question.name}}.dump();
    if (!send(std::move(ask), shoset::secretGet, std::move(payload), now)) {
        left = true;
        endResealing(now);
    }
}

Result<std::string> Secrets::reseal(std::string_view text)
{
    if (announced != sealing::sealingKeyOf(seeds.front())) {  // another key came meanwhile, and is not on disk
        return Error{Code::unavailable, "the key is not there yet"};
    }
    const Result<sealing::Envelope> envelope = sealing::parseEnvelope(text);
    const Result<sealing::Seal> seal =
        envelope ? sealing::reseal(*envelope, settings.name, seeds, rng) : Result<sealing::Seal>(envelope.error());
    if (!seal) {
        return seal.error();
    }
    const json payload{{"name", envelope->name},
                       {"version", envelope->version},
                       {"key", sealing::toBase64(seal->key)},
                       {"seal", sealing::toBase64(seal->box)}};
    return payload.dump();
}

// An aggregator may show less than there is: what is sealed to a former key is not lost by it, the key stays.
void Secrets::endResealing(Now now)
{
    resealing = false;
    toReseal.clear();
    if (left) {
        resealAt = now.mono + limits::resealRetry;
        return;
    }
    settled = announced == sealing::sealingKeyOf(seeds.front());
    onKey(currentKey, now);  // one that changed when there was no room for another key
}

}  // namespace mesh::connector
