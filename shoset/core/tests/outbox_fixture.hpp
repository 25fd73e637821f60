#pragma once

#include "shoset/core/outbox.hpp"
#include "shoset/base/rng.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mesh::shoset {

// The files as the disk has them, and the write that is under way.
struct FakeOutboxFiles final : OutboxPort {
    struct Write {
        std::uint64_t segment = 0;
        std::string bytes;
        bool fresh = false;
    };
    void writeOutbox(std::uint64_t segment, std::string bytes, bool fresh) override
    {
        EXPECT_FALSE(write.has_value()) << "one write at a time";
        EXPECT_EQ(files.contains(segment), !fresh);
        write = Write{segment, std::move(bytes), fresh};
        ++writes;
    }
    void removeOutbox(std::uint64_t segment) override { files.erase(segment); }

    // `kept` bytes of the write reach the disk: those that are appended may be torn, a file that is made is there or not.
    void reach(std::size_t kept)
    {
        const Write done = *std::exchange(write, std::nullopt);
        if (!done.fresh || kept >= done.bytes.size()) {
            files[done.segment] += done.bytes.substr(0, kept);
        }
    }
    std::vector<Outbox::Segment> all() const
    {
        std::vector<Outbox::Segment> out;
        for (const auto& [number, content] : files) {
            out.push_back({number, content});
        }
        return out;
    }

    std::map<std::uint64_t, std::string> files;
    std::optional<Write> write;
    int writes = 0;
};

struct OutboxTest : testing::Test, OutboxEvents {
    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    FakeOutboxFiles disk;
    OutboxSettings settings;
    std::unique_ptr<Outbox> outbox;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> accepted;  // ticket, sequence
    std::vector<std::pair<std::uint64_t, std::string>> refused;     // ticket, code
    std::uint64_t tickets = 0;

    void SetUp() override { restart(); }
    void onAccepted(std::uint64_t ticket, std::uint64_t, std::uint64_t sequence, Now) override { accepted.emplace_back(ticket, sequence); }
    void onNotAccepted(std::uint64_t ticket, const NotAccepted& why, Now) override { refused.emplace_back(ticket, why.code); }

    // A new process with what the disk has; the write that was under way is lost.
    Result<void> restarted()
    {
        disk.write.reset();
        outbox = std::make_unique<Outbox>(settings, disk, *this);
        return outbox->load(disk.all(), now);
    }
    void restart()
    {
        const Result<void> loaded = restarted();
        ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    }
    // The code of its refusal, or nothing.
    std::string emit(const std::string& topic = "t", const std::string& payload = "{}")
    {
        const std::optional<NotAccepted> why = outbox->emit(++tickets, topic, "n", payload, now);
        return why ? why->code : "";
    }
    void later(Duration by)
    {
        now.mono += by;
        now.wall += by;
        outbox->onTimer(now);
    }
    void written(bool fine = true)
    {
        ASSERT_TRUE(disk.write.has_value());
        disk.reach(fine ? disk.write->bytes.size() : disk.write->bytes.size() / 2);
        outbox->onWritten(fine ? Result<void>() : Result<void>(Error{Code::ioError, "no space"}), now);
    }
    // Until nothing is to be written any more.
    void settle()
    {
        while (disk.write || outbox->nextDeadline() < now.mono + 20s) {
            if (!disk.write) {
                later(std::max<Duration>(outbox->nextDeadline() - now.mono, 0s));
            }
            if (disk.write) {
                written();
            }
        }
    }
    void begin(std::uint64_t told = 0)
    {
        outbox->renew(told, now);
        settle();
    }
    // What an aggregator that has nothing would be sent: payloads, and gaps as "from-to".
    std::vector<std::string> sent() const
    {
        std::vector<std::string> all;
        std::uint64_t next = 1;
        for (const Outbox::Entry* entry = outbox->from(next); entry != nullptr; entry = outbox->from(next)) {
            EXPECT_TRUE(all.empty() || entry->event.sequence == next) << "no holes";
            all.push_back(entry->event.lostTo == 0
                              ? entry->payload
                              : std::to_string(entry->event.sequence) + "-" + std::to_string(entry->event.lostTo));
            next = entry->end() + 1;
        }
        return all;
    }
};

}  // namespace mesh::shoset
