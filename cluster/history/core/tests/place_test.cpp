#include "cluster/history/core/database_url.hpp"
#include "cluster/history/core/place.hpp"
#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

namespace mesh::history {
namespace {

TEST(PlaceNames, AreTheNodesOwnAFileOfTheTenantsOwnOrADatabaseOnAServer)
{
    for (const char* good : {"sqlite", "sqlite:history.db", "postgresql://mesh@db.example/history", "postgresql://mesh@10.0.0.1:5433/h?sslmode=require",
                             "postgresql://mesh@%2Frun%2Fpostgresql/history", "postgresql://mesh@a,b/h?target_session_attrs=read-write",
                             "postgresql://mesh@h/d?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem"}) {
        EXPECT_TRUE(checkPlace(good).ok()) << good;
    }
    for (const char* bad : {"", "sqlite:", "sqlite:/etc/passwd", "sqlite:../other/history.db", "sqlite:a/b", "mysql://u@h/d", "postgresql://h/d",
                            "postgresql://@h/d", "postgresql://u@h", "postgresql://u@h/", "postgresql://u@h/d/e", "postgresql://u@h@i/d",
                            "postgresql://u@h/d?options=-csearch_path", "postgresql://u@h/d?sslkey=/etc/key", "postgresql://u@h/d?service=x",
                            "postgresql://u@h/a b", "postgresql://u@h/d\n"}) {
        EXPECT_FALSE(checkPlace(bad).ok()) << bad;
    }
    EXPECT_FALSE(checkPlace("postgresql://u@h/" + std::string(600, 'd')).ok());
}

TEST(PlaceNames, APasswordIsRefusedWithTheWayToSealIt)
{
    for (const char* bad : {"postgresql://mesh:word@db/h", "postgresql://mesh@db/h?password=word", "postgresql://mesh@db/h?sslmode=require&password=w",
                            "postgresql://mesh@db/h?passfile=/etc/pw"}) {
        const Result<void> refused = checkPlace(bad);
        ASSERT_FALSE(refused.ok()) << bad;
        EXPECT_NE(refused.error().message.find("--password-secret"), std::string::npos) << refused.error().message;
        EXPECT_EQ(refused.error().message.find("word@"), std::string::npos) << refused.error().message;
    }
}

TEST(PlaceNames, EachNodeKnowsItsOwnFilesByThem)
{
    EXPECT_EQ(urlOfPlace("", "acme", "sqlite:/s/history.db", "/s"), "sqlite:/s/history.db");
    EXPECT_EQ(urlOfPlace("sqlite", "acme", "postgresql://u@h/d", "/s"), "postgresql://u@h/d");
    EXPECT_EQ(urlOfPlace("sqlite:h.db", "acme", "sqlite:/s/history.db", "/s"), "sqlite:/s/tenants/acme/h.db");
    EXPECT_EQ(urlOfPlace("postgresql://u@h/d", "acme", "", "/s"), "postgresql://u@h/d");
    EXPECT_TRUE(isOwnFile("") && isOwnFile("sqlite") && isOwnFile("sqlite:h.db"));
    EXPECT_FALSE(isOwnFile("postgresql://u@h/d"));
}

TEST(PlaceNames, AParameterIsEscapedAndWhatIsThereCounts)
{
    EXPECT_EQ(withParameter("postgresql://u@h/d", "password", "a&b=c /?é"), "postgresql://u@h/d?password=a%26b%3Dc%20%2F%3F%C3%A9");
    EXPECT_EQ(withParameter("postgresql://u@h/d?a=1", "b", "2"), "postgresql://u@h/d?a=1&b=2");
    EXPECT_EQ(withParameter("postgresql://u@h/d?xb=1", "b", "2"), "postgresql://u@h/d?xb=1&b=2");
    EXPECT_EQ(withParameter("postgresql://u@h/d?b=1", "b", "2"), "postgresql://u@h/d?b=1");
}

TEST(Places, ComeBackFromTheirFile)
{
    const Places places{{"acme", {"postgresql://u@h/d", "pg", 120, 118, 7}}, {"umbra", {"", "", 9, 0, 0}}, {"zeta", {"sqlite:h.db", "", 0, 0, 0}}};
    EXPECT_EQ(*parsePlaces(placesText(places)), places);
    EXPECT_EQ(*parsePlaces(placesText({})), Places{});
    for (const char* damaged : {"", "bmcmesh-places-2\n", "bmcmesh-places-1\nacme", "bmcmesh-places-1\nacme sqlite - 1 2\n",
                                "bmcmesh-places-1\nacme sqlite:/etc/x - 1 2 3\n", "bmcmesh-places-1\na/b sqlite - 1 2 3\n",
                                "bmcmesh-places-1\nacme sqlite - 1 2 -3\n", "bmcmesh-places-1\nacme sqlite ../x 1 2 3\n"}) {
        EXPECT_FALSE(parsePlaces(damaged).ok()) << damaged;
    }
}

TEST(PlaceIds, WhoHadReadEverythingBeforeAMoveGoesOnBehindIt)
{
    const Place moved = placeAfter({}, {"postgresql://u@h/d", "", 0, 0, 0}, 120, 118, 7);
    EXPECT_EQ(*idAtPlace(moved, 0), 0U) << "from the beginning";
    EXPECT_EQ(*idAtPlace(moved, 118), 7U);
    EXPECT_EQ(*idAtPlace(moved, 120), 7U);
    EXPECT_EQ(*idAtPlace(moved, 121), 7U) << "given by the old database while the move ended";
    EXPECT_EQ(*idAtPlace(moved, moved.base - 1), 7U);
    EXPECT_EQ(*idAtPlace(moved, moved.base), 0U) << "of a database that has taken its place and has no events yet";
    EXPECT_EQ(*idAtPlace(moved, moved.base + 1), 1U);
    EXPECT_EQ(*idAtPlace(moved, moved.base + 10), 10U);
    EXPECT_EQ(idAtPlace(moved, 117).error().code, Code::refused) << "there was one more";
}

TEST(PlaceIds, WhoHadNotReadTheLastOnesGoesOnBeforeThemAsFarAsTheyAreRemembered)
{
    const Place moved = placeAfter({}, {"postgresql://u@h/d", "", 0, 0, 0}, 120, 118, 90);
    std::vector<MovedEvent> recent{{110, 70}, {112, 90}, {118, 80}};  // another node had put the last but one there later
    EXPECT_EQ(*idAtPlace(moved, 112, recent), 79U);
    EXPECT_EQ(*idAtPlace(moved, 111, recent), 79U) << "once more rather than not at all";
    EXPECT_EQ(*idAtPlace(moved, 109, recent), 69U);
    EXPECT_EQ(*idAtPlace(moved, 50, recent), 69U) << "there were no others";
    EXPECT_EQ(*idAtPlace(moved, 118, recent), 90U);
    const Place shared = placeAfter({}, {"postgresql://u@h/d", "", 0, 0, 0}, 120, 118, 75);  // another node had put one there already
    EXPECT_EQ(*idAtPlace(shared, 118, recent), 75U);
    EXPECT_EQ(*idAtPlace(shared, 112, recent), 75U);
    EXPECT_EQ(*idAtPlace(shared, 109, recent), 69U);
    recent[1].id = 0;
    EXPECT_EQ(*idAtPlace(moved, 111, recent), 79U);
    recent[1].id = 90;
    const Place later = placeAfter({}, {"postgresql://u@h/d", "", 0, 0, 0}, 1000, 1000, 1000);
    recent.clear();
    for (std::uint64_t id = 1001 - limits::historyMoveRecent; id <= 1000; ++id) {
        recent.push_back({id, id});
    }
    EXPECT_EQ(*idAtPlace(later, 1000 - limits::historyMoveRecent, recent), 1000 - limits::historyMoveRecent);
    EXPECT_EQ(idAtPlace(later, 999 - limits::historyMoveRecent, recent).error().code, Code::refused);
}

TEST(PlaceIds, GrowWithEachMove)
{
    const Place first = placeAfter({}, {"postgresql://u@h/d", "", 0, 0, 0}, 120, 118, 7);
    EXPECT_EQ(first.base, 120 + limits::historyMoveGap);
    const Place second = placeAfter(first, {"", "", 0, 0, 0}, first.base + 30, first.base + 29, 200);
    EXPECT_EQ(second.base, first.base + 30 + limits::historyMoveGap);
    EXPECT_EQ(*idAtPlace(second, first.base + 29), 200U);
    EXPECT_EQ(*idAtPlace(second, second.base + 1), 1U);
    EXPECT_EQ(idAtPlace(second, 120).error().code, Code::refused);
    EXPECT_GT(placeAfter(second, {"sqlite:x", "", 0, 0, 0}, 10, 0, 0).base, second.base) << "also where the database is a younger one";
}

}  // namespace
}  // namespace mesh::history
