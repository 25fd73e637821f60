#include "aggregator/setup/member_file.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mesh::aggregator {
namespace {

class MemberFileTest : public testing::Test {
protected:
    MemberFileTest()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "mesh-member-XXXXXX").string();
        root = ::mkdtemp(pattern.data());
        directory = (root / "state" / "cluster").string();
    }
    ~MemberFileTest() override
    {
        worker.stop();
        std::filesystem::remove_all(root);
    }

    static ClusterHome homeWith(std::uint64_t nodes)
    {
        ClusterHome home;
        home.self = 1;
        home.storage = std::string(storageIdBytes, 'a');
        for (std::uint64_t id = 1; id <= nodes; ++id) {
            home.nodes.push_back({id, {"agg-" + std::to_string(id), "tcp://127.0.0.1:1", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"}});
        }
        return home;
    }
    template <class Condition>
    void runUntil(Condition condition)
    {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!condition() && std::chrono::steady_clock::now() < end) {
            io.run_one_for(std::chrono::milliseconds(50));
        }
        EXPECT_TRUE(condition());
    }

    std::filesystem::path root;
    std::string directory;
    boost::asio::io_context io;
    host::BlockingWorker worker{io};
};

TEST_F(MemberFileTest, WhatCannotBeWrittenIsToldAndTriedAgainUntilItIs)
{
    std::ofstream(root / "state") << "in the way";
    MemberFile file(io, worker, directory, 1ms);
    EXPECT_TRUE(file.isSaved());
    file.save(homeWith(1));
    EXPECT_FALSE(file.isSaved());
    runUntil([&] { return file.failures() >= 3; });
    EXPECT_FALSE(file.isSaved());
    EXPECT_NE(file.problem().find(directory), std::string::npos) << file.problem();
    std::filesystem::remove(root / "state");
    runUntil([&] { return file.isSaved(); });
    EXPECT_EQ(file.problem(), "");
    EXPECT_EQ(*loadClusterHome(directory), homeWith(1));
}

TEST_F(MemberFileTest, TheLastOneCounts)
{
    MemberFile file(io, worker, directory);
    for (std::uint64_t nodes = 1; nodes <= 5; ++nodes) {
        file.save(homeWith(nodes));
    }
    runUntil([&] { return file.isSaved(); });
    EXPECT_EQ(*loadClusterHome(directory), homeWith(5));
}

TEST_F(MemberFileTest, WithAFullQueueItIsTriedAgain)
{
    host::BlockingWorker none(io, 0);
    MemberFile file(io, none, directory, 1ms);
    file.save(homeWith(1));
    runUntil([&] { return file.failures() >= 2; });
    EXPECT_EQ(file.problem(), "too much waits for the disk");
    EXPECT_FALSE(file.isSaved());
}

}  // namespace
}  // namespace mesh::aggregator
