#include "tenants/prefix.hpp"

#include "shoset/base/http.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mesh::tenants {
namespace {

const std::string uuid = "4c4c4544-0043-4a10-8039-b7c04f4e3533";
const std::string key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
// printf %s "$uuid" | sha256sum, and of the key.
const std::string uuidHash = "034B039BCA099BA4BD7EB470BAAF63132D1F57B6A2456F054078721FB04CA40C";
const std::string keyHash = "84112785D1092A7EFFC25904531ADA7645A94A66E2492E45BF9CE7597B2C0323";

class Prefix : public testing::Test {
protected:
    Result<std::string> choose(const PrefixSeed& seed) const
    {
        return choosePrefix(
            seed, [this](std::string_view prefix) { return taken.contains(toLower(prefix)); },
            [this](std::string_view other) { return uuids.contains(toLower(other)); });
    }

    std::set<std::string> taken;  // lower case
    std::set<std::string> uuids;
};

TEST_F(Prefix, IsTheConfiguredOneAsItIsSpelled)
{
    EXPECT_EQ(*choose({"Rack1", uuid, key}), "Rack1");
}

TEST_F(Prefix, IsSixDigitsOfTheUuidsHash)
{
    EXPECT_EQ(*choose({"", uuid, key}), uuidHash.substr(0, 6));
}

TEST_F(Prefix, IsOfTheKeyWhereTheUuidIsMissingNilOrAnothers)
{
    EXPECT_EQ(*choose({"", "", key}), keyHash.substr(0, 6));
    EXPECT_EQ(*choose({"", "00000000-0000-0000-0000-000000000000", key}), keyHash.substr(0, 6));
    uuids.insert(uuid);
    EXPECT_EQ(*choose({"", uuid, key}), keyHash.substr(0, 6));
}

TEST_F(Prefix, GrowsByTwoDigitsWhileItIsTaken)
{
    for (std::size_t length = 6; length <= 16; length += 2) {
        EXPECT_EQ(*choose({"", uuid, key}), uuidHash.substr(0, length));
        taken.insert(toLower(uuidHash.substr(0, length)));
    }
    EXPECT_EQ(choose({"", uuid, key}).error().code, Code::full);
}

TEST_F(Prefix, ThatIsConfiguredIsRefusedWhenTakenOrMalformed)
{
    taken.insert("rack1");
    EXPECT_EQ(choose({"RACK1", uuid, key}).error().code, Code::alreadyExists);
    EXPECT_EQ(choose({"rack_1", uuid, key}).error().code, Code::invalidArgument);
    EXPECT_EQ(choose({"ABCDEFGHIJKLMNOPQ", uuid, key}).error().code, Code::invalidArgument);
    EXPECT_EQ(choose({"", "", ""}).error().code, Code::invalidArgument);
}

}  // namespace
}  // namespace mesh::tenants
