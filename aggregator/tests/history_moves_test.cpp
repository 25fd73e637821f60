#include "aggregator/history_moves.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <latch>
#include <memory>
#include <optional>
#include <utility>

namespace mesh::aggregator {
namespace {

using namespace std::chrono_literals;

// Keeps a database's thread until it is opened.
class DatabaseGate {
public:
    ~DatabaseGate() { open(); }
    void close(HistoryDatabase& database)
    {
        database.ask<bool>(
            [latch = latch](history::HistoryStore&) -> Result<bool> {
                latch->wait();
                return true;
            },
            [](const Result<bool>&) {});
    }
    void open()
    {
        if (!std::exchange(isOpen, true)) {
            latch->count_down();
        }
    }

private:
    std::shared_ptr<std::latch> latch = std::make_shared<std::latch>(1);
    bool isOpen = false;
};

class HistoryMovesTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        std::string pattern = ::testing::TempDir() + "mesh-moves-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        environment.node = "agg-a";
        environment.stateDirectory = pattern;
        environment.ownUrl = "sqlite:" + pattern + "/history.db";
    }
    void TearDown() override
    {
        stop();
        std::filesystem::remove_all(environment.stateDirectory);
    }
    void start()
    {
        stop();
        loop.emplace();
        moves = std::make_unique<HistoryMoves>(*loop, environment, [this] {
            if (onTurn) {
                onTurn();
            }
        });
        ASSERT_TRUE(moves->load());
        moves->start([](const std::string&, const std::string& secret) { return "the word of " + secret; }, {});
    }
    void stop()
    {
        moves.reset();
        loop.reset();
        wanted.clear();
        onTurn = {};
    }
    // Besides what was wanted before.
    void want(const std::map<std::string, WantedPlace>& more)
    {
        for (const auto& [tenant, place] : more) {
            wanted[tenant] = place;
        }
        moves->setPlaces(wanted);
    }
    bool await(const std::function<bool()>& condition)
    {
        const auto deadline = std::chrono::steady_clock::now() + 30s;
        while (!condition() && std::chrono::steady_clock::now() < deadline) {
            loop->context().run_one_for(100ms);
        }
        return condition();
    }
    PlaceStatus status(const std::string& tenant) const
    {
        for (const PlaceStatus& each : moves->statuses()) {
            if (each.tenant == tenant) {
                return each;
            }
        }
        return {};
    }
    bool awaitSettled(const std::string& tenant, const std::string& place)
    {
        return await([&] { return status(tenant).phase == "settled" && status(tenant).inUse == place; });
    }
    bool record(const std::string& tenant)
    {
        bool stored = false;
        const history::AuditRecord deed{WallTime(1h), tenant, "admin", "10.0.0.9:4711", "agg-a", "POST", "/redfish/v1/Systems/A_1",
                                        std::string(32, 'a'), history::Phase::intent, 0};
        moves->own().append({deed}, [&stored](const Result<void>& outcome, std::uint64_t) { stored = outcome.ok(); });
        return await([&stored] { return stored; });
    }

    HistoryMoves::Environment environment;
    std::optional<host::Loop> loop;
    std::unique_ptr<HistoryMoves> moves;
    std::map<std::string, WantedPlace> wanted;
    std::function<void()> onTurn;
};

TEST_F(HistoryMovesTest, ADatabaseThatAStepGoesOnWithIsNotGivenUpForAnotherOne)
{
    environment.maxDatabases = 2;
    start();
    ASSERT_TRUE(record("acme"));
    DatabaseGate gate;
    gate.close(moves->own());
    want({{"acme", {"sqlite:a.db", ""}}});
    ASSERT_TRUE(await([this] { return status("acme").phase == "copying"; })) << "from where nothing comes yet";
    want({{"acme", {}}, {"umbra", {"sqlite:u.db", ""}}});
    ASSERT_TRUE(await([this] { return !status("umbra").failure.empty(); }));
    EXPECT_EQ(status("umbra").failure, "this node has 2 databases open already");
    gate.open();
    EXPECT_TRUE(await([this] { return status("acme").copied == 1; }));
}

