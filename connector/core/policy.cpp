#include "connector/core/policy.hpp"

#include "connector/core/redfish_body.hpp"
#include "connector/core/worker_rules.hpp"
#include "shoset/base/http.hpp"
#include "shoset/uri/collections.hpp"
#include "shoset/uri/uri_map.hpp"

#include <algorithm>

namespace mesh::connector {

namespace {

std::string_view takeSegment(std::string_view& path)
{
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    return segment;
}

std::string_view trimSlashes(std::string_view path)
{
    while (!path.empty() && path.back() == '/') {
        path.remove_suffix(1);
    }
    return path;
}

bool matches(std::string_view pattern, std::string_view path)
{
    pattern = trimSlashes(pattern);
    path = trimSlashes(path);
    while (!pattern.empty()) {
        if (pattern == "**") {
            return true;
        }
        if (path.empty()) {
            return false;
        }
        const std::string_view expected = takeSegment(pattern);
        const std::string_view actual = takeSegment(path);
        if (expected != "*" && !equalsIgnoreCase(expected, actual)) {
            return false;
        }
    }
    return path.empty();
}

// A HEAD is asked of the BMC as a GET.
bool includesMethod(const std::vector<std::string>& methods, std::string_view method)
{
    return methods.empty() || std::any_of(methods.begin(), methods.end(), [method](const std::string& one) {
               return one == method || (one == "GET" && method == "HEAD");
           });
}

}  // namespace

std::optional<std::string> LocalPolicy::refuses(std::string_view method, std::string_view path) const
{
    for (const Rule& rule : rules) {
        if (rule.command.empty() && includesMethod(rule.methods, method) && matches(rule.path, path)) {
            return rule.path;
        }
    }
    return std::nullopt;
}

std::optional<std::string> LocalPolicy::refusesCommand(std::string_view name) const
{
    for (const Rule& rule : rules) {
        if (!rule.command.empty() && matchesCommand(rule.command, name)) {
            return rule.command;
        }
    }
    return std::nullopt;
}

std::string policyPath(std::string_view target)
{
    const std::string_view path = uri::pathOf(target);
    const std::string_view rest = path.substr(std::min(path.size(), uri::redfishRoot.size()));
    const bool inTree = equalsIgnoreCase(path.substr(0, path.size() - rest.size()), uri::redfishRoot) &&
                        (rest.empty() || rest.front() == '/');
    return inTree ? std::string(relativePath(path)) : "-" + std::string(path);
}

}  // namespace mesh::connector
