// The threads on which a worker's functions run, and what these ask for.
#include "connector/worker/secret_answer.hpp"
#include "connector/worker/service.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

namespace mesh::worker {

namespace {

using nlohmann::json;

// Of what may be no JSON. Before a document is made of it: that is written by a function that calls itself.
std::size_t nestingOf(std::string_view text)
{
    std::size_t depth = 0;
    std::size_t deepest = 0;
    bool inText = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (inText) {
            i += c == '\\' ? 1 : 0;
            inText = c != '"';
        } else if (c == '[' || c == '{') {
            deepest = std::max(deepest, ++depth);
        } else if (c == ']' || c == '}') {
            depth -= depth > 0 ? 1 : 0;
        } else {
            inText = c == '"';
        }
    }
    return deepest;
}

// The payload of what a function answered, or null. One that the connector would not pass on makes a failure of the outcome.
json payloadOf(Outcome& outcome)
{
    if (outcome.payload.empty()) {
        return {};
    }
    if (nestingOf(outcome.payload) > limits::maxPayloadDepth) {
        outcome = Outcome::failed("reply_too_deep", "it was executed, but its answer nests deeper than " +
                                                        std::to_string(limits::maxPayloadDepth));
        return {};
    }
    json payload = json::parse(outcome.payload, nullptr, false);
    if (payload.is_discarded()) {
        outcome = Outcome::failed("reply_not_json", "it was executed, but its answer is no JSON");
        return {};
    }
    if (payload.dump(-1, ' ', false, json::error_handler_t::replace).size() > limits::maxPayloadBytes) {
        outcome = Outcome::failed("reply_too_large", "it was executed, but its answer is longer than " +
                                                         std::to_string(limits::maxPayloadBytes) + " bytes");
        return {};
    }
    return payload;
}

}  // namespace

class Worker::Service::Execution final : public Call {
public:
    Execution(Service& owner, const json& message)
        : service(owner), ownId(message.at("id").get<std::string>()), ownUser(message.value("user", "")),
          ends(std::chrono::steady_clock::now() + std::chrono::milliseconds(message.value("deadline_ms", 0)))
    {
    }
    void progress(unsigned percent, std::string_view text) override
    {
        service.post({{"message", "reply"}, {"id", ownId}, {"state", "ON_GOING"}, {"progress", std::min(percent, 100U)},
                      {"text", text.substr(0, limits::maxReplyTextBytes)}});
    }
    const std::string& id() const override { return ownId; }
    const std::string& user() const override { return ownUser; }
    std::chrono::milliseconds remaining() const override
    {
        return std::chrono::duration_cast<std::chrono::milliseconds>(ends - std::chrono::steady_clock::now());
    }
    void execute(const json& message);

private:
    Service& service;
    const std::string ownId;
    const std::string ownUser;
    const std::chrono::steady_clock::time_point ends;
};

void Worker::Service::Execution::execute(const json& message)
{
    Outcome outcome;
    try {
        outcome = service.commands.at(message.at("name").get<std::string>()).function(message.at("payload").dump(), *this);
    } catch (const std::exception& problem) {
        outcome = Outcome::failed("exception", problem.what());
    } catch (...) {
        outcome = Outcome::failed("exception", "of a type that is no std::exception");
    }
    json payload = payloadOf(outcome);
    json reply{{"message", "reply"}, {"id", ownId}, {"state", outcome.success ? "SUCCESS" : "FAIL"}};
    if (!outcome.success) {
        reply["failure"] = outcome.failure.substr(0, limits::maxFailureCodeBytes);
        reply["text"] = outcome.text.substr(0, limits::maxReplyTextBytes);
    }
    if (!outcome.payload.empty()) {
        reply["payload"] = std::move(payload);
    }
    service.post(reply);
}

void Worker::Service::post(const json& reply)
{
    {
        const std::lock_guard lock(mutex);
        replies.push_back(reply);
    }
    poke();
}

Result<std::string> Worker::Service::secret(const std::string& name, std::chrono::milliseconds patience)
{
    std::unique_lock lock(mutex);
    if (!hasSecrets) {
        return Error{Code::unsupported, "this connector has no secrets, or is not attached just now"};
    }
    const std::string id = std::to_string(++questions);
    answers[id] = nullptr;
    replies.push_back({{"message", "secret"}, {"id", id}, {"name", name}});
    poke();
    answered.wait_for(lock, patience, [&] { return !answers.at(id).is_null(); });
    const json answer = std::move(answers.at(id));
    answers.erase(id);
    if (!answer.is_object()) {
        return Error{Code::unavailable, "the connector said nothing of the secret " + name};
    }
    if (!answer.contains("value")) {
        return noSecret(answer.value("failure", ""), answer.value("text", ""));
    }
    return secretValue(answer.value("value", ""));
}

void Worker::Service::work()
{
    std::unique_lock lock(mutex);
    while (true) {
        more.wait(lock, [this] { return closed || !tasks.empty(); });
        if (tasks.empty()) {
            return;
        }
        const json task = std::move(tasks.front());
        tasks.pop_front();
        lock.unlock();
        Execution(*this, task).execute(task);
        lock.lock();
    }
}

// On a thread of its own, so that versions stay in their order.
void Worker::Service::configureNext()
{
    std::unique_lock lock(mutex);
    while (true) {
        more.wait(lock, [this] { return closed || !configurations.empty(); });
        if (configurations.empty()) {
            return;
        }
        const json told = std::move(configurations.front());
        configurations.pop_front();
        lock.unlock();
        Result<void> taken;
        try {
            taken = configure(told.at("values").dump(), told.at("resources").dump());
        } catch (const std::exception& problem) {
            taken = Error{Code::refused, problem.what()};
        }
        json answer{{"message", taken ? "configured" : "not_configured"}, {"version", told.at("version")}};
        if (!taken) {
            answer["reason"] = taken.error().message;
        }
        post(answer);
        lock.lock();
    }
}

}  // namespace mesh::worker
