#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

// One page of a collection whose members stand in it whole.
struct MemberPage {
    std::vector<std::string> members;  // JSON text, byte for byte
    std::string nextLink;              // empty: the last page
};

// nullopt: not a JSON object with an array Members.
std::optional<MemberPage> memberPageOf(std::string_view body);
// The @odata.id of a member as it stands in a page; empty if it has none.
std::string idOfMember(std::string_view member);

}  // namespace mesh::aggregator
