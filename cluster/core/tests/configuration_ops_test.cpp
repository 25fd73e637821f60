#include "cluster/core/tests/fixture.hpp"

#include "cluster/core/feature_level.hpp"

namespace mesh::cluster {
namespace {

class ConfigurationOps : public Machine {
protected:
    ConfigurationOps()
    {
        raise();
        apply(PutTenant{"acme"});
        apply(PutTenant{"beta"});
        apply(PutConnector{{"acme", "sled07", keyNumber(1), "", "", "chassis"}});
    }
    ConfigurationView view(const std::string& tenant = "acme") const { return configurationView(state(), tenant); }
    Applied put(const DocumentName& name, const ConfigurationView& seen, const std::string& content = "{}", std::uint64_t follows = 0)
    {
        return apply(PutConfiguration{{name, follows, content, "boss"}, seen, "chassis"});
    }
    const DocumentName pivot{DocumentKind::pivot, "acme", "1.chassis"};
    const DocumentName component{DocumentKind::component, "acme", "sled07"};
};

TEST_F(ConfigurationOps, WhatWasCheckedAgainstAnOlderViewIsRefused)
{
    ASSERT_TRUE(put(pivot, view()).ok());
    const ConfigurationView seen = view();
    EXPECT_EQ(put(pivot, seen, "{stricter}", 1).value, "2");
    const Applied late = put(component, seen);
    EXPECT_EQ(late.error.code, Code::preconditionFailed);
    EXPECT_EQ(findDocument(state(), component), nullptr);
    EXPECT_EQ(put(component, view()).value, "1");
}

TEST_F(ConfigurationOps, WhatWasRemovedMeanwhileIsMissed)
{
    put(pivot, view());
    const ConfigurationView seen = view();
    EXPECT_TRUE(apply(RemoveConfiguration{pivot, anyRevision, seen}).ok());
    EXPECT_EQ(put(component, seen).error.code, Code::preconditionFailed);
    put(pivot, view());
    EXPECT_EQ(put(component, seen).error.code, Code::preconditionFailed) << "there is another one of that name";
}

TEST_F(ConfigurationOps, WhatIsNeededMeanwhileIsNotRemoved)
{
    put(pivot, view());
    const ConfigurationView seen = view();
    put(component, seen);
    EXPECT_EQ(apply(RemoveConfiguration{pivot, anyRevision, seen}).error.code, Code::preconditionFailed);
    EXPECT_NE(findDocument(state(), pivot), nullptr);
}

TEST_F(ConfigurationOps, OtherTenantsAndOtherDocumentsDoNotDisturb)
{
    put(pivot, view());
    const ConfigurationView seen = view();
    ASSERT_TRUE(put({DocumentKind::pivot, "beta", "1.chassis"}, view("beta")).ok());
    ASSERT_TRUE(apply(PutDocument{{DocumentKind::secret, "acme", "s"}, anyRevision, "sealed"}).ok());
    EXPECT_TRUE(put(component, seen).ok());
}

TEST_F(ConfigurationOps, AConnectorOfAnotherTypeOrNoneTakesNoComponent)
{
    ASSERT_TRUE(apply(PutConnector{{"acme", "sled07", keyNumber(1), "", "", "fan"}}).ok());
    EXPECT_EQ(put(component, view()).error.code, Code::preconditionFailed) << "it was checked as one of type chassis";
    EXPECT_EQ(put({DocumentKind::component, "acme", "gone"}, view()).error.code, Code::notFound);
    EXPECT_EQ(put({DocumentKind::secret, "acme", "s"}, view()).error.code, Code::invalidArgument);
}

TEST(ConfigurationOpsLevel, IsTheEighth)
{
    const PutConfiguration op{{{DocumentKind::pivot, "acme", "p"}, 0, "x", "boss"}, {}, ""};
    EXPECT_EQ(featureLevelOf(op), documentShareFeatureLevel);
    EXPECT_EQ(featureLevelOf(RemoveConfiguration{}), documentShareFeatureLevel);
    EXPECT_EQ(featureLevelOf(PutVersion{}), configurationFeatureLevel);
}

}  // namespace
}  // namespace mesh::cluster
