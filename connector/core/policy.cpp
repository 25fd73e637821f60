#include "connector/core/policy.hpp"

#include "connector/core/worker_rules.hpp"
#include "shoset/base/http.hpp"

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

}  // namespace

std::optional<std::string> LocalPolicy::refuses(std::string_view method, std::string_view path) const
{
    for (const Rule& rule : rules) {
        const bool methodFits =
            rule.methods.empty() || std::find(rule.methods.begin(), rule.methods.end(), method) != rule.methods.end();
        if (methodFits && rule.command.empty() && matches(rule.path, path)) {
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

}  // namespace mesh::connector
