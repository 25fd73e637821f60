#include "aggregator/setup/config.hpp"

#include "shoset/host/files.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace mesh::aggregator {
namespace {

class ConfigFile : public testing::Test {
protected:
    ConfigFile()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "mesh-config-XXXXXX").string();
        folder = ::mkdtemp(pattern.data());
    }
    ~ConfigFile() override { std::filesystem::remove_all(folder); }

    // The error's sentence; empty: it is taken.
    std::string read(const std::string& more, bool witness = true, const std::string& ofNode = "")
    {
        const std::string file = folder + "/aggregator.yaml";
        EXPECT_TRUE(host::writeFileAtomic(file, "node: {name: w, key: w.key" + ofNode + "}\n" + more, 0600));
        const Result<Config> config = loadConfig(file, witness);
        isWitness = config && config->witness;
        taken = config ? *config : Config{};
        return config ? std::string() : config.error().message;
    }

    std::string folder;
    bool isWitness = false;
    Config taken;
    const std::string peers = "peers: {bind: 'tcp://127.0.0.1:1'}\n";
};

class WitnessConfig : public ConfigFile {};

TEST_F(WitnessConfig, TheFlagOrTheFileMakesAWitness)
{
    EXPECT_EQ(read(peers), "");
    EXPECT_TRUE(isWitness);
    EXPECT_EQ(read(peers + "cluster: {witness: true, election_timeout: 300ms, heartbeat: 50ms}\n", false), "");
    EXPECT_TRUE(isWitness);
    EXPECT_EQ(read(peers + "registry: cluster\n", false), "");
    EXPECT_FALSE(isWitness);
}

TEST_F(WitnessConfig, WhatItHasNoUseForIsRefusedWithFileAndLine)
{
    for (const std::string name : {"facade: {bind: '127.0.0.1:1'}", "mesh: {bind: 'tcp://127.0.0.1:2'}",
                                   "enrolment: {bind: 'tcp://127.0.0.1:2'}", "registry: cluster", "registry: {file: x}",
                                   "accounts: {file: x}", "history: {audit: required}"}) {
        const std::string said = read(peers + name + "\n");
        const std::string section = name.substr(0, name.find(':'));
        EXPECT_NE(said.find("'" + section + "' for a witness"), std::string::npos) << name << ": " << said;
        EXPECT_NE(said.find("aggregator.yaml:"), std::string::npos) << said;
    }
    EXPECT_NE(read(peers + "cluster: {on_primary: /bin/true}\n").find("on_primary"), std::string::npos);
    EXPECT_NE(read(peers + "cluster: {primary_target: a.target}\n").find("primary_target"), std::string::npos);
    EXPECT_NE(read("").find("'bind' in peers"), std::string::npos);
}

TEST_F(WitnessConfig, WhereHistoryIsKeptIsReadAndChecked)
{
    const std::string facade = "registry: cluster\n";
    EXPECT_EQ(read(facade + "history: {database: 'postgresql://mesh@db/history', audit: best_effort, keep: 30d, max_size: 1MiB}\n", false), "");
    EXPECT_EQ(taken.historyDatabase, "postgresql://mesh@db/history");
    EXPECT_EQ(taken.audit, AuditWish::bestEffort);
    EXPECT_EQ(taken.historyKeep, std::chrono::hours(30 * 24));
    EXPECT_EQ(taken.historyMaxSize, 1024U * 1024U);
    EXPECT_EQ(read(facade, false), "");
    EXPECT_EQ(taken.audit, AuditWish::required);
    EXPECT_EQ(taken.historyKeep, std::chrono::hours(90 * 24));
    EXPECT_NE(read(facade + "history: {database: history.db}\n", false).find("sqlite:/ABSOLUTE/PATH"), std::string::npos);
    EXPECT_NE(read(facade + "history: {audit: sometimes}\n", false).find("'best_effort'"), std::string::npos);
}

TEST_F(WitnessConfig, AWitnessRecordsNothing)
{
    EXPECT_EQ(read(peers), "");
    EXPECT_EQ(taken.audit, AuditWish::off);
}

TEST_F(ConfigFile, ANodePollsBusilyUnlessItIsToldNotTo)
{
    EXPECT_EQ(read("registry: cluster\n", false), "");
    EXPECT_TRUE(taken.busyPoll);
    EXPECT_EQ(read("registry: cluster\n", false, ", busy_poll: false"), "");
    EXPECT_FALSE(taken.busyPoll);
    EXPECT_NE(read("registry: cluster\n", false, ", busy_poll: often").find("busy_poll"), std::string::npos);
}

class FollowersConfig : public ConfigFile {
protected:
    std::string cluster(const std::string& content) { return read("registry: cluster\ncluster: {" + content + "}\n", false); }
};

TEST_F(FollowersConfig, ATargetIsTheNameOfOne)
{
    for (const std::string name : {"bmcmesh-primary.target", "a@1.target", "My_vip:2.target"}) {
        EXPECT_EQ(cluster("primary_target: '" + name + "'"), "");
        EXPECT_EQ(taken.primaryTarget, name);
    }
    const std::string tooLong = std::string(249, 'a') + ".target";
    for (const std::string& name : {std::string("vip.service"), std::string(".target"), std::string("-a.target"), std::string("a b.target"),
                                    std::string("a;b.target"), std::string("../a.target"), std::string("a.target\n"), tooLong}) {
        EXPECT_NE(cluster("primary_target: \"" + name + "\"").find("ends in '.target'"), std::string::npos) << name;
    }
}

TEST_F(FollowersConfig, TheProgramThatStartsItIsAnAbsolutePath)
{
    EXPECT_EQ(cluster("primary_target: a.target, systemctl: /bin/systemctl"), "");
    EXPECT_NE(cluster("primary_target: a.target, systemctl: systemctl").find("absolute path"), std::string::npos);
}

}  // namespace
}  // namespace mesh::aggregator
