#include "shoset/uri/collections.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace mesh::uri {
namespace {

void flatten(std::span<const Node> nodes, const std::string& above, std::map<std::string, bool>& out)
{
    for (const Node& node : nodes) {
        const std::string path = above + std::string(node.name);
        if (node.kind == NodeKind::collection) {
            out[path] = node.listed;
        }
        flatten(node.children, path + '/', out);
    }
}

TEST(Collections, TreeAndFlatTableAgree)
{
    std::map<std::string, bool> fromTree;
    flatten(topNodes(), "", fromTree);
    std::map<std::string, bool> fromTable;
    for (const TopCollection& entry : topCollections()) {
        fromTable[std::string(entry.path)] = entry.listed;
    }
    EXPECT_EQ(fromTree, fromTable);
    EXPECT_EQ(fromTable.size(), 58U);
    EXPECT_FALSE(fromTable.at("TaskService/TaskMonitors"));
}

TEST(Collections, EveryNodeIsFoundInAnyCase)
{
    for (const Node& node : topNodes()) {
        EXPECT_EQ(findNode(topNodes(), node.name), &node);
        std::string other(node.name);
        for (char& c : other) {
            c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 0x20 : c >= 'A' && c <= 'Z' ? c + 0x20 : c);
        }
        EXPECT_EQ(findNode(topNodes(), other), &node);
    }
    for (const char* name : {"", "System", "Systemss", "Systemz", "\x7fystems", "zzz", "$Metadat"}) {
        EXPECT_EQ(findNode(topNodes(), name), nullptr) << name;
    }
    ASSERT_NE(findTopCollection("taskservice/TASKS"), nullptr);
    EXPECT_EQ(findTopCollection("taskservice/TASKS")->path, "TaskService/Tasks");
    EXPECT_EQ(findTopCollection("TaskService"), nullptr);
}

TEST(Collections, LocatesByStructure)
{
    struct Row {
        const char* path;
        PlaceKind kind;
        bool direct;
    };
    for (const Row& row : {Row{"/redfish/v1", PlaceKind::root, false}, Row{"/Redfish/V1/", PlaceKind::root, false},
                           Row{"/redfish/v1/Systems/", PlaceKind::collection, false},
                           Row{"/redfish/v1/Systems/1", PlaceKind::member, true},
                           Row{"/redfish/v1/Systems/1//", PlaceKind::member, true},
                           Row{"/redfish/v1/Systems/1/Bios", PlaceKind::member, false},
                           Row{"/redfish/v1/TaskService", PlaceKind::singleton, false},
                           Row{"/redfish/v1/TaskService/Tasks/1", PlaceKind::member, true},
                           Row{"/redfish/v1/TaskService/Oem", PlaceKind::other, false},
                           Row{"/redfish/v1/Foo", PlaceKind::other, false},
                           Row{"/redfish/v1//Foo", PlaceKind::nowhere, false},
                           Row{"/redfish/v1/Foo//Bar", PlaceKind::nowhere, false},
                           Row{"/redfish/v1x", PlaceKind::nowhere, false}, Row{"", PlaceKind::nowhere, false}}) {
        const Place place = locate(row.path);
        EXPECT_EQ(place.kind, row.kind) << row.path;
        EXPECT_EQ(place.direct, row.direct) << row.path;
    }
}

TEST(Collections, FindsDoubledSlashesAnywhereInLongPaths)
{
    const std::string path = "/redfish/v1/Chassis/" + std::string(70, 'a');
    EXPECT_EQ(locate(path).kind, PlaceKind::member);
    for (std::size_t at = 12; at + 3 < path.size(); ++at) {
        std::string broken = path;
        broken.replace(at, 2, "//");
        EXPECT_EQ(locate(broken).kind, PlaceKind::nowhere) << broken;
    }
}

}  // namespace
}  // namespace mesh::uri
