#include "connector/worker/worker_events.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace mesh::worker {

namespace {

using EventJson = nlohmann::json;

constexpr std::uint64_t takenAtOnce = 8;  // events that a listener has done with, before that is said

Code codeOf(const std::string& word)
{
    const std::map<std::string, Code> known{{"outbox_full", Code::full},   {"write_budget", Code::full},
                                            {"too_many", Code::full},      {"not_stored", Code::ioError},
                                            {"full", Code::full},
                                            {"not_allowed", Code::permissionDenied}, {"invalid", Code::invalidArgument},
                                            {"too_large", Code::tooLarge}};
    const auto found = known.find(word);
    return found == known.end() ? Code::unavailable : found->second;
}

const char* fromWord(From from)
{
    return from == From::start ? "start" : "now";
}

}  // namespace

EventDesk::EventDesk(std::function<void()> wake) : poke(std::move(wake)) {}

EventDesk::~EventDesk()
{
    close();
}

Result<Accepted> EventDesk::emit(const std::string& topic, const std::string& name, const std::string& payload,
                                 std::chrono::milliseconds patience)
{
    EventJson content = payload.empty() ? EventJson::object() : EventJson::parse(payload, nullptr, false);
    if (content.is_discarded()) {
        return Error{Code::invalidArgument, "invalid: the payload is no JSON"};
    }
    const auto emission = std::make_shared<Emission>(
        Emission{{{"message", "event"}, {"topic", topic}, {"name", name}, {"payload", std::move(content)}}, std::nullopt});
    std::unique_lock lock(mutex);
    const auto end = std::chrono::steady_clock::now() + patience;
    const auto hasRoom = [this] { return closed || unsent.size() + sent.size() < limits::maxUnansweredEvents / 2; };
    if (!changed.wait_until(lock, end, hasRoom)) {
        return Error{Code::full, "too_many: events wait for their answer; this one was not emitted"};
    }
    if (closed) {
        return Error{Code::unavailable, "stopped: the worker ends"};
    }
    unsent.push_back(emission);
    poke();
    if (!changed.wait_until(lock, end, [&] { return emission->answer.has_value(); })) {
        return Error{Code::outcomeUnknown, "no answer yet: it may be accepted, now or later"};
    }
    return *emission->answer;
}

void EventDesk::listen(std::vector<std::string> topics, Listener listener, From from, Unheard refused)
{
    const std::lock_guard lock(mutex);
    auto made = std::make_unique<Subscription>();
    made->topics = std::move(topics);
    made->listener = std::move(listener);
    made->from = from;
    made->refused = std::move(refused);
    subscriptions.emplace("listener-" + std::to_string(subscriptions.size()), std::move(made));
}

void EventDesk::start()
{
    const std::lock_guard lock(mutex);
    for (auto& [name, subscription] : subscriptions) {
        subscription->thread = std::thread([this, mine = subscription.get()] { hear(*mine); });
    }
}

void EventDesk::hear(Subscription& subscription)
{
    std::unique_lock lock(mutex);
    while (true) {
        changed.wait(lock, [&] { return closed || !subscription.waiting.empty() || subscription.refusal; });
        if (subscription.waiting.empty() && !subscription.refusal) {
            return;
        }
        if (subscription.waiting.empty()) {
            const Error why = *std::exchange(subscription.refusal, std::nullopt);
            lock.unlock();
            tellRefusal(subscription, why);
            lock.lock();
            continue;
        }
        const auto [generation, event] = std::move(subscription.waiting.front());
        subscription.waiting.pop_front();
        lock.unlock();
        try {
            subscription.listener(event);
        } catch (const std::exception& problem) {
            std::fprintf(stderr, "a listener failed for an event of %s: %s\n", event.topic.c_str(), problem.what());
        }
        lock.lock();
        subscription.taken += generation == subscription.generation ? 1 : 0;
        if (subscription.taken >= subscription.told + takenAtOnce || subscription.waiting.empty() || subscription.isDue) {
            poke();
        }
    }
}

// Neither is changed once the threads run.
void EventDesk::tellRefusal(const Subscription& subscription, const Error& why)
{
    if (!subscription.refused) {
        std::fprintf(stderr, "the connector refused a subscription: %s\n", why.message.c_str());
        return;
    }
    try {
        subscription.refused(why);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "a listener failed for a refusal: %s\n", problem.what());
    }
}

// From where it is, in a generation of its own.
void EventDesk::askFor(const std::string& name, Subscription& subscription)
{
    subscription.isDue = false;
    ++subscription.generation;
    subscription.taken = subscription.told = 0;
    EventJson word{{"message", "subscribe"}, {"subscription", name}, {"topics", subscription.topics}, {"from", fromWord(subscription.from)}};
    if (!subscription.heard.empty()) {
        word["from"] = "cursor";
        word["cursor"] = subscription.heard;
    }
    words.push_back(std::move(word));
}

