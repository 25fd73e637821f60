#include "shoset/base/tests/effort.hpp"
#include "shoset/uri/localiser.hpp"
#include "shoset/uri/tests/reference.hpp"
#include "shoset/uri/tests/samples.hpp"

#include <gtest/gtest.h>

namespace mesh::uri {
namespace {

using testing::Reference;
using testing::Samples;
using testing::localiseInPieces;
using testing::randomCuts;

const std::vector<Asked> questions{{},
                                  {"/redfish/v1/Systems/system", "/redfish/v1/Systems/P_system"},
                                  {"/redfish/v1/Systems", "/redfish/v1/Systems"},
                                  {"/redfish/v1/Systems", "/redfish/v1/P_Systems"},
                                  {"/redfish/v1/UpdateService", "/redfish/v1/P_UpdateService"}};

TEST(LocaliserProperty, AgreesWithTheReferenceAndIsUndoneByTheWayBack)
{
    const UriMap map("P");
    SeededRng rng(1);
    Samples samples(rng, false);
    for (int i = 0; i < testRounds(20000); ++i) {
        const Asked& asked = questions[rng.below(questions.size())];
        const std::string body = samples.document();
        SCOPED_TRACE("document " + std::to_string(i) + " for " + asked.facadeUri + ": " + body);
        const auto there = localise(map, Direction::toFacade, Format::json, body, asked);
        ASSERT_TRUE(there.ok());
        ASSERT_EQ(nlohmann::json::parse(*there).dump(1),
                  Reference("P", {}, asked).document(nlohmann::json::parse(body)).dump(1));
        const auto back = localise(map, Direction::toSatellite, Format::json, *there, asked);
        ASSERT_TRUE(back.ok()) << back.error().message << *there;
        ASSERT_EQ(*back, body) << *there;
        const auto cuts = randomCuts(rng, body.size());
        ASSERT_EQ(*localiseInPieces(map, Direction::toFacade, Format::json, body, asked, cuts), *there);
        const auto backCuts = randomCuts(rng, there->size());
        ASSERT_EQ(*localiseInPieces(map, Direction::toSatellite, Format::json, *there, asked, backCuts), body);
    }
}

TEST(LocaliserProperty, AgreesWithTheReferenceOnOwnHosts)
{
    const UriMap map("P", {"bmc"});
    SeededRng rng(2);
    Samples samples(rng, true);
    for (int i = 0; i < testRounds(20000); ++i) {
        const Asked& asked = questions[rng.below(3)];
        const std::string body = samples.document();
        SCOPED_TRACE("document " + std::to_string(i) + " for " + asked.facadeUri + ": " + body);
        const auto there = localise(map, Direction::toFacade, Format::json, body, asked);
        ASSERT_TRUE(there.ok());
        ASSERT_EQ(nlohmann::json::parse(*there).dump(1),
                  Reference("P", {"bmc"}, asked).document(nlohmann::json::parse(body)).dump(1));
        const auto cuts = randomCuts(rng, body.size());
        ASSERT_EQ(*localiseInPieces(map, Direction::toFacade, Format::json, body, asked, cuts), *there);
    }
}

TEST(LocaliserProperty, EveryCutOfAGeneratedBodyGivesTheSame)
{
    const UriMap map("P", {"bmc"});
    SeededRng rng(3);
    Samples samples(rng, true);
    for (int i = 0; i < 150; ++i) {
        const Asked& asked = questions[rng.below(questions.size())];
        const std::string body = samples.document();
        for (const Direction direction : {Direction::toFacade, Direction::toSatellite}) {
            const auto whole = localise(map, direction, Format::json, body, asked);
            std::vector<std::size_t> each;
            for (std::size_t cut = 0; cut <= body.size(); ++cut) {
                const auto cutOnce = localiseInPieces(map, direction, Format::json, body, asked, {cut});
                ASSERT_EQ(cutOnce.ok(), whole.ok());
                ASSERT_EQ(cutOnce.ok() ? *cutOnce : cutOnce.error().message, whole.ok() ? *whole : whole.error().message)
                    << body << " at " << cut;
                each.push_back(cut);
            }
            const auto bytewise = localiseInPieces(map, direction, Format::json, body, asked, each);
            ASSERT_EQ(bytewise.ok() ? *bytewise : bytewise.error().message, whole.ok() ? *whole : whole.error().message);
        }
    }
}

}  // namespace
}  // namespace mesh::uri
