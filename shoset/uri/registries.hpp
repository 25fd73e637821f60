#pragma once

#include <span>
#include <string_view>

namespace mesh::uri {

// The id of a message registry that DMTF publishes, "Base.1.8.1", if `path` (without query and fragment) is exactly that
// member of Registries; else empty. Such registries are the same on every satellite, so the facade also has them without a
// prefix. Names are DMTF's, with a version behind: "Base" alone does not say which one it is.
std::string_view publishedRegistry(std::string_view path);
// Those names, without a version.
std::span<const std::string_view> publishedRegistryNames();

}  // namespace mesh::uri
