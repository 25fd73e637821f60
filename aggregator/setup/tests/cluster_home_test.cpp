#include "aggregator/setup/cluster_home.hpp"

#include "shoset/base/rng.hpp"
#include "shoset/host/files.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace mesh::aggregator {
namespace {

const std::string keyA = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
const std::string keyB = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";

class Folder {
public:
    Folder()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "mesh-home-XXXXXX").string();
        path = ::mkdtemp(pattern.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string path;
};

Config configOf(const std::string& name, const std::string& other, const std::string& otherKey)
{
    Config config;
    config.name = name;
    config.peersBind = "tcp://127.0.0.1:1";
    config.peers = {{other, "tcp://127.0.0.1:2", otherKey}};
    return config;
}

TEST(ClusterHome, FoundersComeToTheSameIdsInAnyOrder)
{
    SeededRng rng(1);
    const ClusterHome a = foundCluster(configOf("agg-a", "agg-b", keyB), keyA, rng);
    const ClusterHome b = foundCluster(configOf("agg-b", "agg-a", keyA), keyB, rng);
    EXPECT_EQ(a.self, 1u);
    EXPECT_EQ(b.self, 2u);
    ASSERT_EQ(a.nodes.size(), 2u);
    for (std::size_t at = 0; at < 2; ++at) {
        EXPECT_EQ(a.nodes[at].id, b.nodes[at].id);
        EXPECT_EQ(a.nodes[at].address.name, b.nodes[at].address.name);
        EXPECT_EQ(a.nodes[at].address.key, b.nodes[at].address.key);
    }
    EXPECT_NE(a.storage, b.storage);
}

TEST(ClusterHome, WhatWasSavedIsLoaded)
{
    Folder folder;
    SeededRng rng(1);
    ClusterHome home = foundCluster(configOf("agg-a", "agg-b", keyB), keyA, rng);
    home.generation = 7;
    home.revision = 42;
    const std::string place = folder.path + "/cluster";
    ASSERT_TRUE(saveClusterHome(place, home).ok());
    Result<ClusterHome> loaded = loadClusterHome(place);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(*loaded, home);
    auto document = nlohmann::json::parse(*host::readFile(place + "/member.json", 65536));
    document.erase("generation");
    document.erase("revision");
    ASSERT_TRUE(host::writeFileAtomic(place + "/member.json", document.dump(), 0600).ok());
    loaded = loadClusterHome(place);
    ASSERT_TRUE(loaded.ok()) << "of an older release: " << loaded.error().message;
    EXPECT_EQ(loaded->revision, 0U);
}

TEST(ClusterHome, BrokenGlassIsKeptToTheSecond)
{
    Folder folder;
    EXPECT_EQ(loadBrokenGlass(folder.path), WallTime{});
    const WallTime until{std::chrono::seconds(1'900'000'000)};
    ASSERT_TRUE(saveBrokenGlass(folder.path, until).ok());
    EXPECT_EQ(loadBrokenGlass(folder.path), until);
    ASSERT_TRUE(host::writeFileAtomic(folder.path + "/break-glass", "for ever", 0600).ok());
    EXPECT_EQ(loadBrokenGlass(folder.path), WallTime{});
}

TEST(ClusterHome, BeforeTheFirstStartThereIsNone)
{
    Folder folder;
    EXPECT_EQ(loadClusterHome(folder.path).error().code, Code::notFound);
}

TEST(ClusterHome, AnythingElseIsRefusedWithAWayOut)
{
    Folder folder;
    for (const char* text : {"", "{}", "[]", "{\"self\":1,\"storage\":\"x\",\"founder\":true,\"nodes\":[]}",
                             "{\"self\":1,\"storage\":\"x\",\"founder\":true,\"recovered\":false,\"nodes\":[{\"id\":1,\"name\":\"a\",\"endpoint\":\"\",\"key\":\"short\"}]}"}) {
        ASSERT_TRUE(host::writeFileAtomic(folder.path + "/member.json", text, 0600).ok());
        const Result<ClusterHome> loaded = loadClusterHome(folder.path);
        ASSERT_FALSE(loaded.ok()) << text;
        EXPECT_EQ(loaded.error().code, Code::corrupt) << text;
        EXPECT_NE(loaded.error().message.find("join again"), std::string::npos) << loaded.error().message;
    }
}

}  // namespace
}  // namespace mesh::aggregator
