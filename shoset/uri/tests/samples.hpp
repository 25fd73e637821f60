#pragma once

#include "shoset/base/rng.hpp"
#include "shoset/uri/localiser.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mesh::uri::testing {

// Random JSON documents, full of URIs and of what looks like them, with white space and escapes of all kinds.
class Samples {
public:
    // `hosts`: also with absolute URLs of the satellite's own host "bmc".
    Samples(Rng& random, bool withHosts) : rng(random), hosts(withHosts) {}

    std::string document();

private:
    std::string value(int depth);
    std::string object(int depth);
    std::string string(const std::string& name);
    std::string quote(const std::string& text, bool plain);
    std::string uri();
    std::string text();
    std::string space();
    template <std::size_t N>
    const char* pick(const char* const (&list)[N]) { return list[rng.below(N)]; }

    Rng& rng;
    bool hosts;
};

// `body` given to a localiser in pieces that end at `cuts` (ascending).
Result<std::string> localiseInPieces(const UriMap& map, Direction direction, Format format, std::string_view body,
                                     const Asked& asked, const std::vector<std::size_t>& cuts);
// Up to five random cuts.
std::vector<std::size_t> randomCuts(Rng& rng, std::size_t size);

}  // namespace mesh::uri::testing
