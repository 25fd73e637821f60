// The events of a worker in C++, without a socket: the test is the connector.
#include "connector/worker/worker_events.hpp"
#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mesh::worker {
namespace {

using nlohmann::json;

// The listener waits until it is let on.
struct EventDeskTest : testing::Test {
    EventDesk desk{[] {}};
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t mayHear = 0;
    std::vector<std::string> heard;  // cursors
    std::vector<Error> refusals;
    std::vector<json> sent;

    void TearDown() override
    {
        letOn(1000000);
        desk.close();
    }
    void start(Unheard refused = {})
    {
        desk.listen({"sensor.*"}, [this](const Event& event) {
            std::unique_lock lock(mutex);
            changed.wait(lock, [this] { return mayHear > heard.size(); });
            heard.push_back(event.cursor);
            changed.notify_all();
        }, From::now, std::move(refused));
        desk.start();
        desk.attached();
        pump();
    }
    void letOn(std::size_t count)
    {
        const std::lock_guard lock(mutex);
        mayHear = count;
        changed.notify_all();
    }
    void untilHeard(std::size_t count)
    {
        std::unique_lock lock(mutex);
        EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return heard.size() >= count; }));
    }
    void pump()
    {
        desk.pump([this](const json& word) {
            sent.push_back(word);
            return true;
        });
    }
    void event(std::uint64_t sequence)
    {
        const json word{{"message", "event"}, {"subscription", "listener-0"}, {"source", "acme/s2"}, {"topic", "sensor.fan"}, {"name", "low"},
                        {"cursor", "7:" + std::to_string(sequence)}, {"payload", sequence}};
        EXPECT_TRUE(desk.take("event", word));
    }
    void say(const json& word) { EXPECT_TRUE(desk.take(word.at("message"), word)); }
    // The subscriptions since the last call.
    std::vector<json> subscribed()
    {
        std::vector<json> out;
        for (json& word : std::exchange(sent, {})) {
            if (word.at("message") == "subscribe") {
                out.push_back(std::move(word));
            }
        }
        return out;
    }
};

TEST_F(EventDeskTest, ASlowListenerDoesNotGetAWindowMoreOfEachConnector)
{
    start();
    std::uint64_t next = 1;
    for (int restart = 0; restart < 5; ++restart) {
        if (subscribed().size() == 1) {
            for (std::size_t i = 0; i < limits::subscriptionWindow; ++i) {
                event(next++);
            }
        }
        desk.attached();
        pump();
    }
    EXPECT_LE(desk.waitingEvents(), 2 * limits::subscriptionWindow);
    letOn(next - 2);
    untilHeard(next - 2);
    pump();
    const auto again = subscribed();
    ASSERT_EQ(again.size(), 1U) << "few wait";
    EXPECT_EQ(again[0].at("cursor"), (json{{"acme/s2", "7:" + std::to_string(next - 1)}}));
    event(next++);
    letOn(1000000);
    untilHeard(next - 1);
    for (std::uint64_t sequence = 1; sequence < next; ++sequence) {
        EXPECT_EQ(heard.at(sequence - 1), "7:" + std::to_string(sequence)) << "each once, and in order";
    }
}

TEST_F(EventDeskTest, AConnectorThatSendsTooMuchFillsNoMemoryAndNothingIsLost)
{
    start();
    subscribed();
    for (std::uint64_t sequence = 1; sequence <= 10 * EventDesk::maxWaiting; ++sequence) {
        event(sequence);
        EXPECT_LE(desk.waitingEvents(), EventDesk::maxWaiting);
    }
    pump();
    EXPECT_TRUE(subscribed().empty()) << "too many wait";
    letOn(EventDesk::maxWaiting);
    untilHeard(EventDesk::maxWaiting);
    pump();
    const auto again = subscribed();
    ASSERT_EQ(again.size(), 1U);
    const std::string cursor = again[0].at("cursor").at("acme/s2");
    std::uint64_t next = std::stoull(cursor.substr(2)) + 1;  // one may have been heard, and another come, before that many waited
    EXPECT_GE(next, EventDesk::maxWaiting + 1);
    event(1000000);
    say({{"message", "subscribed"}, {"subscription", "listener-0"}});
    for (int i = 0; i < 10; ++i) {
        event(next++);
    }
    letOn(1000000);
    untilHeard(next - 1);
    for (std::uint64_t sequence = 1; sequence < next; ++sequence) {
        EXPECT_EQ(heard.at(sequence - 1), "7:" + std::to_string(sequence)) << "what came before the answer is not heard out of its turn";
    }
}

TEST_F(EventDeskTest, ARefusedSubscriptionIsAnErrorValue)
{
    start([this](const Error& why) {
        const std::lock_guard lock(mutex);
        refusals.push_back(why);
        changed.notify_all();
    });
    say({{"message", "not_subscribed"}, {"subscription", "listener-0"}, {"code", "not_allowed"}, {"reason", "not you"}});
    {
        std::unique_lock lock(mutex);
        ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return refusals.size() == 1; }));
        EXPECT_EQ(refusals[0].code, Code::permissionDenied);
        EXPECT_EQ(refusals[0].message, "not_allowed: not you");
    }
    subscribed();
    desk.attached();
    pump();
    EXPECT_EQ(subscribed().size(), 1U) << "the next connector may let it";
    say({{"message", "not_subscribed"}, {"subscription", "listener-0"}, {"code", "full"}, {"reason", "16 of them"}});
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return refusals.size() == 2; }));
    EXPECT_EQ(refusals[1].code, Code::full);
}

}  // namespace
}  // namespace mesh::worker
