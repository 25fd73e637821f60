#include "cluster/history/tests/history_databases.hpp"

#include "cluster/history/connection.hpp"

#include <cstdlib>
#include <filesystem>

namespace mesh::history {

void HistoryDatabases::SetUpTestSuite()
{
    server = new PostgresServer;
}

void HistoryDatabases::TearDownTestSuite()
{
    delete server;
    server = nullptr;
}

void HistoryDatabases::SetUp()
{
    if (isServer()) {
        ASSERT_EQ(server->problem(), "");
        url = server->create("t" + std::to_string(++databases));
    } else {
        std::string pattern = testing::TempDir() + "mesh-history-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory = pattern;
        url = "sqlite:" + directory + "/history.db";
    }
    store = std::make_unique<HistoryStore>(url);
}

void HistoryDatabases::TearDown()
{
    store.reset();
    if (!directory.empty()) {
        std::filesystem::remove_all(directory);
    }
}

void HistoryDatabases::tamper(const std::string& statement)
{
    *connect(url)->session << statement;
}

}  // namespace mesh::history
