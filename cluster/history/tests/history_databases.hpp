#pragma once

#include "cluster/history/history_store.hpp"
#include "cluster/history/tests/postgres_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

namespace mesh::history {

constexpr auto start = WallTime(std::chrono::hours(24 * 365 * 50));

// A store over a file of the test's own, and one over a database of a server that the tests share.
class HistoryDatabases : public testing::TestWithParam<const char*> {
protected:
    static void SetUpTestSuite();
    static void TearDownTestSuite();
    void SetUp() override;
    void TearDown() override;

    static bool isServer() { return std::string_view(GetParam()) == "postgresql"; }
    // As somebody beside the store would.
    void tamper(const std::string& statement);

    inline static PostgresServer* server = nullptr;
    inline static int databases = 0;
    std::string directory;
    std::string url;
    std::unique_ptr<HistoryStore> store;
};

}  // namespace mesh::history
