#pragma once

#include "shoset/base/result.hpp"
#include "shoset/uri/collections.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mesh::uri {

struct Target {
    std::string path;      // "%41" of unreserved characters and '$' decoded, all other octets as they came
    std::string query;     // without '?', as it came
    bool hasQuery = false;
};

// The first thing that happens to a request's target (origin-form). Code::invalidArgument, to be answered 400: not
// beginning with '/', a fragment, raw controls, blanks or bytes beyond ASCII, '\', broken percent-encoding, and in the
// path, encoded once or more often: controls, NUL, '/', '\', and dot segments (also with ";parameters").
// After it, what classify() and UriMap see is what the satellite will see.
Result<Target> checkPath(std::string_view target);
// With everything decoded that is percent-encoded, once or more often. What is broken stays as it is.
std::string decoded(std::string_view text);

enum class PathKind : std::uint8_t {
    notRedfish,    // not below /redfish/v1, or an empty segment inside
    root,
    singleton,     // exactly one: the facade's own
    topCollection, // exactly one: merged
    member,        // of a top-level collection, or below one: of the satellite `prefix`, or, if it is empty, of the facade
    prefixed,      // <P>_<first segment>...: another resource of the satellite `prefix`
    outsideTree,   // <P>_-/...: what the satellite `prefix` has outside its tree
    facade,        // anything else below /redfish/v1: a facade's own resource or nobody's
};

// Views are into the path and into static names.
struct Classified {
    PathKind kind = PathKind::notRedfish;
    // The only prefix that the path can have ([A-Za-z0-9]{1,16} before the first '_'), as written; a registry says whether
    // there is such a satellite. Empty: none.
    std::string_view prefix;
    // topCollection, member: canonical path below /redfish/v1/, "TaskService/Tasks".
    std::string_view collection;
    // member: the id as on the facade. Others below the root: the first segment.
    std::string_view segment;
    bool direct = false;  // nothing follows `segment`
};

// Of a path that passed checkPath(). Names are compared without regard to case.
Classified classify(std::string_view path);

}  // namespace mesh::uri
