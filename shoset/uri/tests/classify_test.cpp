#include "shoset/uri/classify.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mesh::uri {
namespace {

TEST(CheckPath, RefusesWhatCouldMeanSomethingElseToTheSatellite)
{
    for (const char* target :
         {"", "redfish", "*", "http://x/redfish/v1", "/redfish/v1/../x", "/redfish/v1/./x", "/redfish/v1/..",
          "/redfish/v1/.", "/..", "/redfish/v1/%2e%2e/x", "/redfish/v1/.%2E/x", "/redfish/v1/%2e", "/a/..;x/b",
          "/a/..%3bx/b", "/a/%252e%252e/b", "/a/%25252e./b", "/a%2Fb", "/a%2fb", "/a%5Cb", "/a\\b", "/a%00", "/a%0d%0a",
          "/a%7f", "/a%1Fb", "/a%252fb", "/a%25252Fb", "/a%2500", "/a b", "/a\tb", "/a\x7f", "/gr\xc3\xb6\xc3\x9f",
          "/a%", "/a%2", "/a%zz", "/a%2gb", "/a#b", "/a?b#c", "/a?b\xc3\xb6", "/a?b c"}) {
        const Result<Target> result = checkPath(target);
        ASSERT_FALSE(result.ok()) << target;
        EXPECT_EQ(result.error().code, Code::invalidArgument);
        EXPECT_FALSE(result.error().message.empty());
    }
}

TEST(CheckPath, DecodesOnlyWhatMayStandForItself)
{
    struct Row {
        const char* target;
        const char* path;
        const char* query;
    };
    for (const Row& row : {Row{"/redfish/v1/Systems/1", "/redfish/v1/Systems/1", ""},
                           Row{"/", "/", ""},
                           Row{"/redfish/v1//Systems//", "/redfish/v1//Systems//", ""},
                           Row{"/%72edfish/v1/%53ystems/5B247A%5F1", "/redfish/v1/Systems/5B247A_1", ""},
                           Row{"/redfish/v1/%24metadata", "/redfish/v1/$metadata", ""},
                           Row{"/a%20b%C3%B6%7Bx%7D%25", "/a%20b%C3%B6%7Bx%7D%25", ""},
                           Row{"/a%25zz", "/a%25zz", ""},
                           Row{"/a...b/.../..x/x..", "/a...b/.../..x/x..", ""},
                           Row{"/a?$filter=x%2Fy/../%00", "/a", "$filter=x%2Fy/../%00"},
                           Row{"/a??", "/a", "?"}}) {
        const Result<Target> result = checkPath(row.target);
        ASSERT_TRUE(result.ok()) << row.target << ": " << result.error().message;
        EXPECT_EQ(result->path, row.path);
        EXPECT_EQ(result->query, row.query);
        EXPECT_EQ(result->hasQuery, std::string(row.target).find('?') != std::string::npos);
    }
}

TEST(Classify, NamesKindPrefixAndCollection)
{
    struct Row {
        const char* path;
        PathKind kind;
        const char* prefix;
        const char* collection;
        const char* segment;
        bool direct;
    };
    for (const Row& row :
         {Row{"/redfish", PathKind::notRedfish, "", "", "", false},
          Row{"/redfish/v11/Systems", PathKind::notRedfish, "", "", "", false},
          Row{"/redfish/v1/Systems//1", PathKind::notRedfish, "", "", "", false},
          Row{"/mesh/v1/x", PathKind::notRedfish, "", "", "", false},
          Row{"/redfish/v1/", PathKind::root, "", "", "", false},
          Row{"/REDFISH/v1/updateservice", PathKind::singleton, "", "", "updateservice", true},
          Row{"/redfish/v1/$metadata", PathKind::singleton, "", "", "$metadata", true},
          Row{"/redfish/v1/systems/", PathKind::topCollection, "", "Systems", "systems", true},
          Row{"/redfish/v1/taskservice/TASKS", PathKind::topCollection, "", "TaskService/Tasks", "taskservice", false},
          Row{"/redfish/v1/SYSTEMS/5B247A_a_b", PathKind::member, "5B247A", "Systems", "5B247A_a_b", true},
          Row{"/redfish/v1/Systems/5B247A_1/Bios", PathKind::member, "5B247A", "Systems", "5B247A_1", false},
          Row{"/redfish/v1/Managers/agg-a", PathKind::member, "", "Managers", "agg-a", true},
          Row{"/redfish/v1/TelemetryService/LogService/Entries/P_1", PathKind::member, "P",
              "TelemetryService/LogService/Entries", "P_1", true},
          Row{"/redfish/v1/P_UpdateService/Actions/x", PathKind::prefixed, "P", "", "P_UpdateService", false},
          Row{"/redfish/v1/P_Systems", PathKind::prefixed, "P", "", "P_Systems", true},
          Row{"/redfish/v1/P_-/FWUpdate", PathKind::outsideTree, "P", "", "P_-", false},
          Row{"/redfish/v1/P_-/a//b", PathKind::notRedfish, "", "", "", false},
          Row{"/redfish/v1/P_-x", PathKind::prefixed, "P", "", "P_-x", true},
          Row{"/redfish/v1/SessionService/Sessions/x_1", PathKind::facade, "", "", "SessionService", false},
          Row{"/redfish/v1/UpdateService/Actions/x", PathKind::facade, "", "", "UpdateService", false}}) {
        const Classified result = classify(row.path);
        EXPECT_EQ(result.kind, row.kind) << row.path;
        EXPECT_EQ(result.prefix, row.prefix) << row.path;
        EXPECT_EQ(result.collection, row.collection) << row.path;
        EXPECT_EQ(result.segment, row.segment) << row.path;
        EXPECT_EQ(result.direct, row.direct) << row.path;
    }
}

}  // namespace
}  // namespace mesh::uri
