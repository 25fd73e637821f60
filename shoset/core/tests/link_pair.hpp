#pragma once

#include "shoset/base/limits.hpp"
#include "shoset/core/link.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

// Two ends of one connection under virtual time, for the tests of links.
namespace mesh::shoset {

inline constexpr LinkId dialerId = 1;
inline constexpr LinkId listenerId = 2;

// One end: its clock, its link and what that asked and told.
struct End final : FramePort, LinkEvents {
    struct Received {
        Prelude prelude;
        Message message;
        std::string body;
        std::string whole;
        std::optional<Instant> deadline;
    };

    void sendFrame(LinkId of, std::string frame) override
    {
        EXPECT_EQ(of, id);
        outbox.push_back(std::move(frame));
    }
    void resetLink(LinkId of) override
    {
        EXPECT_EQ(of, id);
        ++resets;
    }
    void onLinkUp(LinkId, Now) override { log.push_back("up"); }
    void onLinkDown(LinkId, const std::string& reason, Now) override { log.push_back("down: " + reason); }
    void onRecord(LinkId, const Record& record, Now now) override
    {
        const Result<Message> message = decodeHeader(record.prelude.kind, record.header);
        ASSERT_TRUE(message.ok());
        received.push_back({record.prelude, *message, std::string(record.body), std::string(record.whole),
                            link->deadlineOf(record.prelude, now)});
    }

    Now at(Duration trueTime) const { return {Instant{offset + trueTime}, WallTime{}}; }

    LinkId id = 0;
    Duration offset{};
    LinkSelf self;
    LinkCounters counters;
    std::unique_ptr<Link> link;
    std::deque<std::string> outbox;
    std::vector<Received> received;
    std::vector<std::string> log;
    int resets = 0;
};

// A dialler and a listener under one virtual time, each with a clock of its own; frames take `way` nanoseconds.
class Pair {
public:
    explicit Pair(const Address& claimed = "acme/sled07", const Address& listenerKey = "agg-a")
    {
        dialer.id = dialerId;
        dialer.offset = 1h;
        dialer.self = {claimed, 11, capabilityRedfish, "test 1"};
        dialer.link = std::make_unique<Link>(dialerId, Link::Role::dialer, listenerKey, dialer.self, dialer, dialer, dialer.counters);
        listener.id = listenerId;
        listener.offset = 5s;
        listener.self = {"agg-a", 22, capabilityRedfish, "test 2"};
        restartListener();
    }

    void restartListener()
    {
        listener.link = std::make_unique<Link>(listenerId, Link::Role::listener, "acme/sled07", listener.self, listener, listener, listener.counters);
    }

    void connect()
    {
        dialer.link->onConnected(dialer.at(time));
        deliver();
    }

    // Everything under way arrives, one way at a time.
    void deliver()
    {
        for (int rounds = 0; !dialer.outbox.empty() || !listener.outbox.empty(); ++rounds) {
            ASSERT_LT(rounds, 100) << "the two never stop talking";
            std::deque<std::string> toListener = std::exchange(dialer.outbox, {});
            std::deque<std::string> toDialer = std::exchange(listener.outbox, {});
            time += way;
            for (const std::string& frame : cut ? std::deque<std::string>{} : toListener) {
                listener.link->onFrame(frame, listener.at(time));
            }
            for (const std::string& frame : cut ? std::deque<std::string>{} : toDialer) {
                dialer.link->onFrame(frame, dialer.at(time));
            }
        }
    }

    // Both ends' timers as they fall due, and what they send.
    void run(Duration duration)
    {
        const Duration end = time + duration;
        for (;;) {
            const Duration due = std::min(dialer.link->nextDeadline() == never ? Duration::max() : dialer.link->nextDeadline().time_since_epoch() - dialer.offset,
                                          listener.link->nextDeadline() == never ? Duration::max() : listener.link->nextDeadline().time_since_epoch() - listener.offset);
            if (due > end) {
                break;
            }
            time = std::max(time, due);
            dialer.link->onTimer(dialer.at(time));
            listener.link->onTimer(listener.at(time));
            deliver();
        }
        time = std::max(time, end);
    }

    bool bothUp() const { return dialer.link->isUp() && listener.link->isUp(); }

    End dialer;
    End listener;
    Duration time = 1s;
    Duration way = 1ms;
    bool cut = false;
};

using Log = std::vector<std::string>;

inline Message commandFor(const std::string& target, std::size_t headerBytes = 0)
{
    Message message;
    message.source = "agg-a";
    message.destination = "acme/sled07";
    Command command;
    command.http.target = target;
    command.http.headers = {{"X-Filler", std::string(headerBytes, 'x')}};
    message.content = command;
    return message;
}

inline bool say(Pair& pair, End& end, const std::string& target, Instant deadline = never, const std::string& body = "")
{
    return end.link->append(commandFor(target), body, 0, deadline, end.at(pair.time), 3);
}

inline std::string frameOf(const Message& message, Prelude prelude = {})
{
    std::string frame;
    prelude.kind = kindOf(message.content);
    appendRecord(frame, prelude, encodeHeader(message), {});
    return frame;
}

inline std::vector<Message> messagesIn(const std::string& frame)
{
    std::vector<Message> messages;
    FrameReader reader(frame);
    for (auto record = reader.next(); record.ok() && record->has_value(); record = reader.next()) {
        messages.push_back(*decodeHeader((*record)->prelude.kind, (*record)->header));
    }
    return messages;
}

}  // namespace mesh::shoset
