#include "cluster/local/registry_file.hpp"

#include "shoset/base/limits.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

namespace mesh::cluster {

namespace {

// Thrown and caught in this file, as yaml-cpp's own exceptions are.
struct Refused {
    YAML::Mark mark;
    Code code;
    std::string message;
};

[[noreturn]] void refuse(const YAML::Mark& mark, const std::string& message, Code code = Code::invalidArgument)
{
    throw Refused{mark, code, message};
}

std::string quoted(const std::vector<std::string>& keys)
{
    std::string text;
    for (const std::string& key : keys) {
        text += (text.empty() ? "" : ", ") + key;
    }
    return text;
}

// The mapping's values by key: no key but the `allowed`, none twice.
std::map<std::string, YAML::Node> mapping(const YAML::Node& node, const std::string& what,
                                          const std::vector<std::string>& allowed)
{
    if (!node.IsMap()) {
        refuse(node.Mark(), what + " is a mapping with the keys " + quoted(allowed));
    }
    std::map<std::string, YAML::Node> values;
    for (const auto& entry : node) {
        const YAML::Mark mark = entry.first.Mark();
        const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
        if (std::find(allowed.begin(), allowed.end(), key) == allowed.end()) {
            refuse(mark, "unknown key \"" + key + "\"; " + what + " has the keys " + quoted(allowed));
        }
        if (!values.emplace(key, entry.second).second) {
            refuse(mark, "key \"" + key + "\" stands twice in " + what);
        }
    }
    return values;
}

std::string text(const std::map<std::string, YAML::Node>& values, const std::string& key, const YAML::Node& owner,
                 bool required)
{
    const auto found = values.find(key);
    if (found == values.end()) {
        if (required) {
            refuse(owner.Mark(), "key \"" + key + "\" is missing");
        }
        return "";
    }
    if (!found->second.IsScalar()) {
        refuse(found->second.Mark(), "\"" + key + "\" is a text");
    }
    return found->second.Scalar();
}

YAML::Node list(const std::map<std::string, YAML::Node>& values, const std::string& key)
{
    const auto found = values.find(key);
    if (found == values.end() || found->second.IsNull()) {
        return YAML::Node(YAML::NodeType::Sequence);
    }
    if (!found->second.IsSequence()) {
        refuse(found->second.Mark(), "\"" + key + "\" is a list");
    }
    return found->second;
}

std::uint64_t number(const std::map<std::string, YAML::Node>& values, const std::string& key, const YAML::Node& owner)
{
    const std::string digits = text(values, key, owner, false);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (values.contains(key) && (error != std::errc{} || end != digits.data() + digits.size())) {
        refuse(values.at(key).Mark(), "\"" + key + "\" is a whole number; 0 is no quota");
    }
    return value;
}

void readQuota(const YAML::Node& node, const std::string& tenant, tenants::Registry& registry)
{
    const auto values = mapping(node, "a quota", {"messages_per_second", "bytes_in_flight", "stored_events", "connectors"});
    const tenants::Quota quota{number(values, "messages_per_second", node), number(values, "bytes_in_flight", node),
                               number(values, "stored_events", node), number(values, "connectors", node)};
    if (auto set = registry.setQuota(tenant, quota); !set) {
        refuse(node.Mark(), set.error().message, set.error().code);
    }
}

tenants::Registry build(const YAML::Node& root)
{
    tenants::Registry registry;
    if (root.IsNull()) {
        return registry;
    }
    const auto top = mapping(root, "the registry", {"tenants", "connectors"});
    for (const YAML::Node& node : list(top, "tenants")) {
        const auto values = mapping(node, "a tenant", {"name", "quota"});
        const std::string name = text(values, "name", node, true);
        if (auto added = registry.addTenant(name); !added) {
            refuse(node.Mark(), added.error().message, added.error().code);
        }
        if (values.contains("quota")) {
            readQuota(values.at("quota"), name, registry);
        }
    }
    for (const YAML::Node& node : list(top, "connectors")) {
        const auto values = mapping(node, "a connector", {"name", "tenant", "key", "prefix", "product", "type"});
        tenants::Connector connector;
        connector.name = text(values, "name", node, true);
        connector.tenant = text(values, "tenant", node, true);
        connector.key = text(values, "key", node, true);
        connector.prefix = text(values, "prefix", node, false);
        connector.product = text(values, "product", node, false);
        connector.type = text(values, "type", node, false);
        if (registry.find(connector.tenant, connector.name) != nullptr) {
            refuse(node.Mark(), "connector " + tenants::describe(connector.tenant, connector.name) + " stands twice",
                   Code::alreadyExists);
        }
        if (auto put = registry.put(std::move(connector)); !put) {
            refuse(node.Mark(), put.error().message, put.error().code);
        }
    }
    return registry;
}

std::string place(const std::string& fileName, const YAML::Mark& mark)
{
    return fileName + (mark.is_null() ? "" : ":" + std::to_string(mark.line + 1)) + ": ";
}

}  // namespace

Result<tenants::Registry> parseRegistry(std::string_view yaml, const std::string& fileName)
{
    try {
        return build(YAML::Load(std::string(yaml)));
    } catch (const Refused& refused) {
        return Error{refused.code, place(fileName, refused.mark) + refused.message};
    } catch (const YAML::Exception& exception) {
        return Error{Code::invalidArgument, place(fileName, exception.mark) + "not YAML: " + exception.msg};
    }
}

Result<tenants::Registry> readRegistryFile(const std::string& path)
{
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    std::string bytes(limits::maxRegistryFileBytes + 1, '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (file.bad() || (file.gcount() == 0 && !file.eof())) {
        return Error{Code::ioError, "cannot read the registry " + path + ": " +
                                        std::strerror(errno == 0 ? EIO : errno)};  // NOLINT(concurrency-mt-unsafe)
    }
    if (static_cast<std::size_t>(file.gcount()) > limits::maxRegistryFileBytes) {
        return Error{Code::tooLarge,
                     path + " has more than " + std::to_string(limits::maxRegistryFileBytes) + " bytes"};
    }
    bytes.resize(static_cast<std::size_t>(file.gcount()));
    return parseRegistry(bytes, path);
}

}  // namespace mesh::cluster
