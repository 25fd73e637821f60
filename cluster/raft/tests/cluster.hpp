#pragma once

#include "cluster/core/tests/fixture.hpp"
#include "cluster/raft/raft_engine.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mesh::cluster {

// Several members in one process: real libraft, real files, one loop (the test's thread, in runUntil), and a network
// that can be cut.
class Cluster : public testing::Test {
protected:
    struct Node {
        std::unique_ptr<RaftEngine> engine;
        RaftEngine::Options options;
        int life = 0;  // what was sent to an earlier one is lost
    };

    Cluster()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "mesh-raft-XXXXXX").string();
        EXPECT_NE(mkdtemp(pattern.data()), nullptr);
        root = pattern;
    }
    ~Cluster() override
    {
        nodes.clear();
        std::error_code ignored;
        std::filesystem::remove_all(root, ignored);
    }

    static std::string nameOf(std::uint64_t id) { return "agg-" + std::to_string(id); }
    std::string directoryOf(std::uint64_t id) const { return (root / nameOf(id)).string(); }

    RaftEngine::Options optionsFor(std::uint64_t id, const std::vector<std::uint64_t>& first)
    {
        RaftEngine::Options made;
        made.directory = directoryOf(id);
        made.self = id;
        made.name = nameOf(id);
        for (const std::uint64_t each : first) {
            made.bootstrap.push_back({each, nameOf(each), true});
        }
        made.election = slow(300ms);
        made.heartbeat = 50ms;
        return made;
    }
    RaftEngine::Environment environmentFor(std::uint64_t id)
    {
        RaftEngine::Environment made;
        made.post = [this](std::function<void()> job) { post(std::move(job)); };
        made.now = [this] { return now(); };
        made.send = [this, id](std::uint64_t to, std::string message) { send(id, to, std::move(message)); };
        return made;
    }
    Result<void> open(std::uint64_t id, RaftEngine::Options options)
    {
        Node& node = nodes[id];
        node.engine.reset();
        ++node.life;
        node.options = options;
        auto opened = RaftEngine::open(std::move(options), environmentFor(id));
        if (!opened) {
            return opened.error();
        }
        node.engine = std::move(*opened);
        return {};
    }
    void start(const std::vector<std::uint64_t>& ids)
    {
        for (const std::uint64_t id : ids) {
            const auto opened = open(id, optionsFor(id, ids));
            ASSERT_TRUE(opened.ok()) << opened.error().message;
        }
    }
    // As a power loss, but for what the kernel had not written.
    void kill(std::uint64_t id) { nodes.at(id).engine.reset(); }
    void restart(std::uint64_t id)
    {
        const auto opened = open(id, RaftEngine::Options(nodes.at(id).options));
        ASSERT_TRUE(opened.ok()) << opened.error().message;
    }
    RaftEngine& engine(std::uint64_t id) { return *nodes.at(id).engine; }

    void cut(std::uint64_t one, std::uint64_t other)
    {
        cuts.insert({one, other});
        cuts.insert({other, one});
    }
    void isolate(std::uint64_t id)
    {
        for (const auto& [other, node] : nodes) {
            if (other != id) {
                cut(id, other);
            }
        }
    }
    void heal() { cuts.clear(); }

    // 0: none, or two. A cut-off one that has not noticed yet counts, too.
    std::uint64_t primary()
    {
        std::uint64_t found = 0;
        for (const auto& [id, node] : nodes) {
            if (node.engine && node.engine->status().role == NodeRole::primary && node.engine->status().leader == id) {
                if (found != 0) {
                    return 0;
                }
                found = id;
            }
        }
        return found;
    }
    // One that all who run agree on.
    std::uint64_t waitForPrimary()
    {
        runUntil([this] {
            const std::uint64_t leader = primary();
            for (const auto& [id, node] : nodes) {
                if (node.engine && node.engine->status().role != NodeRole::stopped &&
                    node.engine->status().leader != leader) {
                    return false;
                }
            }
            return leader != 0;
        });
        return primary();
    }
    std::uint64_t someFollower()
    {
        for (const auto& [id, node] : nodes) {
            if (node.engine && node.engine->status().role == NodeRole::follower) {
                return id;
            }
        }
        return 0;
    }

    Command command(Operation operation) { return {MessageId::make(at(0), rng), at(0), std::move(operation)}; }
    Result<Applied> propose(std::uint64_t id, const Command& what, Duration within = 20s)
    {
        std::optional<Result<Applied>> answer;
        engine(id).propose(what, now() + slow(within), [&](Result<Applied> applied) { answer = std::move(applied); });
        EXPECT_FALSE(answer.has_value()) << "called back from inside the call";
        runUntil([&] { return answer.has_value(); });
        return answer ? *answer : Result<Applied>(Error{Code::unavailable, "the test gave up"});
    }
    // As callers do: while the outcome is unknown, or nobody could be asked, again under the same id.
    Result<Applied> proposeUntilKnown(std::uint64_t id, const Command& what)
    {
        while (true) {
            const auto answer = propose(id, what);
            if (answer.ok() || HasFatalFailure()) {
                return answer;
            }
            const Code code = answer.error().code;
            if (code != Code::outcomeUnknown && code != Code::unavailable && code != Code::notSent) {
                return answer;
            }
        }
    }
    Result<Revision> barrier(std::uint64_t id, Duration within = 20s)
    {
        std::optional<Result<Revision>> passed;
        engine(id).barrier(now() + slow(within), [&](Result<Revision> revision) { passed = std::move(revision); });
        runUntil([&] { return passed.has_value(); });
        return passed ? *passed : Result<Revision>(Error{Code::unavailable, "the test gave up"});
    }
    template <class Call>
    Result<void> change(Call call)
    {
        std::optional<Result<void>> done;
        call(now() + slow(20s), [&](Result<void> result) { done = std::move(result); });
        runUntil([&] { return done.has_value(); });
        return done ? *done : Result<void>(Error{Code::unavailable, "the test gave up"});
    }
    void waitForEqualStates()
    {
        runUntil([this] {
            std::set<std::string> hashes;
            for (const auto& [id, node] : nodes) {
                if (node.engine) {
                    hashes.insert(node.engine->hash());
                }
            }
            return hashes.size() == 1;
        });
    }

    // Runs the loop until the condition holds; the test fails after a minute, times MESH_SLOW.
    template <class Condition>
    void runUntil(Condition condition)
    {
        const Instant end = now() + slow(60s);
        while (!condition()) {
            turn();
            if (now() > end) {
                FAIL() << "waited for a minute and more";
            }
        }
    }
    void runFor(Duration time)
    {
        const Instant end = now() + time;
        runUntil([&] { return now() > end; });
    }
    static Duration slow(Duration time)
    {
        const char* factor = std::getenv("MESH_SLOW");
        return std::chrono::duration_cast<Duration>(time * (factor != nullptr ? std::max(1.0, std::atof(factor)) : 1.0));
    }
    Instant now() const { return Instant(std::chrono::steady_clock::now().time_since_epoch()); }

    std::filesystem::path root;
    SeededRng rng{1};
    std::map<std::uint64_t, Node> nodes;
    std::function<void(std::uint64_t from, std::uint64_t to, std::string& message)> tamper;
    std::uint64_t lossPercent = 0;