void EventDesk::attached()
{
    const std::lock_guard lock(mutex);
    registered = true;
    for (auto last = sent.rbegin(); last != sent.rend(); ++last) {
        unsent.push_front(last->second);
    }
    sent.clear();
    words.clear();
    for (auto& [name, subscription] : subscriptions) {
        subscription->isDue = true;
        subscription->isAskedAgain = false;
    }
}

void EventDesk::pump(const std::function<bool(const EventJson&)>& send)
{
    const std::lock_guard lock(mutex);
    for (auto& [name, subscription] : subscriptions) {
        if (registered && subscription->isDue && subscription->waiting.size() < limits::subscriptionWindow) {
            askFor(name, *subscription);
        }
        if (subscription->taken > subscription->told) {
            subscription->told = subscription->taken;
            words.push_back({{"message", "taken"}, {"subscription", name}, {"total", subscription->taken}});
        }
    }
    while (registered && !words.empty() && send(words.front())) {
        words.pop_front();
    }
    while (registered && !unsent.empty()) {
        unsent.front()->message["ref"] = lastNumber + 1;
        if (!send(unsent.front()->message)) {
            return;
        }
        sent.emplace(++lastNumber, std::move(unsent.front()));
        unsent.pop_front();
    }
}

void EventDesk::answer(Emission& emission, const std::string& word, const EventJson& message)
{
    if (word == "accepted") {
        emission.answer = Accepted{message.value("epoch", std::uint64_t{0}), message.value("sequence", std::uint64_t{0})};
    } else {
        const std::string code = message.value("code", "");
        emission.answer = Error{codeOf(code), code + ": " + message.value("reason", "")};
    }
    changed.notify_all();
}

bool EventDesk::take(const std::string& word, const EventJson& message)
{
    const std::lock_guard lock(mutex);
    if (word == "accepted" || word == "not_accepted") {
        const auto found = sent.find(message.value("ref", std::uint64_t{0}));
        if (found != sent.end()) {
            answer(*found->second, word, message);
            sent.erase(found);
        }
        return true;
    }
    const auto found = subscriptions.find(message.value("subscription", ""));
    if (found == subscriptions.end()) {
        return false;
    }
    Subscription& subscription = *found->second;
    if (word == "event" || word == "gap") {
        takeEvent(subscription, word, message);
    } else if (word == "cursor") {
        subscription.heard.update(message.value("cursor", EventJson::object()));
    } else if (word == "subscribed") {
        subscription.isAskedAgain = false;
    } else if (word == "not_subscribed") {
        const std::string code = message.value("code", "");
        subscription.refusal = Error{codeOf(code), code + ": " + message.value("reason", "")};
        changed.notify_all();
    }
    return true;
}

void EventDesk::takeEvent(Subscription& subscription, const std::string& word, const EventJson& message)
{
    if (subscription.waiting.size() >= maxWaiting) {
        subscription.isDue = subscription.isAskedAgain = true;
    }
    if (subscription.isDue || subscription.isAskedAgain) {
        return;
    }
    Event event;
    event.source = message.value("source", "");
    event.topic = message.value("topic", "");
    event.name = message.value("name", "");
    event.payload = word == "event" ? message.value("payload", EventJson::object()).dump() : "";
    event.time = message.value("time", "");
    event.cursor = message.value("cursor", "");
    event.lost = message.value("lost", std::uint64_t{0});
    subscription.heard[event.source] = event.cursor;
    subscription.waiting.emplace_back(subscription.generation, std::move(event));
    changed.notify_all();
}

std::size_t EventDesk::waitingEvents() const
{
    const std::lock_guard lock(mutex);
    std::size_t events = 0;
    for (const auto& [name, subscription] : subscriptions) {
        events += subscription->waiting.size();
    }
    return events;
}

bool EventDesk::isAnswered() const
{
    const std::lock_guard lock(mutex);
    return unsent.empty() && sent.empty();
}

void EventDesk::close()
{
    std::vector<std::thread> threads;
    {
        const std::lock_guard lock(mutex);
        closed = true;
        for (const auto& [number, emission] : sent) {
            unsent.push_back(emission);
        }
        for (const auto& emission : unsent) {
            emission->answer = Error{Code::unavailable, "stopped: the worker ends"};
        }
        unsent.clear();
        sent.clear();
        for (auto& [name, subscription] : subscriptions) {
            threads.push_back(std::move(subscription->thread));
        }
    }
    changed.notify_all();
    for (std::thread& thread : threads) {
        if (thread.joinable()) {
            thread.join();
        }
    }
}

}  // namespace mesh::worker
