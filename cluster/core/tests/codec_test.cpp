#include "cluster/core/archive.hpp"
#include "cluster/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

// One of each kind, every field set.
std::vector<Operation> everyOperation()
{
    UpdateAccount update{"7", 3, "bob", someHash, "Operator", true, false, true, "s1"};
    return {account("alice", "Operator", "acme"),
            update,
            DeleteAccount{"7", 9},
            PutRole{"Role", 1, {tenants::Privilege::login}},
            DeleteRole{"Role", 2},
            CreateSession{"s1", hashToken("t"), "7", "192.0.2.1", 1800},
            EndSession{"s1"},
            TouchSessions{{"s1", "s2"}},
            ExpireSessions{},
            PutTenant{"acme"},
            RemoveTenant{"acme"},
            PutConnector{{"acme", "sled07", keyNumber(7), "5B247A", "R750", "server"}},
            RemoveConnector{"acme", "sled07"},
            AssignPrefix{"acme", "sled07", "5B247A", "4c4c4544-0043", keyNumber(7)},
            SetServiceUuid{"4c4c4544-0043"},
            RaiseGeneration{},
            PutProperty{"/redfish/v1/Chassis/rack", 4, "{}"},
            RemoveProperty{"/redfish/v1/Chassis/rack", 5},
            RaiseFeatureLevel{2},
            PutNode{node("a", 1, 7), 3},
            RemoveNode{7, 4},
            RestoreAccount{{"9", "bob", someHash, "Operator", "acme", false, true, true, at(3), 12}},
            AddEnrolment{"e1", hashToken("s"), EnrolmentRole::node, "acme", "sled07", "5B247A", "R750", "server", at(9)},
            CancelEnrolment{"e1"},
            ConsumeEnrolment{hashToken("s"), keyNumber(7)},
            RevokeConnector{"acme", "sled07"},
            BeginRotation{"acme", "sled07"},
            CancelRotation{"acme", "sled07"},
            OfferKey{"acme", "sled07", keyNumber(8)},
            CompleteRotation{"acme", "sled07", keyNumber(8)},
            PutTask{{"t1", "7", "acme", TaskState::running, 40, {"a", "b"}, at(1), at(2), "/x", "/m", 3, 12}},
            UpdateTask{"t1", TaskState::completed, 100, "done"},
            RemoveTask{"t1"},
            FailRunningTasks{3, "lost"},
            AssignHost{"acme", "sled07", 3, 1, 4},
            PutSource{{"s1", "https://10.0.0.5", "acme", "sled07", "root", "ab:cd", true, {{3, "box"}, {4, "xob"}}, 1, 4, 9}, 3},
            RemoveSource{"s1", 3},
            PutDocument{{DocumentKind::secret, "acme", "d"}, 3, "{}"},
            RemoveDocument{{DocumentKind::policy, "acme", "d"}, 3},
            SetCursor{"acme", "sub1", "a:7"},
            RegisterHostKey{"acme", "sled07", 3, 12, keyNumber(9)},
            SetTenantQuota{"acme", true, 5, 6000, std::nullopt, 7},
            DropTenant{"acme"},
            PutVersion{{DocumentKind::component, "acme", "sled07"}, 3, "{}", "acme/boss"},
            PutConfiguration{{{DocumentKind::component, "acme", "sled07"}, 3, "{}", "acme/boss"}, {4, 300}, "server"},
            RemoveConfiguration{{DocumentKind::pivot, "acme", "1.server"}, 3, {4, 300}}};
}

using Codec = Machine;

TEST_F(Codec, EveryOperationComesBackAsItWas)
{
    const auto operations = everyOperation();
    ASSERT_EQ(operations.size(), std::variant_size_v<Operations>);
    for (std::size_t i = 0; i < operations.size(); ++i) {
        ASSERT_EQ(operations[i].index(), i);
        const Command sent = command(operations[i], 5);
        const std::string entry = *encodeCommand(sent);
        const auto received = decodeCommand(entry);
        ASSERT_TRUE(received.ok()) << i << ": " << received.error().message;
        EXPECT_EQ(received->requestId, sent.requestId);
        EXPECT_EQ(received->stamp, sent.stamp);
        EXPECT_EQ(received->operation.index(), i);
        EXPECT_EQ(*encodeCommand(*received), entry);
    }
}

TEST_F(Codec, TheBytesOfAnEntryStayWhatTheyAre)
{
    Command fixed{*MessageId::fromHex("000102030405060708090a0b0c0d0e0f"), WallTime(std::chrono::milliseconds(300)),
                  UpdateAccount{"7", 3, "bob", std::nullopt, std::nullopt, true, false, std::nullopt, ""}};
    EXPECT_EQ(toHex(*encodeCommand(fixed)), "01000102030405060708090a0b0c0d0e0fac0201013703"
                                            "0103626f62000001010100"
                                            "0000");
    EXPECT_EQ(everyOperation()[17].index(), 17U);
}

TEST_F(Codec, EveryTruncationIsRefused)
{
    for (const Operation& operation : everyOperation()) {
        const std::string entry = *encodeCommand(command(operation));
        for (std::size_t length = 0; length < entry.size(); ++length) {
            EXPECT_EQ(decodeCommand(entry.substr(0, length)).error().code, Code::corrupt) << operation.index();
        }
        EXPECT_EQ(decodeCommand(entry + '\0').error().code, Code::corrupt);
    }
}

TEST_F(Codec, RandomBytesAreNeverMoreThanAnError)
{
    const auto operations = everyOperation();
    for (int round = 0; round < 20000; ++round) {
        std::string entry = *encodeCommand(command(operations[rng.below(operations.size())]));
        for (std::uint64_t flips = 1 + rng.below(3); flips > 0; --flips) {
            entry[rng.below(entry.size())] = static_cast<char>(rng.next());
        }
        const auto decoded = decodeCommand(entry);
        if (decoded.ok()) {
            EXPECT_EQ(*encodeCommand(*decoded), entry);  // one spelling only
        }
        (void)machine.apply(entry, changes);
    }
}

TEST_F(Codec, WhatIsTooLongIsRefusedBeforeItIsProposed)
{
    EXPECT_EQ(encodeCommand(command(account(std::string(65, 'x')))).error().code, Code::tooLarge);
    EXPECT_EQ(
        encodeCommand(command(TouchSessions{std::vector<std::string>(limits::maxSessions + 1, "s")})).error().code,
        Code::tooLarge);
    EXPECT_TRUE(
        encodeCommand(command(TouchSessions{std::vector<std::string>(limits::maxSessions, std::string(64, 's'))}))
            .ok());
}

TEST(Archive, NumbersHaveOneSpelling)
{
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, UINT64_MAX}) {
        Encoder encoder;
        encoder.number(value);
        Decoder decoder(encoder.out);
        std::uint64_t read = 1;
        decoder.number(read);
        EXPECT_TRUE(decoder.good && decoder.rest.empty());
        EXPECT_EQ(read, value);
    }
    for (const std::string& bad :
         {std::string("\x80\x00", 2), std::string(10, '\xff'), std::string("\x80"), std::string(9, '\xff') + "\x02"}) {
        Decoder decoder(bad);
        std::uint64_t read = 1;
        decoder.number(read);
        EXPECT_FALSE(decoder.good);
        EXPECT_EQ(read, 0U);
    }
}

}  // namespace
}  // namespace mesh::cluster
