#include "aggregator/core/page_places.hpp"
#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mesh::aggregator {

class PagePlacesTest : public ::testing::Test {
protected:
    SeededRng rng{11};
    const sealing::Seed seed = sealing::Seed::make(rng);
    const PagePlaces places{seed};
};

TEST_F(PagePlacesTest, WhoBelongsToNoTenantSeesIds)
{
    EXPECT_EQ(places.text(Paged::events, "", 12, rng), "12");
    EXPECT_EQ(places.read(Paged::events, "", "12"), 12U);
    for (const std::string wrong : {"", "x", "-1", "12 ", "9223372036854775808", "18446744073709551616"}) {
        EXPECT_FALSE(places.read(Paged::audit, "", wrong)) << wrong;
    }
}

TEST_F(PagePlacesTest, ATenantsReaderGetsThemSealedAndEachTimeAnother)
{
    std::set<std::string> seen;
    for (const std::uint64_t id : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{7}, limits::maxEventNumber}) {
        const std::string text = places.text(Paged::events, "acme", id, rng);
        EXPECT_EQ(PagePlaces(seed).read(Paged::events, "acme", text), id) << "also after a restart";
        EXPECT_EQ(text.size(), 80U);
        EXPECT_TRUE(seen.insert(text).second);
    }
}

TEST_F(PagePlacesTest, NobodyElseCanUseThemNorElsewhere)
{
    const std::string text = places.text(Paged::events, "acme", 7, rng);
    EXPECT_FALSE(places.read(Paged::events, "beta", text));
    EXPECT_FALSE(places.read(Paged::events, "", text));
    EXPECT_FALSE(places.read(Paged::audit, "acme", text));
    EXPECT_FALSE(PagePlaces(sealing::Seed::make(rng)).read(Paged::events, "acme", text));
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string changed = text;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(places.read(Paged::events, "acme", changed)) << i;
    }
    for (const std::string& wrong : {std::string(), std::string("7"), text.substr(1), text + "A", std::string(80, '!')}) {
        EXPECT_FALSE(places.read(Paged::events, "acme", wrong)) << wrong;
    }
}

}  // namespace mesh::aggregator
