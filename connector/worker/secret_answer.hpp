#pragma once

#include "shoset/base/result.hpp"

#include <string>
#include <string_view>

// What a connector answers to a question for a secret.
namespace mesh::worker {

// RFC 4648 with '-' and '_', no padding; what it is not ends it.
std::string secretValue(std::string_view base64);
// `failure` is a code's name.
Error noSecret(const std::string& failure, const std::string& text);

}  // namespace mesh::worker
