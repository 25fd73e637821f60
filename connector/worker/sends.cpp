#include "connector/worker/sends.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::worker {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr auto answerGrace = 1000ms;  // for the connector's word that nobody has answered

Answer failedSend(const char* code, const char* executed, const char* text)
{
    return {false, {}, code, {}, text, executed};
}

std::string textOf(const json& word, const char* name)
{
    const auto found = word.find(name);
    return found != word.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Answer answerIn(const json& word)
{
    const auto payload = word.find("payload");
    return {textOf(word, "state") == "SUCCESS", payload == word.end() ? std::string() : payload->dump(), textOf(word, "code"),
            textOf(word, "failure"), textOf(word, "text"), textOf(word, "executed")};
}

std::size_t deepest(const json& value, std::size_t bound)
{
    std::size_t most = 0;
    if (value.is_structured() && bound > 0) {
        for (const json& item : value) {
            most = std::max(most, deepest(item, bound - 1));
        }
        ++most;
    }
    return most;
}

json wordFor(const Target& target, const std::string& command, json payload, std::chrono::milliseconds timeout)
{
    json word{{"message", "send"}, {"command", command}, {"deadline_ms", timeout.count()}};
    if (target.name.empty()) {
        word["target"] = {{"type", target.type}, {"all", target.all}};
    } else {
        word["target"] = {{"name", target.name}};
        if (!target.type.empty()) {
            word["type"] = target.type;
        }
    }
    if (!target.version.empty()) {
        word["version"] = target.version;
    }
    if (!payload.is_null()) {
        word["payload"] = std::move(payload);
    }
    return word;
}

}  // namespace

Answer Sends::send(const Target& target, const std::string& command, const std::string& payload, std::chrono::milliseconds timeout,
                   const Progress& progress, const std::function<void()>& poke)
{
    if (payload.size() > limits::maxPayloadBytes) {
        return failedSend("too_large", "no", "its payload is longer than can be sent");
    }
    json given = payload.empty() ? json() : json::parse(payload, nullptr, false);
    if (given.is_discarded() || deepest(given, limits::maxPayloadDepth + 1) > limits::maxPayloadDepth) {
        return failedSend("invalid_argument", "no", "its payload is no JSON, or nests too deep");
    }
    std::unique_lock lock(mutex);
    if (ended) {
        return failedSend("not_sent", "no", "the worker has ended");
    }
    const std::uint64_t ref = ++lastRef;
    waiting[ref].word = wordFor(target, command, std::move(given), timeout);
    waiting[ref].word["ref"] = ref;
    poke();
    const auto until = std::chrono::steady_clock::now() + timeout + answerGrace;
    while (true) {
        const bool heard = changed.wait_until(lock, until, [this, ref] { return !waiting[ref].heard.empty(); });
        Sent& own = waiting[ref];
        if (!heard) {
            const bool left = own.left;
            waiting.erase(ref);
            return left ? failedSend("outcome_unknown", "unknown", "no answer in time") : failedSend("not_sent", "no", "the connector took nothing");
        }
        for (const json& word : std::exchange(own.heard, {})) {
            if (textOf(word, "state") == "SUCCESS" || textOf(word, "state") == "FAIL") {
                waiting.erase(ref);
                return answerIn(word);
            }
            if (progress) {
                lock.unlock();
                progress(word.value("progress", 0U), textOf(word, "text"));
                lock.lock();
            }
        }
    }
}

bool Sends::flush(const std::function<bool(const json&)>& put)
{
    const std::lock_guard lock(mutex);
    for (auto& [ref, sent] : waiting) {
        if (!sent.left && !(sent.left = put(sent.word))) {
            return false;
        }
    }
    return true;
}

void Sends::take(const json& word)
{
    const auto ref = word.find("ref");
    const std::lock_guard lock(mutex);
    const auto found = ref != word.end() && ref->is_number_unsigned() ? waiting.find(ref->get<std::uint64_t>()) : waiting.end();
    if (found != waiting.end() && textOf(word, "message") == "answer") {
        found->second.heard.push_back(word);
        changed.notify_all();
    }
}

void Sends::lose()
{
    const std::lock_guard lock(mutex);
    for (auto& [ref, sent] : waiting) {
        if (sent.left) {
            sent.heard.push_back({{"message", "answer"}, {"state", "FAIL"}, {"code", "outcome_unknown"}, {"executed", "unknown"},
                                  {"text", "the connector was lost that had it"}});
        }
    }
    changed.notify_all();
}

void Sends::end()
{
    lose();
    const std::lock_guard lock(mutex);
    ended = true;
    for (auto& [ref, sent] : waiting) {
        if (!sent.left) {
            sent.heard.push_back({{"message", "answer"}, {"state", "FAIL"}, {"code", "not_sent"}, {"executed", "no"},
                                  {"text", "the worker has ended"}});
        }
    }
    changed.notify_all();
}

}  // namespace mesh::worker
