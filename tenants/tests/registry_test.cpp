#include "tenants/registry.hpp"

#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

namespace mesh::tenants {
namespace {

// A well-formed key that differs for each number.
std::string keyNumber(std::size_t number)
{
    std::string key = "0000000000000000000000000000000000000000";
    for (std::size_t i = key.size(); number > 0; number /= 10) {
        key[--i] = static_cast<char>('0' + number % 10);
    }
    return key;
}

Connector connector(const std::string& name, std::size_t key, const std::string& prefix = "")
{
    return {"acme", name, keyNumber(key), prefix, "", ""};
}

class RegistryTest : public testing::Test {
protected:
    RegistryTest()
    {
        EXPECT_TRUE(registry.addTenant("acme").ok());
        EXPECT_TRUE(registry.addTenant("globex").ok());
        EXPECT_TRUE(registry.put({"acme", "sled07", keyNumber(7), "5B247A", "R750", "server"}).ok());
    }

    Registry registry;
};

TEST_F(RegistryTest, FindsAConnectorByNameKeyAndPrefixInAnyCase)
{
    const Connector* found = registry.find("acme", "sled07");
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->product, "R750");
    EXPECT_EQ(registry.findByKey(keyNumber(7)), found);
    EXPECT_EQ(registry.findByPrefix("5b247a"), found);
    EXPECT_EQ(registry.find("globex", "sled07"), nullptr);
    EXPECT_EQ(registry.find("acme", "Sled07"), nullptr);
    EXPECT_EQ(registry.findByPrefix(""), nullptr);
}

TEST_F(RegistryTest, FindsAPendingKeyTooAndTellsWhich)
{
    Connector rotating = *registry.find("acme", "sled07");
    rotating.pendingKey = keyNumber(70);
    EXPECT_TRUE(registry.put(rotating).ok());
    const Connector* found = registry.findByKey(keyNumber(70));
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(registry.findByKey(keyNumber(7)), found);
    EXPECT_TRUE(isPendingKey(*found, keyNumber(70)));
    EXPECT_FALSE(isPendingKey(*found, keyNumber(7)));
    EXPECT_FALSE(isPendingKey(*found, ""));
    EXPECT_EQ(registry.put(connector("other", 70)).error().code, Code::alreadyExists);
    const Registry copy = registry;
    EXPECT_EQ(copy.findByKey(keyNumber(70)), copy.find("acme", "sled07"));
    rotating.pendingKey.clear();
    EXPECT_TRUE(registry.put(rotating).ok());
    EXPECT_EQ(registry.findByKey(keyNumber(70)), nullptr);
    rotating.pendingKey = "short";
    EXPECT_EQ(registry.put(rotating).error().code, Code::invalidArgument);
}

TEST_F(RegistryTest, ARevokedKeyIsFoundByNobodyAndTakenAllTheSame)
{
    Connector revoked = *registry.find("acme", "sled07");
    revoked.revoked = true;
    EXPECT_TRUE(registry.put(revoked).ok());
    EXPECT_EQ(registry.findByKey(keyNumber(7)), nullptr);
    EXPECT_NE(registry.find("acme", "sled07"), nullptr);
    EXPECT_EQ(registry.put(connector("other", 7)).error().code, Code::alreadyExists);
}

TEST_F(RegistryTest, RefusesDuplicatesAndNamesTheirOwner)
{
    const auto sameKey = registry.put({"globex", "other", keyNumber(7), "", "", ""});
    EXPECT_EQ(sameKey.error().code, Code::alreadyExists);
    EXPECT_NE(sameKey.error().message.find("sled07 of tenant acme"), std::string::npos) << sameKey.error().message;
    const auto samePrefix = registry.put({"globex", "other", keyNumber(8), "5b247A", "", ""});
    EXPECT_EQ(samePrefix.error().code, Code::alreadyExists);
    EXPECT_NE(samePrefix.error().message.find("prefix 5b247A"), std::string::npos) << samePrefix.error().message;
    EXPECT_EQ(registry.put(connector("SLED07", 9)).error().code, Code::alreadyExists);
    EXPECT_EQ(registry.addTenant("ACME").error().code, Code::alreadyExists);
    EXPECT_TRUE(registry.put({"globex", "sled07", keyNumber(9), "", "", ""}).ok());
}

TEST_F(RegistryTest, RefusesMalformedValuesAndStaysAsItWas)
{
    EXPECT_EQ(registry.put(connector("", 1)).error().code, Code::invalidArgument);
    EXPECT_EQ(registry.put(connector("a b", 1)).error().code, Code::invalidArgument);
    EXPECT_EQ(registry.put(connector("ok", 1, "a-b")).error().code, Code::invalidArgument);
    EXPECT_EQ(registry.put({"acme", "ok", "short", "", "", ""}).error().code, Code::invalidArgument);
    EXPECT_EQ(registry.put({"nobody", "ok", keyNumber(1), "", "", ""}).error().code, Code::notFound);
    EXPECT_EQ(registry.put({"acme", "ok", keyNumber(1), "", "a\nb", ""}).error().code, Code::invalidArgument);
    EXPECT_EQ(registry.put({"acme", "ok", keyNumber(1), "", "", std::string(65, 'x')}).error().code,
              Code::invalidArgument);
    EXPECT_EQ(registry.addTenant("-x").error().code, Code::invalidArgument);
    EXPECT_EQ(registry.connectors().size(), 1U);
    EXPECT_EQ(registry.tenants().size(), 2U);
}

TEST_F(RegistryTest, AQuotaOfConnectorsHoldsForNewOnesOfItsTenantOnly)
{
    EXPECT_EQ(registry.setQuota("nobody", {1, 0, 0, 0}).error().code, Code::notFound);
    EXPECT_EQ(registry.setQuota("acme", {limits::maxQuotaMessagesPerSecond + 1, 0, 0, 0}).error().code, Code::invalidArgument);
    ASSERT_TRUE(registry.setQuota("acme", {0, 0, 0, 1}).ok());
    EXPECT_EQ(registry.connectorsOf("acme"), 1U);
    const auto refused = registry.put(connector("sled08", 8));
    EXPECT_EQ(refused.error().code, Code::full);
    EXPECT_NE(refused.error().message.find("it has 1, and 1 are allowed"), std::string::npos) << refused.error().message;
    EXPECT_TRUE(registry.put(connector("sled07", 70)).ok()) << "who is there may change";
    EXPECT_TRUE(registry.put({"globex", "a", keyNumber(9), "", "", ""}).ok());
    const Registry copy = registry;
    EXPECT_EQ(copy.quotaOf("acme"), (Quota{0, 0, 0, 1}));
    EXPECT_EQ(copy.connectorsOf("acme"), 1U);
    EXPECT_TRUE(registry.remove("acme", "sled07"));
    EXPECT_EQ(registry.connectorsOf("acme"), 0U);
    EXPECT_TRUE(registry.put(connector("sled08", 8)).ok());
    EXPECT_TRUE(registry.setQuota("acme", {}).ok());
    EXPECT_TRUE(registry.put(connector("sled09", 90)).ok());
}

TEST_F(RegistryTest, KeysAreZ85OfThirtyTwoBytes)
{
    EXPECT_TRUE(isValidKey("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"));
    EXPECT_FALSE(isValidKey("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf"));
    EXPECT_FALSE(isValidKey("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf\""));
    EXPECT_FALSE(isValidKey("#####00000000000000000000000000000000000"));  // a group above 2^32
}

TEST_F(RegistryTest, ReplacingAConnectorFreesItsOldKeyAndPrefix)
{
    ASSERT_TRUE(registry.put(connector("sled07", 8, "NEW")).ok());
    EXPECT_EQ(registry.findByKey(keyNumber(7)), nullptr);
    EXPECT_EQ(registry.findByPrefix("5B247A"), nullptr);
    EXPECT_EQ(registry.findByKey(keyNumber(8))->prefix, "NEW");
    EXPECT_TRUE(registry.put(connector("sled08", 7, "5B247A")).ok());
}

TEST_F(RegistryTest, SettingAPrefixIsCheckedLikePutting)
{
    ASSERT_TRUE(registry.put(connector("sled08", 8)).ok());
    EXPECT_EQ(registry.setPrefix("acme", "sled08", "5b247a").error().code, Code::alreadyExists);
    EXPECT_EQ(registry.setPrefix("acme", "sled99", "A").error().code, Code::notFound);
    ASSERT_TRUE(registry.setPrefix("acme", "sled08", "ABC").ok());
    EXPECT_EQ(registry.findByPrefix("abc")->name, "sled08");
}

TEST_F(RegistryTest, RemovingForgetsEveryLookUp)
{
    EXPECT_EQ(registry.removeTenant("acme").error().code, Code::preconditionFailed);
    EXPECT_TRUE(registry.remove("acme", "sled07"));
    EXPECT_FALSE(registry.remove("acme", "sled07"));
    EXPECT_EQ(registry.findByKey(keyNumber(7)), nullptr);
    EXPECT_EQ(registry.findByPrefix("5B247A"), nullptr);
    EXPECT_TRUE(registry.removeTenant("acme").ok());
    EXPECT_EQ(registry.removeTenant("acme").error().code, Code::notFound);
    EXPECT_TRUE(registry.addTenant("Acme").ok());
}

TEST_F(RegistryTest, ACopyHasLookUpsOfItsOwn)
{
    Registry copy = registry;
    ASSERT_TRUE(registry.remove("acme", "sled07"));
    ASSERT_NE(copy.findByKey(keyNumber(7)), nullptr);
    EXPECT_EQ(copy.findByKey(keyNumber(7)), copy.find("acme", "sled07"));
}

TEST_F(RegistryTest, HoldsAsManyConnectorsAsItsLimitAndNoMore)
{
    for (std::size_t i = registry.connectors().size(); i < limits::maxConnectors; ++i) {
        ASSERT_TRUE(registry.put(connector("c" + std::to_string(i), 1000 + i)).ok());
    }
    EXPECT_EQ(registry.put(connector("one-more", 99999)).error().code, Code::full);
    EXPECT_TRUE(registry.put(connector("sled07", 99999)).ok());
}

}  // namespace
}  // namespace mesh::tenants
