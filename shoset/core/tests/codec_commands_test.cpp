#include "shoset/base/limits.hpp"
#include "shoset/core/message.hpp"

#include <gtest/gtest.h>

namespace mesh::shoset {
namespace {

Result<Message> sentAndRead(Content content)
{
    const Message message{{}, "agg-a", "acme/sled07", std::move(content)};
    return decodeHeader(kindOf(message.content), encodeHeader(message));
}

template <class T>
T comesBack(const T& content)
{
    const Result<Message> decoded = sentAndRead(content);
    EXPECT_TRUE(decoded.ok()) << (decoded.ok() ? "" : decoded.error().message);
    return decoded.ok() && std::holds_alternative<T>(decoded->content) ? std::get<T>(decoded->content) : T{};
}

TEST(Codec, CommandsToWorkersAndTheirRepliesKeepEveryField)
{
    Command command;
    command.name = "power.cycle";
    command.type = "power-controller";
    command.major = 2;
    command.minor = UINT32_MAX;
    command.to = {"sled07", "power-controller", true};
    command.incarnation = UINT64_MAX;
    const Command decoded = comesBack(command);
    EXPECT_EQ(decoded.incarnation, UINT64_MAX);
    EXPECT_EQ(std::tie(decoded.name, decoded.type, decoded.major, decoded.minor), std::tie(command.name, command.type, command.major, command.minor));
    EXPECT_EQ(decoded.to, command.to);
    EXPECT_EQ(comesBack(Command{}).to, Target{});
    Reply reply{ReplyState::onGoing, Code::ok, "slot 3 of 4", {}};
    reply.progress = 100;
    reply.failure = std::string(limits::maxFailureCodeBytes, '\xff');
    const Reply told = comesBack(reply);
    EXPECT_EQ(std::tie(told.progress, told.failure), std::tie(reply.progress, reply.failure));
    reply.progress = 101;
    EXPECT_FALSE(sentAndRead(reply).ok());
    reply.progress = 0;
    reply.failure += "x";
    EXPECT_FALSE(sentAndRead(reply).ok());
}

TEST(Codec, OffersKeepEveryFieldAndWhatMayNotBeOfferedIsRefused)
{
    const Offers offers{8, UINT64_MAX, {{"power-controller", 1, 2, {{"power.cycle", std::string(32, '\x80')}, {"power.state", ""}}},
                                        {"power-controller", 2, 0, {{"power.cycle", ""}}}}};
    EXPECT_EQ(comesBack(offers), offers);
    const Offer good{"power-controller", 1, 0, {{"power.cycle", ""}}};
    const std::vector<std::vector<Offer>> malformed{
        {{"", 1, 0, {}}},
        {{"a/b", 1, 0, {}}},
        {{"power-controller", 0, 1, {}}},
        {good, good},
        {{"power-controller", 1, 0, {{"power cycle", ""}}}},
        {{"power-controller", 1, 0, {{"power.cycle", "short"}}}},
        {{"power-controller", 1, 0, {{"power.cycle", ""}, {"power.cycle", ""}}}},
    };
    for (const std::vector<Offer>& list : malformed) {
        EXPECT_FALSE(checkOffers(list).ok());
        EXPECT_FALSE(sentAndRead(Offers{1, 1, list}).ok());
    }
    EXPECT_TRUE(checkOffers({good, {"power-controller", 1, 1, good.commands}, {"other", 1, 0, good.commands}}).ok());
}

TEST(Codec, TheMostThatAConnectorMayOfferFitsOneRecord)
{
    Offers most{UINT64_MAX, UINT64_MAX, std::vector<Offer>(limits::maxOffers, {std::string(63, 't'), UINT32_MAX, 0, {}})};
    for (std::size_t i = 0; i < limits::maxOffers; ++i) {
        most.offers[i].minor = UINT32_MAX - static_cast<std::uint32_t>(i);
    }
    for (std::size_t i = 0; i < limits::maxOfferedCommands; ++i) {
        const std::string number = std::to_string(i);
        most.offers[i % limits::maxOffers].commands.push_back({std::string(63 - number.size(), 'c') + number, std::string(32, '\xff')});
    }
    EXPECT_LE(encodeHeader({{}, "acme/sled07", "agg-a", most}).size(), limits::maxHeaderBytes);
    EXPECT_TRUE(sentAndRead(most).ok());
    most.offers[0].commands.push_back({"one.more", ""});
    EXPECT_FALSE(sentAndRead(most).ok());
    most = {1, 1, std::vector<Offer>(limits::maxOffers + 1, {"t", 1, 0, {}})};
    for (std::size_t i = 0; i < most.offers.size(); ++i) {
        most.offers[i].minor = static_cast<std::uint32_t>(i);
    }
    EXPECT_FALSE(sentAndRead(most).ok());
}

}  // namespace
}  // namespace mesh::shoset
