#include "cluster/history/core/database_url.hpp"

#include <gtest/gtest.h>

namespace mesh::history {

TEST(HistoryUrl, OnlyWhatCanBeOpenedIsTaken)
{
    EXPECT_TRUE(checkUrl("sqlite:/var/lib/bmcmesh/history.db"));
    EXPECT_TRUE(checkUrl("postgresql://mesh@db/history"));
    for (const char* wrong : {"", "history.db", "sqlite:history.db", "sqlite:", "sqlite:/a\"b", "mysql://a/b"}) {
        EXPECT_FALSE(checkUrl(wrong)) << wrong;
    }
}

TEST(HistoryUrl, PasswordsAreNotShown)
{
    EXPECT_EQ(shownUrl("postgresql://mesh:word@db:5432/history?passfile=/x"), "postgresql://mesh@db:5432/history");
    EXPECT_EQ(shownUrl("postgresql://mesh@db:5432/history"), "postgresql://mesh@db:5432/history");
    EXPECT_EQ(shownUrl("postgresql://db:5432/history?password=word"), "postgresql://db:5432/history");
    EXPECT_EQ(shownUrl("sqlite:/a/b"), "sqlite:/a/b");
}

}  // namespace mesh::history
