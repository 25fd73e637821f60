#include "connector/config.hpp"

#include "connector/tests/support.hpp"
#include "shoset/sealing/password_seal.hpp"
#include "shoset/sealing/sealing.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace mesh::connector {
namespace {

struct ConfigTest : testing::Test {
    TemporaryFolder folder;

    Result<Config> load(const std::string& more, const std::string& target = "{ url: \"http://127.0.0.1\" }")
    {
        const std::string key(40, '0');
        write(folder / "connector.yaml", "connector: { name: s1, key: /k }\n"
                                         "aggregators: [ { name: a, endpoint: \"tcp://127.0.0.1:1\", key: \"" + key + "\" } ]\n"
                                         "target: " + target + "\n" + more);
        return loadConfig(folder / "connector.yaml");
    }
    void writePrivate(const std::string& name, const std::string& text)
    {
        write(folder / name, text);
        std::filesystem::permissions(folder / name, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    }
    std::string problem(const std::string& more)
    {
        const Result<Config> loaded = load(more);
        return loaded ? "none" : loaded.error().message;
    }
};

TEST_F(ConfigTest, WorkersAreOffUnlessConfigured)
{
    const Result<Config> loaded = load("");
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_TRUE(loaded->workerSocket.empty());
    EXPECT_FALSE(loaded->settings.workers.mayAttach({0, 0, 1}));
}

TEST_F(ConfigTest, WorkersAreAllowedByUserGroupAndNumber)
{
    const Result<Config> loaded = load("workers: { allow: [ { user: root, commands: [power.*] }, { group: root, commands: [fan.speed] },"
                                       " { uid: 4711, commands: [\"*\"] } ] }\n");
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(loaded->workerSocket, "/run/bmcmesh/worker.sock");
    const WorkerRules& rules = loaded->settings.workers;
    EXPECT_TRUE(rules.mayServe({0, 1, 1}, "power.cycle"));
    EXPECT_FALSE(rules.mayServe({0, 1, 1}, "fan.speed"));
    EXPECT_TRUE(rules.mayServe({5, 0, 1}, "fan.speed"));
    EXPECT_TRUE(rules.mayServe({4711, 1, 1}, "anything"));
    EXPECT_FALSE(rules.mayAttach({4712, 1, 1}));
}

TEST_F(ConfigTest, SecretsAreTakenOfNamedOperatorsAndGivenToNamedUsers)
{
    const std::string key = sealing::toBase64(std::string(32, 'k'));
    const Result<Config> loaded = load("workers: { allow: [ { uid: 4711, commands: [a], secrets: [db.*] }, { uid: 4712, commands: [a] } ] }\n"
                                       "secrets: { operators: [ \"" + key + "\" ], tenant: acme }\n");
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(loaded->settings.operators, std::vector<std::string>{std::string(32, 'k')});
    EXPECT_TRUE(loaded->settings.workers.mayHave({4711, 1, 1}, "db.main"));
    EXPECT_FALSE(loaded->settings.workers.mayHave({4711, 1, 1}, "web"));
    EXPECT_FALSE(loaded->settings.workers.mayHave({4712, 1, 1}, "db.main"));
    EXPECT_EQ(loaded->settings.tenant, "acme");
    EXPECT_TRUE(load("")->settings.operators.empty());
    EXPECT_NE(problem("secrets: { operators: [ \"" + key + "\" ], tenant: a/b }\n").find("'tenant'"), std::string::npos);
    EXPECT_NE(problem("secrets: { operators: [] }\n").find("'operators'"), std::string::npos);
    EXPECT_NE(problem("secrets: { operators: [short] }\n").find("43 characters"), std::string::npos);
}

TEST_F(ConfigTest, APasswordThatANodeHasSealedOpensForItsBmcAndUserAlone)
{
    SeededRng rng{1};
    const sealing::Seed node = sealing::Seed::make(rng);
    const sealing::PasswordUse use{"acme", "S5", "https://10.0.0.5", "root"};
    const std::string box = *sealing::sealPassword("calvin", use, sealing::sealingKeyOf(node), rng);
    writePrivate("node.key", node.text() + "\n");
    writePrivate("password.sealed", sealing::sealedLoginText({"acme", "S5", box}));
    const auto configured = [this](const std::string& url, const std::string& user) {
        return load("", "{ url: \"" + url + "\", auth: basic, user: " + user + ", password_sealed: " + std::string(folder / "password.sealed") +
                            ", sealing_key: " + std::string(folder / "node.key") + " }");
    };
    const Result<Config> loaded = configured("https://10.0.0.5", "root");
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(loaded->target.password, "calvin");
    EXPECT_EQ(configured("https://10.0.0.66", "root").error().code, Code::permissionDenied);
    EXPECT_EQ(configured("https://10.0.0.5", "admin").error().code, Code::permissionDenied);
    writePrivate("password.sealed", sealing::sealedLoginText({"umbra", "S5", box}));
    EXPECT_EQ(configured("https://10.0.0.5", "root").error().code, Code::permissionDenied);
}

TEST_F(ConfigTest, WhatAUserMaySendIsSaidBesideOrInsteadOfWhatItServes)
{
    const Result<Config> loaded = load("workers: { allow: [ { uid: 1, commands: [a], send: [power.*] }, { uid: 2, send: [redfish.get] } ] }\n");
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_TRUE(loaded->settings.workers.maySend({1, 1, 1}, "power.cycle"));
    EXPECT_FALSE(loaded->settings.workers.maySend({1, 1, 1}, "redfish.get"));
    EXPECT_TRUE(loaded->settings.workers.maySend({2, 1, 1}, "redfish.get"));
    EXPECT_FALSE(loaded->settings.workers.mayServe({2, 1, 1}, "redfish.get"));
}

TEST_F(ConfigTest, WhatIsWrongWithWorkersIsSaid)
{
    EXPECT_NE(problem("workers: { socket: /run/w }\n").find("'allow'"), std::string::npos);
    EXPECT_NE(problem("workers: { allow: [ { commands: [a] } ] }\n").find("'user', 'group' and 'uid'"), std::string::npos);
    EXPECT_NE(problem("workers: { allow: [ { uid: 1, user: root, commands: [a] } ] }\n").find("one of"), std::string::npos);
    EXPECT_NE(problem("workers: { allow: [ { user: no-such-user, commands: [a] } ] }\n").find("no user 'no-such-user'"),
              std::string::npos);
    EXPECT_NE(problem("workers: { allow: [ { uid: 1 } ] }\n").find("'commands'"), std::string::npos);
    EXPECT_NE(problem("workers: { socket: w, allow: [ { uid: 1, commands: [a] } ] }\n").find("'socket'"), std::string::npos);
    EXPECT_NE(problem("worker: { }\n").find("worker"), std::string::npos);
}

TEST_F(ConfigTest, WorkersMayBeThereForEventsAlone)
{
    const Result<Config> loaded = load("workers: { allow: [ { uid: 7, events: [sensor.*], subscribe: [mesh.bmc, \"*\"] } ] }\n");
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    const WorkerRules& rules = loaded->settings.workers;
    EXPECT_TRUE(rules.mayEmit({7, 1, 1}, "sensor.fan"));
    EXPECT_FALSE(rules.mayEmit({7, 1, 1}, "door"));
    EXPECT_TRUE(rules.maySubscribe({7, 1, 1}, "door"));
    EXPECT_FALSE(rules.mayServe({7, 1, 1}, "sensor.fan"));
    EXPECT_NE(problem("workers: { allow: [ { uid: 1, events: [\"a b\"] } ] }\n").find("'events', not 'a b'"), std::string::npos);
}

TEST_F(ConfigTest, TheOutboxHasItsBounds)
{
    const Result<Config> loaded = load("outbox: { max_bytes: 16MiB, daily_writes: 1024MiB, max_age: 7d }\n");
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(loaded->settings.outbox.maxBytes, 16U * 1024 * 1024);
    EXPECT_EQ(loaded->settings.outbox.dailyBytes, 1024U * 1024 * 1024);
    EXPECT_EQ(loaded->settings.outbox.maxAge, 7 * 24h);
    EXPECT_EQ(load("")->settings.outbox.maxAge, Duration{0});
    EXPECT_NE(problem("outbox: { max_bytes: 1KiB }\n").find("'max_bytes'"), std::string::npos);
    EXPECT_NE(problem("outbox: { daily_writes: 1KiB }\n").find("'daily_writes'"), std::string::npos);
}

TEST_F(ConfigTest, ThePolicyOfTheMachineForbidsCommandsToo)
{
    write(folder / "policy.yaml", "refuse: [ { methods: [POST], path: Systems/* }, { command: power.* } ]\n");
    const Result<Config> loaded = load("policy: { file: " + (folder / "policy.yaml") + " }\n");
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(loaded->settings.policy.refusesCommand("power.cycle"), "power.*");
    EXPECT_FALSE(loaded->settings.policy.refusesCommand("fan.speed"));
    EXPECT_TRUE(loaded->settings.policy.refuses("POST", "Systems/1"));
    EXPECT_FALSE(loaded->settings.policy.refuses("GET", "power.cycle"));
    write(folder / "policy.yaml", "refuse:\n  - { methods: [POST, patch], path: Systems/* }\n");
    EXPECT_NE(problem("policy: { file: " + (folder / "policy.yaml") + " }\n").find("policy.yaml:2: expected GET, HEAD, POST"), std::string::npos);
}

}  // namespace
}  // namespace mesh::connector
