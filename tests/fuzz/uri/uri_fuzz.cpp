#include "shoset/base/limits.hpp"
#include "shoset/uri/classify.hpp"
#include "shoset/uri/localiser.hpp"
#include "shoset/uri/multipart.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

// The first byte chooses the case (see choose()), four more how the body is cut; the rest is the body, and a URI.
namespace {

using namespace mesh;
using namespace mesh::uri;

constexpr std::size_t headBytes = 5;
constexpr std::size_t longestInsertion = std::string_view("/redfish/v1/5B247A_-").size();
// The least that makes the longest insertion are the four bytes "/", in a list of URIs.
constexpr std::size_t maxGrowth = 1 + longestInsertion / 4;

const UriMap plainMap("5B247A");
const UriMap hostMap("5B247A", {"bmc", "[fe80::1]:8443"});
const std::array<Asked, 4> askedFor{{{},
                                     {"/redfish/v1/Systems/1", "/redfish/v1/Systems/5B247A_1"},
                                     {"/redfish/v1/Systems", "/redfish/v1/Systems"},
                                     {"/redfish/v1/Systems", "/redfish/v1/5B247A_Systems"}}};

struct Case {
    Format format = Format::json;
    bool multipart = false;
    Direction direction = Direction::toFacade;
    const UriMap* map = nullptr;
    Asked asked;
};

Case choose(std::uint8_t byte)
{
    constexpr std::array<Format, 4> formats{Format::json, Format::eventStream, Format::xml, Format::json};
    return {formats[byte & 3U], (byte & 3U) == 3, (byte & 4U) != 0 ? Direction::toSatellite : Direction::toFacade,
            (byte & 8U) != 0 ? &hostMap : &plainMap, askedFor[byte >> 4 & 3U]};
}

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

struct Outcome {
    Code code = Code::ok;
    std::string out;  // nothing after Code::tooLarge: how far it came depends on the pieces
    std::string foreign;
    std::int64_t delta = 0;
    bool operator==(const Outcome&) const = default;
};

template <class L>
Outcome outcomeOf(L& localiser, std::string_view body, const std::array<std::size_t, 4>& pieces)
{
    Outcome outcome;
    Result<void> result;
    for (std::size_t i = 0; !body.empty() && result; ++i) {
        const std::string_view piece = body.substr(0, pieces[i % pieces.size()]);
        const std::string copy(piece);  // ends where it ends: reading on is seen
        result = localiser.feed(copy, outcome.out);
        body.remove_prefix(piece.size());
    }
    if (result) {
        result = localiser.finish(outcome.out);
    }
    outcome.code = result ? Code::ok : result.error().code;
    if (outcome.code == Code::tooLarge) {
        outcome.out.clear();
        return outcome;
    }
    for (const ForeignUri& uri : localiser.foreign()) {
        outcome.foreign += uri.property + '\0' + uri.uri + '\0';
    }
    return outcome;
}

Outcome localiseBy(const Case& test, std::string_view body, const std::array<std::size_t, 4>& pieces)
{
    if (!test.multipart) {
        Localiser localiser(*test.map, test.direction, test.format, test.asked);
        return outcomeOf(localiser, body, pieces);
    }
    MultipartLocaliser localiser(*test.map, "multipart/form-data; boundary=b");
    Outcome outcome = outcomeOf(localiser, body, pieces);
    outcome.delta = localiser.lengthDelta();
    require(outcome.code != Code::ok || static_cast<std::int64_t>(body.size()) + outcome.delta == std::int64_t(outcome.out.size()));
    return outcome;
}

void checkBody(const Case& test, std::string_view body, const std::array<std::size_t, 4>& pieces)
{
    const std::size_t all = body.size() + 1;
    const Outcome whole = localiseBy(test, body, {all, all, all, all});
    require(whole == localiseBy(test, body, pieces));
    require(whole == localiseBy(test, body, {1, 1, 1, 1}));
    require(whole.out.size() <= maxGrowth * all);
    require(whole.code == Code::ok || test.direction == Direction::toSatellite || test.multipart || whole.code == Code::tooLarge);
    if (test.format == Format::json && whole.code == Code::ok && !test.multipart && body.size() <= limits::maxUriBytes) {
        // Of a satellite's Ids "1" and "5B247A_1" in one resource the facade shows the same, so they have one way back.
        const bool mayHoldMappedIds = body.find("5B247A_") != body.npos || body.find('\\') != body.npos;
        const Asked asked = mayHoldMappedIds ? Asked{} : test.asked;
        const auto there = localise(plainMap, Direction::toFacade, test.format, body, asked);
        require(there.ok());
        const auto back = localise(plainMap, Direction::toSatellite, test.format, *there, asked);
        require(back.ok() && *back == body);
    }
}

void checkUri(const UriMap& map, std::string_view uri)
{
    if (const auto facade = map.toFacade(uri, Outside::map)) {
        require(facade->size() <= uri.size() + longestInsertion);
        require(map.toSatellite(*facade) == uri.substr(map.ownHost(uri)));
    }
    const auto target = checkPath(uri);
    if (!target) {
        return;
    }
    const Classified classified = classify(target->path);
    const auto satellite = map.toSatellite(target->path);
    require(!satellite || checkPath(*satellite).ok());
    require(!satellite || classified.kind != PathKind::outsideTree || !inRedfishTree(*satellite));
    require(!satellite || map.toFacade(*satellite, Outside::map).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < headBytes) {
        return 0;
    }
    const Case test = choose(data[0]);
    std::array<std::size_t, 4> pieces{};
    std::transform(data + 1, data + headBytes, pieces.begin(), [](std::uint8_t byte) { return byte % 64U + 1; });
    const std::string_view body(reinterpret_cast<const char*>(data) + headBytes, size - headBytes);
    checkBody(test, body, pieces);
    checkUri(*test.map, body);
    return 0;
}
