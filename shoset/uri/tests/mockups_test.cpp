// Recorded machines, when they are there: MESH_MOCKUPS, else ../shared/mockups beside the source folder.
#include "shoset/base/tests/effort.hpp"
#include "shoset/uri/localiser.hpp"
#include "shoset/uri/tests/reference.hpp"
#include "shoset/uri/tests/samples.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

namespace mesh::uri {
namespace {

namespace fs = std::filesystem;

fs::path mockups()
{
    const char* const configured = std::getenv("MESH_MOCKUPS");
    return configured != nullptr ? fs::path(configured) : fs::path(MESH_SOURCE_DIR) / ".." / "shared" / "mockups";
}

// What `file` was the answer to: /redfish/v1/Systems/1 for .../machine/redfish/v1/Systems/1/index.json.
Asked askedFor(const UriMap& map, const fs::path& file)
{
    const std::string path = file.parent_path().generic_string();
    const std::size_t at = path.find("/redfish/v1");
    if (at == std::string::npos) {
        return {};
    }
    const std::string uri = path.substr(at);
    return {uri, map.toFacade(uri).value_or(uri)};
}

struct Tally {
    std::size_t files = 0;
    std::size_t bytes = 0;
    std::size_t changed = 0;
};

void check(const fs::path& file, SeededRng& rng, Tally& tally)
{
    const UriMap map("5B247A");
    std::ifstream stream(file, std::ios::binary);
    const std::string body{std::istreambuf_iterator<char>(stream), {}};
    const Asked asked = askedFor(map, file);
    const Format format = file.extension() == ".xml" ? Format::xml : Format::json;
    const auto there = localise(map, Direction::toFacade, format, body, asked);
    ASSERT_TRUE(there.ok());
    const auto back = localise(map, Direction::toSatellite, format, *there, asked);
    ASSERT_TRUE(back.ok()) << back.error().message;
    ASSERT_TRUE(*back == body);
    const auto cuts = testing::randomCuts(rng, body.size());
    ASSERT_TRUE(*testing::localiseInPieces(map, Direction::toFacade, format, body, asked, cuts) == *there);
    ++tally.files;
    tally.bytes += body.size();
    tally.changed += *there == body ? 0 : 1;
    // The reference is slow; the few files above this size are of the same kinds as the others.
    if (format != Format::json || body.size() > static_cast<std::size_t>(testRounds(100'000))) {
        return;
    }
    const auto document = nlohmann::json::parse(body, nullptr, false);
    if (!document.is_discarded()) {
        const auto expected = testing::Reference("5B247A", {}, asked).document(document);
        ASSERT_TRUE(nlohmann::json::parse(*there) == expected)
            << nlohmann::json::diff(expected, nlohmann::json::parse(*there)).dump(1);
    }
}

TEST(Mockups, ThereAndBackIsTheIdentityAndAgreesWithTheReference)
{
    if (!fs::is_directory(mockups())) {
        GTEST_SKIP() << "no recorded machines in " << mockups() << ": only generated bodies are tested";
    }
    SeededRng rng(5);
    Tally tally;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(mockups())) {
        const auto extension = entry.path().extension();
        if (entry.is_regular_file() && (extension == ".json" || extension == ".xml")) {
            SCOPED_TRACE(entry.path().string());
            ASSERT_NO_FATAL_FAILURE(check(entry.path(), rng, tally));
        }
    }
    std::cout << tally.files << " files, " << tally.bytes << " bytes, " << tally.changed << " files changed\n";
    EXPECT_GT(tally.changed, 0U);
}

}  // namespace
}  // namespace mesh::uri
