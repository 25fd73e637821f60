#pragma once

#include "cluster/core/sessions.hpp"
#include "cluster/core/state_machine.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace mesh::cluster {

inline const std::string someHash =
    "$argon2id$v=19$m=16384,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGg";

inline WallTime at(std::int64_t seconds)
{
    return WallTime(std::chrono::seconds(1'700'000'000 + seconds));
}

// A well-formed public key that differs for each number.
inline std::string keyNumber(std::size_t number)
{
    std::string key(40, '0');
    for (std::size_t i = key.size(); number > 0; number /= 10) {
        key[--i] = static_cast<char>('0' + number % 10);
    }
    return key;
}

inline CreateAccount account(const std::string& name, const std::string& role = "Administrator",
                             const std::string& tenant = "")
{
    return {name, someHash, role, tenant, true, false};
}

inline Node node(const std::string& name, std::size_t key, std::uint64_t id = 0)
{
    Node node;
    node.id = id;
    node.name = name;
    node.key = keyNumber(key);
    node.peerEndpoint = "tcp://" + name + ".example.org:7411";
    node.meshEndpoint = "tcp://" + name + ".example.org:7410";
    node.facadeUrl = "https://" + name + ".example.org";
    node.storage = "5f0c" + name;
    node.software = "1.0";
    node.featureLevel = newestFeatureLevel;
    return node;
}

// One state machine, and entries made for it as a proposer would.
class Machine : public testing::Test {
protected:
    Command command(Operation operation, std::int64_t seconds = 0)
    {
        return {MessageId::make(at(seconds), rng), at(seconds), std::move(operation)};
    }
    Applied apply(const Command& what)
    {
        changes.clear();
        const auto entry = encodeCommand(what);
        EXPECT_TRUE(entry.ok()) << entry.error().message;
        auto applied = machine.apply(*entry, changes);
        EXPECT_TRUE(applied.ok()) << applied.error().message;
        return *applied;
    }
    Applied apply(Operation operation, std::int64_t seconds = 0)
    {
        return apply(command(std::move(operation), seconds));
    }
    // To the newest feature level.
    void raise() { ASSERT_TRUE(apply(RaiseFeatureLevel{newestFeatureLevel}).ok()); }
    // The session's token.
    std::string login(const std::string& accountId, std::int64_t seconds = 0, std::uint32_t timeout = 1800)
    {
        std::string token = makeToken(rng);
        const Applied applied =
            apply(CreateSession{makeSessionId(rng), hashToken(token), accountId, "192.0.2.1", timeout}, seconds);
        EXPECT_TRUE(applied.ok()) << applied.error.message;
        return token;
    }
    const State& state() const { return machine.state(); }

    SeededRng rng{1};
    StateMachine machine;
    std::vector<Change> changes;
};

}  // namespace mesh::cluster
