#pragma once

#include "shoset/base/result.hpp"
#include "shoset/uri/localiser.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::uri {

// A multipart update on its way to the satellite: the URIs in the JSON part `UpdateParameters` are mapped back, every
// other byte passes as it is.
//
// Clients send UpdateParameters first, and it is small. So the first part is held back until it is complete, and with it
// the head of the request: once settled() is true, Content-Length is the client's plus lengthDelta(), whatever the rest
// of the body may be, and everything after the first part streams through unread. If the first part is another one (or
// nothing that this class understands), nothing changes at all.
//
//   feed pieces until settled(); send the head with the corrected length; send `out`; feed the rest.
class MultipartLocaliser {
public:
    // contentType: the value of the request's Content-Type. `map` must outlive this.
    MultipartLocaliser(const UriMap& map, std::string_view contentType);

    // Appends to `out`; nothing before settled(). Code::tooLarge: UpdateParameters is over maxUpdateParametersBytes.
    // Code::invalidArgument: it names URIs that are not this satellite's, see foreign(). Nothing is in `out` then.
    Result<void> feed(std::string_view in, std::string& out);
    // The body is complete.
    Result<void> finish(std::string& out);

    bool settled() const { return phase == Phase::through; }
    // What the mapping adds to the length of the body (usually negative). Valid once settled().
    std::int64_t lengthDelta() const { return delta; }
    const std::vector<ForeignUri>& foreign() const { return foreignUris; }

    // "multipart/form-data" with a boundary.
    static bool isMultipart(std::string_view contentType);

private:
    enum class Phase : std::uint8_t { first, through };

    Result<void> examine(bool last, std::string& out);
    Result<void> mapParameters(std::size_t headersBegin, std::size_t bodyBegin, std::size_t bodyEnd, std::string& out);
    void pass(std::string& out);

    const UriMap& map;
    std::string delimiter;  // "--boundary"
    Phase phase = Phase::first;
    std::string held;
    std::int64_t delta = 0;
    std::vector<ForeignUri> foreignUris;
};

}  // namespace mesh::uri
