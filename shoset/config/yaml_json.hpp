#pragma once

#include "shoset/base/result.hpp"

#include <string>
#include <string_view>

namespace mesh::config {

// A YAML document that a person has written, as JSON. Plain scalars are null, true and false, numbers, or text; quoted ones are text.
// At most limits::maxConfigBytes, limits::maxYamlValues values (also where aliases repeat them) and limits::maxSchemaDepth deep, no
// key twice. The error names file and line.
Result<std::string> jsonOfYaml(const std::string& path, const std::string& text);
// JSON, which jsonOfYaml() makes of it again, for people; members in the order in which they stand. Empty for what is no JSON.
std::string yamlOfJson(std::string_view text);

}  // namespace mesh::config
