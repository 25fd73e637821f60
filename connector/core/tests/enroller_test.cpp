#include "connector/core/enroller.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/core/frame.hpp"

#include <gtest/gtest.h>

namespace mesh::connector {
namespace {

using shoset::AggregatorAddress;

struct Asked final : EnrolPort {
    void dial(const AggregatorAddress& address) override { dialled.push_back(address.name); }
    void send(std::string frame) override { frames.push_back(std::move(frame)); }
    std::vector<std::string> dialled;
    std::vector<std::string> frames;
};

struct EnrollerTest : testing::Test {
    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    Asked asked;
    const AggregatorAddress a{"agg-a", "tcp://10.0.0.1:5672", std::string(40, '0')};
    const AggregatorAddress b{"agg-b", "tcp://10.0.0.2:5672", std::string(40, '1')};
    Enroller enroller{{a, b}, "the secret", asked};
    const shoset::Enrolled accepted{Code::ok, "", "acme", "sled07", {1, 5, {a, b}}};

    void SetUp() override { enroller.start(now); }
    void answers(const shoset::Content& content)
    {
        std::string frame;
        shoset::appendRecord(frame, {shoset::kindOf(content), shoset::flagLast, 0, shoset::noDeadline, 0},
                             shoset::encodeHeader({{}, {}, {}, content}), {});
        enroller.onFrame(frame, now);
    }
    Error error() const
    {
        EXPECT_TRUE(enroller.outcome() && !enroller.outcome()->ok());
        return enroller.outcome() && !enroller.outcome()->ok() ? enroller.outcome()->error() : Error{};
    }
};

TEST_F(EnrollerTest, TheFirstThatAcceptsEndsIt)
{
    EXPECT_EQ(asked.dialled, std::vector<std::string>{"agg-a"});
    EXPECT_TRUE(asked.frames.empty()) << "not before the connection is there";
    enroller.onConnected(now);
    ASSERT_EQ(asked.frames.size(), 1U);
    shoset::FrameReader reader(asked.frames[0]);
    const auto record = reader.next();
    ASSERT_TRUE(record && record->has_value());
    const auto message = shoset::decodeHeader(shoset::Kind::enrol, (*record)->header);
    ASSERT_TRUE(message.ok());
    EXPECT_EQ(std::get<shoset::Enrol>(message->content).secret, "the secret");

    answers(accepted);
    ASSERT_TRUE(enroller.outcome() && enroller.outcome()->ok());
    EXPECT_EQ((*enroller.outcome())->name, "sled07");
    EXPECT_EQ((*enroller.outcome())->aggregators, accepted.aggregators);
    EXPECT_EQ(enroller.nextDeadline(), never);
    enroller.onConnected(now);
    EXPECT_EQ(asked.frames.size(), 1U);
}

TEST_F(EnrollerTest, AConnectionThatEndedIsAskedAgain)
{
    enroller.onConnected(now);
    enroller.onConnected(now);
    EXPECT_EQ(asked.frames.size(), 2U);
}

TEST_F(EnrollerTest, WhoDoesNotAnswerIsPassedOver)
{
    EXPECT_EQ(enroller.nextDeadline(), now.mono + limits::enrolPatience);
    now.mono += limits::enrolPatience - 1ms;
    enroller.onTimer(now);
    EXPECT_EQ(asked.dialled.size(), 1U);
    now.mono += 1ms;
    enroller.onTimer(now);
    EXPECT_EQ(asked.dialled, (std::vector<std::string>{"agg-a", "agg-b"}));
    enroller.onConnected(now);
    answers(accepted);
    EXPECT_TRUE(enroller.outcome() && enroller.outcome()->ok());
}

TEST_F(EnrollerTest, WhenNobodyAcceptsEveryReasonIsNamedAndARefusalCounts)
{
    enroller.onTrouble("the listener refused our key");
    now.mono += limits::enrolPatience;
    enroller.onTimer(now);
    enroller.onConnected(now);
    answers(shoset::Enrolled{Code::refused, "the secret was used already", "", "", {}});
    EXPECT_EQ(error().code, Code::refused);
    EXPECT_EQ(error().message, "agg-a: the listener refused our key; agg-b: refused: the secret was used already");
    EXPECT_EQ(enroller.nextDeadline(), never);
}

TEST_F(EnrollerTest, WithoutAnAnswerItIsUnavailable)
{
    now.mono += limits::enrolPatience;
    enroller.onTimer(now);
    enroller.onConnected(now);
    now.mono += limits::enrolPatience;
    enroller.onTimer(now);
    EXPECT_EQ(error().code, Code::unavailable);
    EXPECT_EQ(error().message, "agg-a: no answer; agg-b: connected, but no answer");
}

TEST_F(EnrollerTest, AnAnswerThatIsNoneIsNotTaken)
{
    shoset::Enrolled nameless = accepted;
    nameless.name = "../etc";
    shoset::Enrolled alone = accepted;
    alone.aggregators.list.clear();
    const std::vector<shoset::Content> wrong{nameless, alone, shoset::Bye{"x"}};
    for (const shoset::Content& content : wrong) {
        Enroller one({a}, "s", asked);
        one.start(now);
        std::string frame;
        shoset::appendRecord(frame, {shoset::kindOf(content), shoset::flagLast, 0, shoset::noDeadline, 0},
                             shoset::encodeHeader({{}, {}, {}, content}), {});
        one.onFrame(frame, now);
        ASSERT_TRUE(one.outcome() && !one.outcome()->ok());
        EXPECT_EQ(one.outcome()->error().code, Code::corrupt);
    }
    enroller.onFrame("noise", now);
    enroller.onFrame("", now);
    EXPECT_EQ(error().code, Code::corrupt);
}

TEST(Enroller, WithNobodyToAskItFails)
{
    Asked asked;
    Enroller enroller({}, "s", asked);
    enroller.start({});
    ASSERT_TRUE(enroller.outcome() && !enroller.outcome()->ok());
    EXPECT_EQ(enroller.outcome()->error().code, Code::unavailable);
}

}  // namespace
}  // namespace mesh::connector
