#pragma once

#include <cstddef>
#include <string_view>

namespace mesh::aggregator {

// Whether arrays and objects stand deeper inside each other than that; of what is no JSON it may say either. To be asked before
// the text is parsed: what is done with a parsed document goes down with it.
bool nestsDeeperThan(std::string_view text, std::size_t depth);

}  // namespace mesh::aggregator
