#include "connector/core/secrets.hpp"

#include "connector/core/take_number.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace mesh::connector {

namespace {

using nlohmann::json;

constexpr std::size_t maxListDepth = 4;

// The rest of the line after `word`, and takes the line away; nullopt: it begins otherwise.
std::optional<std::string_view> takeLine(std::string_view& text, std::string_view word)
{
    const std::size_t end = text.find('\n');
    if (!text.starts_with(word) || end == std::string_view::npos || end < word.size()) {
        return std::nullopt;
    }
    const std::string_view rest = text.substr(word.size(), end - word.size());
    text.remove_prefix(end + 1);
    return rest;
}

Error damaged(const char* what)
{
    return {Code::corrupt, std::string("expected ") + what};
}

}  // namespace

Secrets::Secrets(std::vector<std::string> trusted, StatePort& statePort, SecretHost& owner, Rng& random)
    : operators(std::move(trusted)), state(statePort), host(owner), rng(random)
{
}

Result<void> Secrets::load(std::string_view text)
{
    if (text.empty()) {
        return {};
    }
    std::vector<sealing::Seed> loaded;
    while (const auto line = takeLine(text, "key ")) {
        Result<sealing::Seed> seed = sealing::Seed::parse(*line);
        if (!seed || loaded.size() == limits::maxSealingKeys) {
            return damaged("a key");
        }
        loaded.push_back(std::move(*seed));
    }
    const auto beside = takeLine(text, "beside ");
    if (loaded.empty() || !beside) {
        return damaged("keys and what they were made beside");
    }
    std::map<std::string, std::uint64_t, std::less<>> versions;
    while (auto line = takeLine(text, "seen ")) {
        std::uint64_t version = 0;
        if (!takeNumber(*line, ' ', version) || !isValidName(*line) || versions.size() == limits::maxSecretsSeen) {
            return damaged("the version of a secret");
        }
        versions.emplace(*line, version);
    }
    if (!text.empty()) {
        return damaged("nothing more");
    }
    seeds = std::move(loaded);
    besideKey = *beside;
    seen = std::move(versions);
    return {};
}

std::string Secrets::content() const
{
    std::string out;
    for (const sealing::Seed& seed : seeds) {
        out += "key " + seed.text() + "\n";
    }
    out += "beside " + besideKey + "\n";
    for (const auto& [name, version] : seen) {
        out += "seen " + std::to_string(version) + " " + name + "\n";
    }
    return out;
}

void Secrets::save()
{
    if (std::exchange(saving, true)) {
        unsaved = true;
        return;
    }
    unsaved = false;
    saveAt = never;
    state.save(StateFile::secrets, content());
}

void Secrets::onSaved(const Result<void>& result, Now now)
{
    saving = false;
    if (!result) {
        ++count.notSaved;
        saveAt = now.mono + limits::resealRetry;
        return;
    }
    if (unsaved) {
        return save();
    }
    std::string key = sealing::sealingKeyOf(seeds.front());
    if (key != announced) {
        announced = std::move(key);
        host.onSealingKey(now);
    }
    resealAt = seeds.size() > 1 && !resealing ? std::min(resealAt, now.mono) : resealAt;
}

void Secrets::start(const std::string& connectorKey, Now now)
{
    if (!isUsed()) {
        return;
    }
    currentKey = connectorKey;
    if (seeds.empty()) {
        seeds.push_back(sealing::Seed::make(rng));
        besideKey = connectorKey;
        return save();
    }
    announced = sealing::sealingKeyOf(seeds.front());
    resealAt = seeds.size() > 1 ? now.mono : never;
    onKey(connectorKey, now);
}

void Secrets::onKey(const std::string& connectorKey, Now)
{
    currentKey = connectorKey;
    if (!isUsed() || seeds.empty() || connectorKey == besideKey || seeds.size() == limits::maxSealingKeys) {
        return;
    }
    besideKey = connectorKey;
    seeds.insert(seeds.begin(), sealing::Seed::make(rng));
    ++count.keysChanged;
    save();
}

