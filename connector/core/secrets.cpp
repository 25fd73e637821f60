#include "connector/core/secrets.hpp"

#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace mesh::connector {

namespace {

using nlohmann::json;

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

Secrets::Secrets(SecretSettings given, StatePort& statePort, SecretHost& owner, Rng& random)
    : settings(std::move(given)), state(statePort), host(owner), rng(random)
{
}

Result<void> Secrets::load(std::string_view text)
{
    if (text.empty()) {
        return {};
    }
    std::vector<sealing::Seed> loaded;
    loaded.reserve(limits::maxSealingKeys);
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
    SecretVersions taken;
    if (Result<void> read = taken.load(text); !read) {
        return read;
    }
    if (!text.empty()) {
        return damaged("nothing more");
    }
    seeds = std::move(loaded);
    besideKey = *beside;
    versions = std::move(taken);
    return {};
}

std::string Secrets::content() const
{
    std::string out;
    out.reserve(seeds.size() * 64);  // so that no part of it is left where it was before
    for (const sealing::Seed& seed : seeds) {
        std::string text = seed.text();
        out += "key ";
        out += text;
        out += '\n';
        sealing::wipe(text);
    }
    std::string rest = "beside " + besideKey + "\n";
    versions.appendTo(rest);
    std::string whole;
    whole.reserve(out.size() + rest.size());
    whole += out;
    whole += rest;
    sealing::wipe(out);
    return whole;
}

void Secrets::change()
{
    ++changes;
    save();
}

void Secrets::save()
{
    if (std::exchange(saving, true)) {
        return;
    }
    savingTo = changes;
    saveAt = never;
    state.save(StateFile::secrets, content());
}

void Secrets::onSaved(const Result<void>& result, Now now)
{
    saving = false;
    if (!result) {
        ++count.notSaved;
        saveAt = now.mono + limits::resealRetry;
        return refuseOpened();
    }
    savedTo = savingTo;
    giveOpened();
    if (savedTo != changes) {
        return save();
    }
    std::string key = sealing::sealingKeyOf(seeds.front());
    if (key != announced) {
        announced = std::move(key);
        host.onSealingKey(now);
    }
    resealAt = seeds.size() > 1 && !settled && !resealing ? std::min(resealAt, now.mono) : resealAt;
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
        return change();
    }
    announced = sealing::sealingKeyOf(seeds.front());
    resealAt = seeds.size() > 1 ? now.mono : never;
    onKey(connectorKey, now);
}

// With as many as there may be, the last one goes; not before it is known that nothing needs it.
void Secrets::onKey(const std::string& connectorKey, Now)
{
    currentKey = connectorKey;
    if (!isUsed() || seeds.empty() || connectorKey == besideKey || (seeds.size() == limits::maxSealingKeys && !settled)) {
        return;
    }
    besideKey = connectorKey;
    settled = false;
    seeds.insert(seeds.begin(), sealing::Seed::make(rng));
    if (seeds.size() > limits::maxSealingKeys) {
        seeds.pop_back();
    }
    ++count.keysChanged;
    change();
}

// A backup that came back, or an aggregator that was behind, shows again what was sealed to a former key. So it is looked for now and
// then, but not by all connectors of a node that comes back at once.
void Secrets::onLinkUp(Now now)
{
    for (auto& [id, ask] : asks) {
        count.askedAnother += ask.waiting.empty() && askOne(id, ask, now) ? 1 : 0;
    }
    if (!isUsed() || seeds.size() < 2 || resealing || announced != sealing::sealingKeyOf(seeds.front())) {
        return;
    }
    const Duration spread(static_cast<Duration::rep>(rng.below(static_cast<std::uint64_t>(limits::resealSpread.count()))));
    const Instant look = settled ? std::max(now.mono, lookedAt + limits::resealLook) + spread : now.mono;
    resealAt = std::min(resealAt, look);
}

// Where there is no other one, what was asked waits for a link as long as for an answer.
void Secrets::onLinkDown(const shoset::Address& aggregator, Now now)
{
    for (auto& [id, ask] : asks) {
        if (std::erase(ask.waiting, aggregator) == 0) {
            continue;
        }
        std::erase(ask.asked, aggregator);
        if (ask.waiting.empty()) {
            ask.nextAt = ask.end;
            count.askedAnother += askOne(id, ask, now) ? 1 : 0;
        }
    }
}

bool Secrets::send(Ask ask, std::string_view command, std::string payload, Now now)
{
    const MessageId id = MessageId::make(now.wall, rng);
    ask.command = command;
    ask.payload = std::move(payload);
    ask.end = now.mono + limits::secretPatience;
    if (!askOne(id, ask, now)) {
        return false;
    }
    asks.emplace(id, std::move(ask));
    return true;
}

// All under one id: whoever answers first with what can be taken ends it.
bool Secrets::askOne(const MessageId& id, Ask& ask, Now now)
{
    std::optional<shoset::Address> who = host.askAggregator(id, ask.command, ask.payload, ask.asked, now);
    if (!who) {
        return false;
    }
    ask.asked.push_back(*who);
    ask.waiting.push_back(std::move(*who));
    ask.nextAt = std::min(ask.end, now.mono + limits::secretAttempt);
    return true;
}

// One of those who were asked will not answer it. A new seal is another one's business only where nobody has judged it.
void Secrets::askAnother(const MessageId& id, const Error& error, Now now)
{
    const auto found = asks.find(id);
    if (found == asks.end()) {
        return;
    }
    Ask& ask = found->second;
    if (ask.why.code == Code::ok || ask.why.code == Code::unavailable) {
        ask.why = error;
    }
    if (ask.purpose != Purpose::seal || error.code == Code::unavailable) {
        if (!ask.waiting.empty()) {
            return;
        }
        if (now.mono < ask.end && askOne(id, ask, now)) {
            ++count.askedAnother;
            return;
        }
    }
    const Ask over = std::move(ask);
    asks.erase(found);
    fail(over, over.why, now);
}

