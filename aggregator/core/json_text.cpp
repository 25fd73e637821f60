#include "aggregator/core/json_text.hpp"

#include <nlohmann/json.hpp>

namespace mesh::aggregator {

std::string jsonText(const nlohmann::ordered_json& value)
{
    return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace mesh::aggregator
