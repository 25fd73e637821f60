#pragma once

#include "connector/core/secrets.hpp"
#include "connector/core/tests/connector_fixture.hpp"
#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mesh::connector {

// The connector acme/s1; the test plays disk, aggregators and worker.
struct SecretsTest : testing::Test, SecretHost {
    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    SeededRng rng{1};
    FakeState state;
    const sealing::Seed operatorSeed = sealing::Seed::make(rng);
    const SecretSettings settings{{sealing::keysOf(operatorSeed).signing}, "s1"};
    Secrets secrets{settings, state, *this, rng};

    struct Asked {
        MessageId id;
        std::string command;
        nlohmann::json payload;
        shoset::Address at;
    };
    std::vector<Asked> asked;
    std::vector<nlohmann::json> told;  // to worker 1
    int keysTold = 0;
    std::vector<shoset::Address> linked{"agg-a"};

    std::optional<shoset::Address> askAggregator(const MessageId& id, std::string_view command, const std::string& payload,
                                                 std::span<const shoset::Address> but, Now) override
    {
        for (const shoset::Address& each : linked) {
            if (std::find(but.begin(), but.end(), each) == but.end()) {
                asked.push_back({id, std::string(command), nlohmann::json::parse(payload), each});
                return each;
            }
        }
        return std::nullopt;
    }
    void answerWorker(WorkerId id, std::string word) override
    {
        EXPECT_EQ(id, 1U);
        told.push_back(nlohmann::json::parse(word));
    }
    void onSealingKey(Now) override { ++keysTold; }

    void saved()
    {
        while (!state.waiting.empty()) {
            state.written();
            secrets.onSaved({}, now);
        }
    }
    void begin(const std::string& key = "curve-1")
    {
        secrets.start(key, now);
        saved();
    }
    sealing::Envelope sealed(std::uint64_t version = 5, const std::string& name = "db", const std::string& connector = "s1",
                             const std::string& tenant = "acme")
    {
        const sealing::SecretToSeal secret{tenant, name, version, "the value", {{connector, secrets.announcedKey()}}};
        return *sealing::seal(secret, operatorSeed, rng);
    }
    Asked take()
    {
        EXPECT_EQ(asked.size(), 1U);
        Asked first = asked.empty() ? Asked{} : asked.front();
        asked.clear();
        return first;
    }
    void answer(const Asked& to, const std::string& body, const std::string& self = "acme/s1")
    {
        secrets.onReply(to.id, to.at, {}, body, self, now);
    }
    void refuse(const Asked& to, Code code, const std::string& why)
    {
        shoset::Reply reply;
        reply.state = shoset::ReplyState::fail;
        reply.code = code;
        reply.message = why;
        secrets.onReply(to.id, to.at, reply, {}, "acme/s1", now);
    }
    // What the worker is told when the aggregator answers so.
    nlohmann::json ask(const std::string& body, const std::string& name = "db", const std::string& self = "acme/s1")
    {
        secrets.get(1, {"q1", name}, now);
        answer(take(), body, self);
        saved();
        EXPECT_EQ(told.size(), 1U);
        const nlohmann::json word = told.empty() ? nlohmann::json() : told.front();
        told.clear();
        return word;
    }
    static nlohmann::json listOf(const sealing::Envelope& envelope)
    {
        const sealing::Recipient& own = envelope.recipients[0];
        return {{"secrets", {{{"name", envelope.name}, {"version", envelope.version}, {"key", sealing::toBase64(own.seal.key)}}}}};
    }
};

}  // namespace mesh::connector
