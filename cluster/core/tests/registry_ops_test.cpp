#include "cluster/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

const std::string uuid = "4c4c4544-0043-4a10-8039-b7c04f4e3533";
const std::string uuidPrefix = "034B03";

class RegistryOps : public Machine {
protected:
    RegistryOps() { apply(PutTenant{"acme"}); }

    Applied put(const std::string& name, std::size_t key, const std::string& prefix = "")
    {
        return apply(PutConnector{{"acme", name, keyNumber(key), prefix, "", ""}});
    }
    Applied assign(const std::string& name, const std::string& reported, const std::string& configured = "")
    {
        return apply(AssignPrefix{"acme", name, configured, reported, keyNumber(1)});
    }
};

TEST_F(RegistryOps, ConnectorsAreRegisteredAndAnnounced)
{
    EXPECT_TRUE(put("sled07", 7).ok());
    EXPECT_EQ(changes, (std::vector<Change>{{2, ChangeKind::connector, "acme/sled07"}}));
    EXPECT_EQ(state().registry.findByKey(keyNumber(7))->name, "sled07");
    put("sled07", 7);
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(put("sled08", 7).error.code, Code::alreadyExists);
    EXPECT_EQ(apply(PutConnector{{"globex", "x", keyNumber(9), "", "", ""}}).error.code, Code::notFound);
    EXPECT_EQ(apply(RemoveTenant{"acme"}).error.code, Code::preconditionFailed);
    EXPECT_TRUE(apply(RemoveConnector{"acme", "sled07"}).ok());
    EXPECT_EQ(apply(RemoveConnector{"acme", "sled07"}).error.code, Code::notFound);
    EXPECT_TRUE(apply(RemoveTenant{"acme"}).ok());
}

TEST_F(RegistryOps, ATenantWithAccountsStays)
{
    apply(account("bob", "Operator", "acme"));
    EXPECT_EQ(apply(RemoveTenant{"acme"}).error.code, Code::preconditionFailed);
}

TEST_F(RegistryOps, APrefixIsForLifeAlsoWhenTheBoardIsSwapped)
{
    EXPECT_EQ(assign("sled07", uuid).value, uuidPrefix);
    EXPECT_EQ(changes, (std::vector<Change>{{2, ChangeKind::prefix, "acme/sled07"}}));
    assign("sled07", uuid);
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(assign("sled07", "99999999-0043-4a10-8039-b7c04f4e3533").value, uuidPrefix);
    EXPECT_EQ(findPrefix(state(), "acme", "sled07")->uuid, "99999999-0043-4a10-8039-b7c04f4e3533");
    EXPECT_EQ(assign("sled07", "").value, uuidPrefix);
    EXPECT_EQ(findPrefix(state(), "acme", "sled07")->uuid, "99999999-0043-4a10-8039-b7c04f4e3533");
}

TEST_F(RegistryOps, TwoSatellitesNeverShareAPrefix)
{
    EXPECT_EQ(assign("sled07", "", uuidPrefix).value, uuidPrefix);
    EXPECT_EQ(assign("sled08", uuid).value, uuidPrefix + "9B");
    EXPECT_EQ(assign("sled09", "", "034b03").error.code, Code::alreadyExists);
    const Applied sameUuid = assign("sled10", uuid);  // of its key then
    EXPECT_TRUE(sameUuid.ok());
    EXPECT_NE(sameUuid.value.substr(0, 6), uuidPrefix);
    EXPECT_EQ(put("sled11", 11, "034B03").error.code, Code::alreadyExists);
    EXPECT_EQ(state().registry.find("acme", "sled11"), nullptr);
}

TEST_F(RegistryOps, AConfiguredPrefixReplacesAnAssignedOneAndFreesIt)
{
    assign("sled07", uuid);
    EXPECT_EQ(assign("sled07", uuid, "Rack1").value, "Rack1");
    EXPECT_EQ(assign("sled08", "", uuidPrefix).value, uuidPrefix);
    EXPECT_TRUE(put("sled07", 7, "Rack2").ok());
    EXPECT_EQ(changes.size(), 2U);
    EXPECT_EQ(findPrefix(state(), "acme", "sled07")->prefix, "Rack2");
    EXPECT_EQ(findPrefix(state(), "acme", "sled07")->uuid, uuid);
    put("sled07", 7);
    EXPECT_EQ(findPrefix(state(), "acme", "sled07")->prefix, "Rack2");
}

TEST_F(RegistryOps, ARemovedConnectorGivesItsPrefixBack)
{
    put("sled07", 7);
    assign("sled07", uuid);
    apply(RemoveConnector{"acme", "sled07"});
    EXPECT_EQ(changes.size(), 2U);
    EXPECT_EQ(findPrefix(state(), "acme", "sled07"), nullptr);
    EXPECT_EQ(assign("sled08", uuid).value, uuidPrefix);
}

TEST_F(RegistryOps, PrefixesAreGivenToARegistryFromAFileToo)
{
    tenants::Registry file;
    ASSERT_TRUE(file.addTenant("acme").ok());
    ASSERT_TRUE(file.put({"acme", "a", keyNumber(1), "AAA", "", ""}).ok());
    ASSERT_TRUE(file.put({"acme", "b", keyNumber(2), "BBB", "", ""}).ok());
    ASSERT_TRUE(file.put({"acme", "c", keyNumber(3), "", "", ""}).ok());
    assign("a", "", "BBB");
    assign("b", "", "AAA");
    assign("c", uuid);
    EXPECT_TRUE(applyPrefixes(file, state()).ok());
    EXPECT_EQ(file.findByPrefix("bbb")->name, "a");
    EXPECT_EQ(file.findByPrefix("aaa")->name, "b");
    EXPECT_EQ(file.findByPrefix(uuidPrefix)->name, "c");
    ASSERT_TRUE(file.put({"acme", "d", keyNumber(4), "DDD", "", ""}).ok());
    assign("c", "", "DDD");
    const auto refused = applyPrefixes(file, state());
    EXPECT_EQ(refused.error().code, Code::alreadyExists);
    EXPECT_NE(refused.error().message.find("c of tenant acme"), std::string::npos);
}

TEST_F(RegistryOps, MalformedNamesAreRefused)
{
    EXPECT_EQ(apply(PutTenant{"a b"}).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(AssignPrefix{"", "x", "", uuid, ""}).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(AssignPrefix{"acme", "x", "", "a b", ""}).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(AssignPrefix{"acme", "x", "no-good", uuid, ""}).error.code, Code::invalidArgument);
    EXPECT_TRUE(state().prefixes.empty());
}

}  // namespace
}  // namespace mesh::cluster