void Secrets::onLinkUp(Now now)
{
    if (isUsed() && seeds.size() > 1 && !resealing && announced == sealing::sealingKeyOf(seeds.front())) {
        resealAt = now.mono;
    }
}

bool Secrets::send(Ask ask, std::string_view command, const std::string& payload, Now now)
{
    const MessageId id = MessageId::make(now.wall, rng);
    if (!host.askAggregator(id, command, payload, now)) {
        return false;
    }
    ask.until = now.mono + limits::secretPatience;
    asks.emplace(id, std::move(ask));
    return true;
}

void Secrets::get(WorkerId worker, WorkerSecretAsk question, Now now)
{
    Ask ask{Purpose::forWorker, worker, std::move(question), never};
    if (!isUsed()) {
        return fail(ask, {Code::permissionDenied, "this connector takes no secrets: its configuration names no secrets.operators"}, now);
    }
    if (asks.size() >= limits::maxSecretAsks) {
        ++count.refusedFull;
        return fail(ask, {Code::full, "too many secrets are being asked for"}, now);
    }
    const std::string payload = json{{"name", ask.question.name}}.dump();
    if (!send(ask, shoset::secretGet, payload, now)) {
        fail(ask, {Code::unavailable, "no aggregator that has secrets is linked"}, now);
    }
}

bool Secrets::onReply(const MessageId& id, const shoset::Reply& reply, std::string_view body, std::string_view self, Now now)
{
    const auto found = asks.find(id);
    if (found == asks.end()) {
        return false;
    }
    if (reply.state == shoset::ReplyState::onGoing) {
        return true;
    }
    const Ask ask = std::move(found->second);
    asks.erase(found);
    if (reply.state == shoset::ReplyState::fail) {
        fail(ask, {reply.code == Code::ok ? Code::refused : reply.code, reply.message}, now);
        return true;
    }
    switch (ask.purpose) {
        case Purpose::forWorker: openFor(ask, body, self); break;
        case Purpose::list: takeList(body, now); break;
        case Purpose::toReseal: reseal(ask, body, self, now); break;
        case Purpose::seal:
            ++count.resealed;
            resealNext(now);
            break;
    }
    return true;
}

void Secrets::fail(const Ask& ask, const Error& error, Now now)
{
    if (ask.purpose == Purpose::forWorker) {
        ++count.failed;
        return host.answerWorker(ask.worker, noSecretWord(ask.question, error));
    }
    left = true;
    ask.purpose == Purpose::list ? endResealing(now) : resealNext(now);
}

// An aggregator that holds an older one back for a while is no harm; one that brings it back after a newer one may be.
bool Secrets::isOlder(const sealing::Envelope& envelope)
{
    const auto known = seen.find(envelope.name);
    if (known != seen.end() && envelope.version <= known->second) {
        return envelope.version < known->second;
    }
    if (known == seen.end() && seen.size() == limits::maxSecretsSeen) {
        ++count.forgotten;
        seen.erase(seen.begin());
    }
    seen[envelope.name] = envelope.version;
    save();
    return false;
}

void Secrets::openFor(const Ask& ask, std::string_view text, std::string_view self)
{
    const auto refuse = [&](const Error& why) {
        ++count.failed;
        host.answerWorker(ask.worker, noSecretWord(ask.question, why));
    };
    const Result<sealing::Envelope> envelope = sealing::parseEnvelope(text);
    if (!envelope) {
        return refuse(envelope.error());
    }
    const sealing::Reader reader{std::string(shoset::tenantOf(self)), std::string(shoset::nameOf(self)), operators, seeds};
    const Result<sealing::SecretText> value = sealing::open(*envelope, reader, ask.question.name);
    if (!value) {
        return refuse(value.error());
    }
    if (isOlder(*envelope)) {
        ++count.older;
        return refuse({Code::refused, "the aggregator has an older version of " + envelope->name + " than was taken before"});
    }
    ++count.given;
    std::string encoded = sealing::toBase64(value->view());
    host.answerWorker(ask.worker, secretWord(ask.question, envelope->version, encoded));
    sealing::wipe(encoded);
}