private:
    void post(std::function<void()> job)
    {
        const std::lock_guard lock(mutex);
        posted.push_back(std::move(job));
        changed.notify_all();
    }
    void send(std::uint64_t from, std::uint64_t to, std::string message)
    {
        const auto target = nodes.find(to);
        if (cuts.contains({from, to}) || target == nodes.end() || (lossPercent > 0 && rng.below(100) < lossPercent)) {
            return;
        }
        if (tamper) {
            tamper(from, to, message);
        }
        post([this, from, to, life = target->second.life, message = std::move(message)]() mutable {
            const auto found = nodes.find(to);
            if (found != nodes.end() && found->second.engine && found->second.life == life && !cuts.contains({from, to})) {
                found->second.engine->receive(from, std::move(message));
            }
        });
    }
    void turn()
    {
        std::deque<std::function<void()>> jobs;
        {
            std::unique_lock lock(mutex);
            changed.wait_for(lock, std::chrono::milliseconds(5), [this] { return !posted.empty(); });
            jobs.swap(posted);
        }
        for (const std::function<void()>& job : jobs) {
            job();
        }
        if (now() - ticked > 20ms) {
            ticked = now();
            for (auto& [id, node] : nodes) {
                if (node.engine) {
                    node.engine->expire();
                }
            }
        }
    }

    std::set<std::pair<std::uint64_t, std::uint64_t>> cuts;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> posted;
    Instant ticked{};
};

}  // namespace mesh::cluster
