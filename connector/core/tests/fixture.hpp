#pragma once

#include "connector/core/connector.hpp"
#include "shoset/core/frame.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mesh::connector {

// Records what the executor asks of its surroundings.
struct FakeBmc final : BmcPort {
    struct Started {
        RequestHead head;
        std::string body;
        bool bodyFollows = false;
        std::int64_t bodyLength = 0;
        bool repeatable = false;
    };
    void start(BmcExchange id, RequestHead head, std::string body, bool bodyFollows, std::int64_t bodyLength,
               bool repeatable, Instant) override
    {
        started[id] = {std::move(head), std::move(body), bodyFollows, bodyLength, repeatable};
        last = id;
    }
    void sendBody(BmcExchange id, std::string piece, bool end) override
    {
        started[id].body += piece;
        started[id].bodyFollows = !end;
    }
    void grant(BmcExchange, std::size_t bytes) override { granted += bytes; }
    void cancel(BmcExchange id) override { cancelled.push_back(id); }

    std::map<BmcExchange, Started> started;
    BmcExchange last = 0;
    std::size_t granted = 0;
    std::vector<BmcExchange> cancelled;
};

struct FakeJournal final : JournalPort {
    void persist(std::uint64_t token, std::string lines) override
    {
        content += lines;
        if (token != 0) {
            tokens.push_back(token);
        }
    }
    void rewrite(std::string fresh) override { content = std::move(fresh); }

    std::string content;
    std::vector<std::uint64_t> tokens;
};

// Keeps what is to be saved until the test says that the disk has it.
struct FakeState final : StatePort {
    void save(StateFile file, std::string content) override { waiting.emplace_back(file, std::move(content)); }
    // The oldest one is on disk now.
    void written()
    {
        files[waiting.at(0).first] = waiting.at(0).second;
        waiting.erase(waiting.begin());
    }

    std::vector<std::pair<StateFile, std::string>> waiting;
    std::map<StateFile, std::string> files;
};

struct FakeHost final : ExecutorHost {
    struct Sent {
        MessageId id;
        shoset::Content content;
        std::string body;
        bool last = false;
        shoset::LinkId via = 0;
    };
    std::optional<shoset::LinkId> send(const shoset::Address&, shoset::LinkId via, const MessageId& id, shoset::Content content,
                                       std::string_view body, bool last, Now) override
    {
        if (!reachable) {
            return std::nullopt;
        }
        sent.push_back({id, std::move(content), std::string(body), last, via});
        return via;
    }
    bool hasLinkTo(const shoset::Address&) const override { return linked; }
    void refresh(const std::vector<std::string>& collections, std::uint64_t ticket, Now) override
    {
        refreshed = collections;
        refreshTicket = ticket;
    }

    const shoset::Reply& reply(std::size_t index) const { return std::get<shoset::Reply>(sent.at(index).content); }

    bool reachable = true;
    bool linked = true;  // by the asker's own link
    std::vector<Sent> sent;
    std::vector<std::string> refreshed;
    std::uint64_t refreshTicket = 0;
};

// The test plays the workers: what they are told, and whether it leaves.
struct FakeWorkers final : WorkerPort {
    Code sendToWorker(WorkerId worker, std::string word) override
    {
        if (verdict == Code::ok) {
            words.emplace_back(worker, std::move(word));
        }
        return gone.contains(worker) ? Code::notSent : verdict;
    }
    // The words that this worker was told since the last call.
    std::vector<std::string> told(WorkerId worker)
    {
        std::vector<std::string> out;
        std::erase_if(words, [&](const auto& word) {
            if (word.first == worker) {
                out.push_back(word.second);
            }
            return word.first == worker;
        });
        return out;
    }

    Code verdict = Code::ok;
    std::set<WorkerId> gone;
    std::vector<std::pair<WorkerId, std::string>> words;
};

struct ExecutorTest : testing::Test, WorkerEvents {
    const std::string system = "/redfish/v1/Systems/P1_1";
    const std::string action = system + "/Actions/ComputerSystem.Reset";
    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    SeededRng rng{1};
    FakeBmc bmc;
    FakeJournal journal;
    FakeState state;
    FakeHost host;
    FakeWorkers socket;
    Workers workers{WorkerRules({{{0, 1000}, {}, {"power.*", "fan.speed"}}}), socket, *this};
    Executor executor{LocalPolicy(LocalPolicy::Rules{{{"POST"}, "Systems/*/Actions/Forbidden"},
                                                     {{"POST"}, "-/rest/v1/Systems/*"},
                                                     {{}, "", "power.never"}}),
                      {"bmc"}, bmc, journal, state, workers, host};

    void onWorkerReply(WorkerReply reply, Now at) override { executor.onWorkerReply(std::move(reply), at); }
    void onWorkerLost(const MessageId& id, const Error& error, Now at) override { executor.onWorkerLost(id, error, at); }
    void onOffersChanged(Now) override {}

    shoset::Message command(const std::string& method, const std::string& target, Headers headers = {})
    {
        shoset::Command content;
        content.name = "redfish.request";
        content.prefix = "P1";
        content.http = {method, target, std::move(headers)};
        return {MessageId::make(now.wall, rng), "agg-a", "acme/s1", std::move(content)};
    }
    void give(const shoset::Message& message, std::string_view body = {}, bool last = true)
    {
        executor.onCommand(1, message, body, last, now.mono + 30s, now);
    }
};

}  // namespace mesh::connector
