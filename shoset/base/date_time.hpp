#pragma once

#include "shoset/base/time.hpp"

#include <string>

namespace mesh {

// As RFC 3339 has it and Redfish wants it, in UTC and whole seconds: "2024-05-01T12:00:00Z".
std::string dateTime(WallTime time);

}  // namespace mesh