void Secrets::beginResealing(Now now)
{
    resealAt = never;
    resealing = true;
    left = false;
    if (!send({}, shoset::secretList, "{}", now)) {
        resealing = false;  // goes on when there is a link
    }
}

// Those that are sealed to a key of this connector that is not in force any more.
void Secrets::takeList(std::string_view body, Now now)
{
    const bool bounded = shoset::checkJsonBounds(body, limits::maxPayloadBytes, maxListDepth).ok();
    const json list = bounded ? json::parse(body, nullptr, false) : json();
    std::vector<std::string> former;
    for (std::size_t i = 1; i < seeds.size(); ++i) {
        former.push_back(sealing::toBase64(sealing::sealingKeyOf(seeds[i])));
    }
    toReseal.clear();
    const json secrets = list.is_object() ? list.value("secrets", json()) : json();
    if (!secrets.is_array()) {
        left = true;
        return endResealing(now);
    }
    for (const json& each : secrets) {
        const json name = each.is_object() ? each.value("name", json()) : json();
        const json key = each.is_object() ? each.value("key", json()) : json();
        const bool isFormer = key.is_string() && std::find(former.begin(), former.end(), key.get<std::string>()) != former.end();
        if (isFormer && name.is_string() && toReseal.size() < limits::maxSecretsPerTenant) {
            toReseal.push_back(name.get<std::string>());
        }
    }
    if (toReseal.empty()) {
        return endResealing(now);
    }
    resealNext(now);
}

// After the last one the list is looked at again, at once or after a while: only one that has none to reseal ends it.
void Secrets::resealNext(Now now)
{
    if (toReseal.empty()) {
        return left ? endResealing(now) : beginResealing(now);
    }
    Ask ask{Purpose::toReseal, 0, {{}, std::move(toReseal.front())}, never};
    toReseal.pop_front();
    if (!send(ask, shoset::secretGet, json{{"name", ask.question.name}}.dump(), now)) {
        left = true;
        endResealing(now);
    }
}

void Secrets::reseal(const Ask& ask, std::string_view text, std::string_view self, Now now)
{
    if (announced != sealing::sealingKeyOf(seeds.front())) {  // another key came meanwhile, and is not on disk
        return fail(ask, {Code::unavailable, "the key is not there yet"}, now);
    }
    const Result<sealing::Envelope> envelope = sealing::parseEnvelope(text);
    const Result<sealing::Seal> seal =
        envelope ? sealing::reseal(*envelope, shoset::nameOf(self), seeds, rng) : Result<sealing::Seal>(envelope.error());
    if (!seal) {
        return fail(ask, seal.error(), now);
    }
    const json payload{{"name", envelope->name},
                       {"version", envelope->version},
                       {"key", sealing::toBase64(seal->key)},
                       {"seal", sealing::toBase64(seal->box)}};
    if (!send({Purpose::seal, 0, ask.question, never}, shoset::secretSeal, payload.dump(), now)) {
        left = true;
        endResealing(now);
    }
}

void Secrets::endResealing(Now now)
{
    resealing = false;
    toReseal.clear();
    if (left) {
        resealAt = now.mono + limits::resealRetry;
        return;
    }
    seeds.resize(1);
    save();
    onKey(currentKey, now);  // one that changed when there was no room for another key
}

void Secrets::onTimer(Now now)
{
    std::vector<Ask> late;
    std::erase_if(asks, [&](auto& entry) {
        const bool isLate = entry.second.until <= now.mono;
        if (isLate) {
            late.push_back(std::move(entry.second));
        }
        return isLate;
    });
    for (const Ask& ask : late) {
        ++count.timedOut;
        fail(ask, {Code::unavailable, "no aggregator has answered in time"}, now);
    }
    if (saveAt <= now.mono && !saving) {
        save();
    }
    if (resealAt <= now.mono && !resealing && !saving) {
        beginResealing(now);
    }
}

Instant Secrets::nextDeadline() const
{
    Instant next = std::min(saveAt, saving ? never : resealAt);
    for (const auto& [id, ask] : asks) {
        next = std::min(next, ask.until);
    }
    return next;
}

}  // namespace mesh::connector
