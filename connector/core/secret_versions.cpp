#include "connector/core/secret_versions.hpp"

#include "connector/core/take_number.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <optional>

namespace mesh::connector {

namespace {

std::optional<std::string_view> versionLine(std::string_view& text, std::string_view word)
{
    const std::size_t end = text.find('\n');
    if (!text.starts_with(word) || end == std::string_view::npos || end < word.size()) {
        return std::nullopt;
    }
    const std::string_view rest = text.substr(word.size(), end - word.size());
    text.remove_prefix(end + 1);
    return rest;
}

bool isSecretsName(std::string_view text)
{
    const std::size_t slash = text.find('/');
    return slash == std::string_view::npos ? isValidName(text)
                                           : isValidName(text.substr(0, slash)) && isValidName(text.substr(slash + 1));
}

std::string fullName(std::string_view tenant, std::string_view name)
{
    return std::string(tenant) + "/" + std::string(name);
}

}  // namespace

Result<void> SecretVersions::load(std::string_view& text)
{
    const Error damaged{Code::corrupt, "expected the version of a secret"};
    SecretVersions loaded;
    if (const auto line = versionLine(text, "tenant ")) {
        if (!isValidName(*line)) {
            return damaged;
        }
        loaded.owner = *line;
    }
    if (constexpr std::string_view word = "floor "; text.starts_with(word)) {
        text.remove_prefix(word.size());
        if (!takeNumber(text, '\n', loaded.floor)) {
            return damaged;
        }
    }
    while (auto line = versionLine(text, "seen ")) {
        std::uint64_t version = 0;
        if (!takeNumber(*line, ' ', version) || !isSecretsName(*line) || loaded.highest.size() == limits::maxSecretsSeen) {
            return damaged;
        }
        loaded.highest.emplace(*line, version);
    }
    *this = std::move(loaded);
    return {};
}

void SecretVersions::appendTo(std::string& text) const
{
    if (!owner.empty()) {
        text += "tenant " + owner + "\n";
    }
    if (floor != 0) {
        text += "floor " + std::to_string(floor) + "\n";
    }
    for (const auto& [name, version] : highest) {
        text += "seen " + std::to_string(version) + " " + name + "\n";
    }
}

std::uint64_t SecretVersions::least(std::string_view tenant, std::string_view name) const
{
    const auto known = highest.find(fullName(tenant, name));
    const auto ofOld = highest.find(name);
    if (known == highest.end() && ofOld == highest.end()) {
        return floor;
    }
    return std::max(known == highest.end() ? 0 : known->second, ofOld == highest.end() ? 0 : ofOld->second);
}

bool SecretVersions::take(const std::string& tenant, const std::string& name, std::uint64_t version)
{
    const std::string full = fullName(tenant, name);
    const auto known = highest.find(full);
    if (owner == tenant && known != highest.end() && known->second == version) {
        return false;
    }
    owner = tenant;
    highest.erase(name);
    if (!highest.contains(full) && highest.size() == limits::maxSecretsSeen) {
        makeRoom();
    }
    highest[full] = version;
    return true;
}

void SecretVersions::makeRoom()
{
    const auto lowest = std::min_element(highest.begin(), highest.end(),
                                         [](const auto& one, const auto& other) { return one.second < other.second; });
    floor = std::max(floor, lowest->second);
    highest.erase(lowest);
    ++forgottenCount;
}

}  // namespace mesh::connector
