#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace mesh::aggregator {

// JSON text without white space. What comes from clients and satellites need not be UTF-8: what is not becomes U+FFFD.
std::string jsonText(const nlohmann::ordered_json& value);

}  // namespace mesh::aggregator
