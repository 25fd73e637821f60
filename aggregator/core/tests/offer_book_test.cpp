#include "aggregator/core/offer_book.hpp"

#include <gtest/gtest.h>

namespace mesh::aggregator {
namespace {

shoset::Offer power(std::uint32_t major, std::uint32_t minor = 0, const std::string& type = "power-controller")
{
    return {type, major, minor, {{"power.cycle", ""}}};
}

shoset::Offers told(std::uint64_t incarnation, std::uint64_t sequence, std::vector<shoset::Offer> offers)
{
    return {incarnation, sequence, std::move(offers)};
}

TEST(OfferBook, TheHighestVersionThatFitsIsChosen)
{
    const std::vector<shoset::Offer> offers{power(1, 2), power(2, 1), power(2, 0), power(3, 0, "other")};
    const auto versionOf = [&offers](const Wanted& wanted) {
        const auto chosen = chooseOffer(offers, wanted);
        return chosen ? std::to_string((*chosen)->major) + "." + std::to_string((*chosen)->minor) : std::string(codeName(chosen.error().code));
    };
    EXPECT_EQ(versionOf({"power.cycle"}), "3.0");
    EXPECT_EQ(versionOf({"power.cycle", "power-controller"}), "2.1");
    EXPECT_EQ(versionOf({"power.cycle", "power-controller", 1}), "1.2");
    EXPECT_EQ(versionOf({"power.cycle", "", 1, 2}), "1.2");
    EXPECT_EQ(versionOf({"power.cycle", "", 1, 3}), codeName(Code::unsupported));
    EXPECT_EQ(versionOf({"power.cycle", "nobody"}), codeName(Code::notFound));
    EXPECT_EQ(versionOf({"power.burn"}), codeName(Code::notFound));
}

TEST(OfferBook, WhatWasOvertakenOnAnotherWayIsNotTaken)
{
    OfferBook book;
    EXPECT_TRUE(book.of("acme/s1").empty()) << "an older program never tells";
    book.onOffers("acme/s1", told(7, 2, {power(2)}));
    book.onOffers("acme/s1", told(7, 1, {power(1)}));
    ASSERT_EQ(book.of("acme/s1").size(), 1U);
    EXPECT_EQ(book.of("acme/s1")[0].major, 2U);
    EXPECT_EQ(book.overtaken(), 1U);
    book.onOffers("acme/s1", told(7, 3, {}));
    EXPECT_TRUE(book.of("acme/s1").empty());
}

TEST(OfferBook, WhatAProcessOfferedIsVoidWithTheNextOne)
{
    OfferBook book;
    book.onOffers("acme/s1", told(7, 9, {power(1)}));
    book.onIncarnation("acme/s1", 7);
    EXPECT_FALSE(book.of("acme/s1").empty());
    book.onIncarnation("acme/s1", 8);
    EXPECT_TRUE(book.of("acme/s1").empty());
    book.onOffers("acme/s1", told(7, 10, {power(1)}));
    EXPECT_TRUE(book.of("acme/s1").empty()) << "it came late, by another way";
    book.onOffers("acme/s1", told(8, 1, {power(2)}));
    EXPECT_EQ(book.of("acme/s1").size(), 1U);
    book.onIncarnation("acme/s1", 7);
    EXPECT_EQ(book.of("acme/s1").size(), 1U);
}

TEST(OfferBook, WhoOffersIsFoundWithinTheTenantOnly)
{
    OfferBook book;
    for (const char* address : {"acme/s2", "acme/s1", "acme2/s1", "acm/s1"}) {
        book.onOffers(address, told(1, 1, {power(1)}));
    }
    EXPECT_EQ(book.offering("acme", {"power.cycle"}).connectors, (std::vector<shoset::Address>{"acme/s1", "acme/s2"}));
    EXPECT_TRUE(book.offering("zeta", {"power.cycle"}).connectors.empty());
    EXPECT_TRUE(book.offering("acme", {"power.cycle", "", 2}).inAnotherVersion);
    EXPECT_FALSE(book.offering("zeta", {"power.cycle", "", 2}).inAnotherVersion);
    book.keep([](const shoset::Address& address) { return address != "acme/s1"; });
    EXPECT_EQ(book.offering("acme", {"power.cycle"}).connectors, std::vector<shoset::Address>{"acme/s2"});
}

}  // namespace
}  // namespace mesh::aggregator