TEST_F(HistoryMovesTest, ADatabaseThatHangsWhenAllIsCopiedKeepsNoOtherTenantsMoveFromItsEnd)
{
    start();
    DatabaseGate gate;
    int turns = 0;
    onTurn = [&] {
        // The first of these began to hold writes; when the own database has given its last events, they wait for the new one,
        // and behind them is only what is asked for the note.
        if (status("acme").phase == "closing" && ++turns == 4) {
            moves->forEach([&](HistoryDatabase& database) {
                if (database.url().ends_with("/a.db")) {
                    gate.close(database);
                }
            });
        }
    };
    want({{"acme", {"sqlite:a.db", ""}}});
    ASSERT_TRUE(await([&] { return turns >= 5; })) << "the last events are there";
    EXPECT_TRUE(moves->holds("acme"));
    want({{"umbra", {"sqlite:u.db", ""}}});
    EXPECT_TRUE(awaitSettled("umbra", "sqlite:u.db"));
    ASSERT_TRUE(await([this] { return !status("acme").failure.empty(); })) << "within limits::historyHold";
    EXPECT_FALSE(moves->holds("acme"));
    EXPECT_EQ(status("acme").inUse, "sqlite");
    gate.open();
}

TEST_F(HistoryMovesTest, AHistoryIsOpenedAtTheStartBeforeWhatAnotherIsToGoTo)
{
    environment.maxDatabases = 2;
    start();
    want({{"umbra", {"sqlite:u.db", ""}}});
    ASSERT_TRUE(awaitSettled("umbra", "sqlite:u.db"));
    start();
    EXPECT_EQ(status("umbra").inUse, "sqlite:u.db");
    want({{"acme", {"sqlite:a.db", ""}}, {"umbra", {"sqlite:u.db", ""}}});
    EXPECT_TRUE(moves->databaseOf("umbra").ok());
    ASSERT_TRUE(await([this] { return !status("acme").failure.empty(); }));
    EXPECT_EQ(status("acme").failure, "this node has 2 databases open already");
    EXPECT_TRUE(moves->databaseOf("acme").ok()) << "it stays where it is";
}

TEST_F(HistoryMovesTest, AServerThatIsAskedWithAnotherSecretFromNowOnMakesRoomForThat)
{
    environment.maxDatabases = 2;
    start();
    const std::string nobody = "postgresql://mesh@127.0.0.1:1/history";
    want({{"acme", {nobody, "one"}}});
    ASSERT_TRUE(await([this] { return status("acme").failures == 1; }));
    want({{"acme", {nobody, "two"}}});
    ASSERT_TRUE(await([this] { return status("acme").failures == 2; }));
    EXPECT_EQ(status("acme").failure.find("open already"), std::string::npos) << status("acme").failure;
}

TEST_F(HistoryMovesTest, ANoteThatIsOnDiskThoughItsWritingFailedIsTakenBack)
{
    environment.write = [failures = std::make_shared<int>(1)](const std::string& file, std::string_view text, mode_t mode) -> Result<void> {
        const Result<void> written = host::writeFileAtomic(file, text, mode);
        return (*failures)-- > 0 ? Result<void>(Error{Code::ioError, "the folder is not synchronised"}) : written;
    };
    start();
    ASSERT_TRUE(record("acme"));
    want({{"acme", {"sqlite:a.db", ""}}});
    ASSERT_TRUE(await([this] { return !status("acme").failure.empty(); }));
    EXPECT_EQ(status("acme").failure, "the folder is not synchronised");
    EXPECT_EQ(status("acme").inUse, "sqlite");
    start();
    EXPECT_EQ(moves->placeOf("acme"), history::Place{}) << "the next start is to find it where this one wrote it";
    want({{"acme", {"sqlite:a.db", ""}}});
    ASSERT_TRUE(awaitSettled("acme", "sqlite:a.db"));
    start();
    EXPECT_EQ(status("acme").inUse, "sqlite:a.db");
}

}  // namespace
}  // namespace mesh::aggregator