void Secrets::get(WorkerId worker, WorkerSecretAsk question, Now now)
{
    Ask ask{Purpose::forWorker, worker, std::move(question)};
    if (!isUsed()) {
        return fail(ask, {Code::permissionDenied, "this connector takes no secrets: its configuration names no secrets.operators"}, now);
    }
    if (asks.size() + opened.size() >= limits::maxSecretAsks) {
        ++count.refusedFull;
        return fail(ask, {Code::full, "too many secrets are being asked for"}, now);
    }
    std::string payload = json{{"name", ask.question.name}}.dump();
    if (!send(ask, shoset::secretGet, std::move(payload), now)) {
        fail(ask, {Code::unavailable, "no aggregator that has secrets is linked"}, now);
    }
}

bool Secrets::onReply(const MessageId& id, const shoset::Address& from, const shoset::Reply& reply, std::string_view body,
                      std::string_view self, Now now)
{
    const auto found = asks.find(id);
    if (found == asks.end()) {
        return false;
    }
    if (reply.state == shoset::ReplyState::onGoing || std::erase(found->second.waiting, from) == 0) {
        return true;
    }
    if (reply.state == shoset::ReplyState::fail) {
        askAnother(id, {reply.code == Code::ok ? Code::refused : reply.code, reply.message}, now);
        return true;
    }
    Result<std::string> taken = take(found->second, body, self);
    if (!taken) {
        askAnother(id, taken.error(), now);
        return true;
    }
    const Ask done = std::move(found->second);
    asks.erase(found);
    goOn(done, std::move(*taken), now);
    return true;
}

// What an aggregator has answered; the payload of what is asked next, if there is something. An error: another one may know better.
Result<std::string> Secrets::take(const Ask& ask, std::string_view body, std::string_view self)
{
    if (ask.purpose == Purpose::toReseal) {
        return reseal(body);
    }
    const Result<void> taken = ask.purpose == Purpose::forWorker ? openFor(ask, body, self)
                               : ask.purpose == Purpose::list    ? takeList(body)
                                                                 : Result<void>();
    return taken ? Result<std::string>(std::string()) : Result<std::string>(taken.error());
}

void Secrets::goOn(const Ask& ask, std::string payload, Now now)
{
    switch (ask.purpose) {
        case Purpose::forWorker: giveOpened(); break;
        case Purpose::list: toReseal.empty() ? endResealing(now) : resealNext(now); break;
        case Purpose::toReseal:
            if (!send({Purpose::seal, 0, ask.question}, shoset::secretSeal, std::move(payload), now)) {
                left = true;
                endResealing(now);
            }
            break;
        case Purpose::seal:
            ++count.resealed;
            resealNext(now);
            break;
    }
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
Result<void> Secrets::openFor(const Ask& ask, std::string_view text, std::string_view self)
{
    const Result<sealing::Envelope> envelope = sealing::parseEnvelope(text);
    if (!envelope) {
        return envelope.error();
    }
    const std::string& known = settings.tenant.empty() ? versions.tenant() : settings.tenant;
    const std::string tenant = known.empty() ? std::string(shoset::tenantOf(self)) : known;
    const sealing::Reader reader{tenant, settings.name, settings.operators, seeds};
    Result<sealing::SecretText> value = sealing::open(*envelope, reader, ask.question.name);
    if (!value) {
        return value.error();
    }
    if (envelope->version < versions.least(tenant, envelope->name)) {
        ++count.older;
        return Error{Code::refused, "the aggregator has an older version of " + envelope->name + " than was taken before"};
    }
    if (versions.take(tenant, envelope->name, envelope->version)) {
        change();
    }
    opened.push_back({ask.worker, ask.question, envelope->version, std::move(*value), changes});
    return {};
}

void Secrets::giveOpened()
{
    while (!opened.empty() && opened.front().change <= savedTo) {
        const Opened& next = opened.front();
        ++count.given;
        std::string encoded = sealing::toBase64(next.value.view());
        host.answerWorker(next.worker, secretWord(next.question, next.version, encoded));
        sealing::wipe(encoded);
        opened.pop_front();
    }
    if (!opened.empty() && !saving) {
        save();  // the last try has failed
    }
}

// After a crash an older version could be taken, and whoever has this one relies on its being the last.
void Secrets::refuseOpened()
{
    for (const Opened& each : opened) {
        ++count.failed;
        host.answerWorker(each.worker, noSecretWord(each.question, {Code::unavailable, "which version was taken could not be saved"}));
    }
    opened.clear();
}

void Secrets::late(const MessageId& id, Now now)
{
    Ask& ask = asks.at(id);
    if (now.mono < ask.end) {
        if (askOne(id, ask, now)) {
            ++count.askedAnother;
        } else {
            ask.nextAt = ask.end;
        }
        return;
    }
    ++count.timedOut;
    const Ask over = std::move(ask);
    asks.erase(id);
    const bool said = over.why.code != Code::ok && over.why.code != Code::unavailable;
    fail(over, said ? over.why : Error{Code::unavailable, "no aggregator has answered in time"}, now);
}

void Secrets::onTimer(Now now)
{
    std::vector<MessageId> due;
    for (const auto& [id, ask] : asks) {
        if (ask.nextAt <= now.mono) {
            due.push_back(id);
        }
    }
    for (const MessageId& id : due) {
        late(id, now);
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
        next = std::min(next, ask.nextAt);
    }
    return next;
}

}  // namespace mesh::connector
