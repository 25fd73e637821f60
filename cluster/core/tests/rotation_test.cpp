#include "cluster/core/tests/fixture.hpp"

#include "cluster/core/enrolments.hpp"

namespace mesh::cluster {
namespace {

class Rotation : public Machine {
protected:
    Rotation()
    {
        raise();
        apply(PutTenant{"acme"});
        apply(PutConnector{{"acme", "sled07", keyNumber(1), "Rack1", "", ""}});
    }
    const tenants::Connector& connector() const { return *state().registry.find("acme", "sled07"); }
    const tenants::Connector* byKey(std::size_t key) const { return state().registry.findByKey(keyNumber(key)); }
    Applied offer(std::size_t key) { return apply(OfferKey{"acme", "sled07", keyNumber(key)}); }
    Applied complete(std::size_t key) { return apply(CompleteRotation{"acme", "sled07", keyNumber(key)}); }
    Applied begin() { return apply(BeginRotation{"acme", "sled07"}); }
};

TEST_F(Rotation, TheOldKeyDiesAtTheFirstHelloOfTheNewOne)
{
    EXPECT_EQ(offer(2).error.code, Code::preconditionFailed);
    EXPECT_TRUE(begin().ok());
    EXPECT_EQ(changes, (std::vector<Change>{{5, ChangeKind::connector, "acme/sled07"}}));
    EXPECT_TRUE(offer(2).ok());
    EXPECT_EQ(byKey(1), &connector());
    EXPECT_EQ(byKey(2), &connector());
    EXPECT_FALSE(tenants::isPendingKey(connector(), keyNumber(1)));
    EXPECT_TRUE(tenants::isPendingKey(connector(), keyNumber(2)));
    EXPECT_EQ(complete(3).error.code, Code::preconditionFailed);
    EXPECT_TRUE(complete(2).ok());
    EXPECT_EQ(byKey(1), nullptr);
    EXPECT_EQ(byKey(2)->pendingKey, "");
    EXPECT_FALSE(connector().rotating);
    EXPECT_TRUE(complete(2).ok());
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(findPrefix(state(), "acme", "sled07")->prefix, "Rack1");
}

TEST_F(Rotation, OneKeyIsPendingAndAnotherOfferReplacesIt)
{
    begin();
    offer(2);
    EXPECT_TRUE(offer(2).ok());
    EXPECT_TRUE(changes.empty());
    EXPECT_TRUE(offer(3).ok());
    EXPECT_EQ(byKey(2), nullptr);
    EXPECT_TRUE(begin().ok());
    EXPECT_EQ(byKey(3), nullptr);
    offer(4);
    EXPECT_TRUE(apply(CancelRotation{"acme", "sled07"}).ok());
    EXPECT_EQ(byKey(4), nullptr);
    EXPECT_EQ(byKey(1), &connector());
    EXPECT_EQ(offer(5).error.code, Code::preconditionFailed);
}

TEST_F(Rotation, AnOfferedKeyIsNewAndNobodyElses)
{
    apply(PutConnector{{"acme", "sled08", keyNumber(8), "", "", ""}});
    apply(PutNode{node("a", 9), anyRevision});
    begin();
    EXPECT_EQ(offer(1).error.code, Code::invalidArgument);
    EXPECT_EQ(offer(8).error.code, Code::alreadyExists);
    EXPECT_EQ(offer(9).error.code, Code::alreadyExists);
    EXPECT_EQ(apply(OfferKey{"acme", "sled07", "short"}).error.code, Code::invalidArgument);
    offer(2);
    EXPECT_EQ(apply(PutConnector{{"acme", "sled09", keyNumber(2), "", "", ""}}).error.code, Code::alreadyExists);
    EXPECT_EQ(apply(PutNode{node("b", 2), anyRevision}).error.code, Code::alreadyExists);
    EXPECT_EQ(apply(BeginRotation{"acme", "none"}).error.code, Code::notFound);
}

TEST_F(Rotation, ARevokedKeyIsDeadAndItsRecordListed)
{
    begin();
    offer(2);
    apply(AddEnrolment{"e1", hashSecret("s"), EnrolmentRole::connector, "acme", "sled07", "", "", "", at(100)});
    EXPECT_TRUE(apply(RevokeConnector{"acme", "sled07"}).ok());
    EXPECT_EQ(byKey(1), nullptr);
    EXPECT_EQ(byKey(2), nullptr);
    EXPECT_TRUE(connector().revoked);
    EXPECT_TRUE(state().enrolments.empty());
    EXPECT_EQ(begin().error.code, Code::refused);
    EXPECT_TRUE(apply(RevokeConnector{"acme", "sled07"}).ok());
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(apply(PutConnector{{"acme", "sled08", keyNumber(1), "", "", ""}}).error.code, Code::alreadyExists);
    EXPECT_EQ(apply(RevokeConnector{"acme", "none"}).error.code, Code::notFound);
}

TEST_F(Rotation, ARevokedConnectorComesBackWithAnotherKeyOnly)
{
    apply(RevokeConnector{"acme", "sled07"});
    EXPECT_EQ(apply(PutConnector{{"acme", "sled07", keyNumber(1), "", "", ""}}).error.code, Code::refused);
    apply(AddEnrolment{"e1", hashSecret("s"), EnrolmentRole::connector, "acme", "sled07", "", "", "", at(100)});
    EXPECT_EQ(apply(ConsumeEnrolment{hashSecret("s"), keyNumber(1)}).error.code, Code::refused);
    EXPECT_TRUE(apply(ConsumeEnrolment{hashSecret("s"), keyNumber(2)}).ok());
    EXPECT_FALSE(byKey(2)->revoked);
    EXPECT_EQ(byKey(2)->prefix, "Rack1");
}

TEST_F(Rotation, AnotherKeyByTheOperatorEndsARotation)
{
    begin();
    offer(2);
    EXPECT_TRUE(apply(PutConnector{{"acme", "sled07", keyNumber(1), "Rack1", "R750", ""}}).ok());
    EXPECT_EQ(byKey(2), &connector());
    EXPECT_TRUE(apply(PutConnector{{"acme", "sled07", keyNumber(3), "Rack1", "R750", ""}}).ok());
    EXPECT_EQ(byKey(2), nullptr);
    EXPECT_FALSE(connector().rotating);
}

TEST_F(Rotation, IsThereAfterASnapshot)
{
    begin();
    offer(2);
    apply(PutConnector{{"acme", "sled08", keyNumber(8), "", "", ""}});
    apply(RevokeConnector{"acme", "sled08"});
    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    EXPECT_EQ(copy.hash(), machine.hash());
    EXPECT_TRUE(tenants::isPendingKey(*copy.state().registry.findByKey(keyNumber(2)), keyNumber(2)));
    EXPECT_EQ(copy.state().registry.findByKey(keyNumber(8)), nullptr);
    EXPECT_TRUE(copy.state().registry.find("acme", "sled08")->revoked);
}

}  // namespace
}  // namespace mesh::cluster
