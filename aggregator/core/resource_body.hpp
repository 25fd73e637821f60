#pragma once

#include "aggregator/core/own_resources.hpp"
#include "shoset/sealing/secret_bytes.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mesh::aggregator {

// What a property of a resource takes from clients. A secret is a text that no answer repeats, and null is none given;
// `json`: any value, kept as its text; `nothing`: it is there, but read-only.
enum class Takes : std::uint8_t { text, secret, flag, integer, texts, json, nothing };

// Which properties a request's body may have. Nested ones are named with slashes: "Oem/Bmcmesh/Tenant".
struct PropertyRule {
    std::string_view name;
    Takes takes = Takes::nothing;
    bool required = false;
};

using PropertyValue = std::variant<std::string, bool, std::int64_t, std::vector<std::string>>;

// A body that can be acted on.
struct RequestBody {
    std::map<std::string, PropertyValue, std::less<>> values;  // of the type that the rule says
    std::vector<RedfishMessage> ignored;  // names each property that was not taken; goes into the answer

    bool has(std::string_view name) const { return values.find(name) != values.end(); }
    // Of the named property, nullptr if it was not given.
    const std::string* text(std::string_view name) const;
    std::string textOr(std::string_view name, std::string_view fallback) const;
    // What it leaves behind is wiped; empty: it was not given, or so.
    sealing::SecretText takeSecret(std::string_view name);
    const bool* flag(std::string_view name) const;
    const std::int64_t* integer(std::string_view name) const;
    const std::vector<std::string>* texts(std::string_view name) const;
};

// Reads the JSON body of a POST or PATCH (DSP0266, "PATCH (update)" and "POST (create)"). Refused with 400: what is no JSON
// object or nests deeper than limits::maxOwnBodyDepth, a value of another type, a missing required property, and a body of which nothing can be taken: annotations alone
// are NoOperation, unknown or read-only properties are named. Where something can be taken the others are in `ignored`.
// 415 for a media type other than JSON, and for a browser's body without one: such a request needs no leave of its page's
// origin.
std::variant<RequestBody, Answer> readBody(const OwnRequest& request, std::span<const PropertyRule> rules);

// What the state refuses below /mesh/v1, in its own sentence: 404, 400 for what is malformed, else 409.
Answer adminRefusal(const Error& error);
// 400 with these messages.
Answer badRequest(const std::vector<RedfishMessage>& messages);

}  // namespace mesh::aggregator
