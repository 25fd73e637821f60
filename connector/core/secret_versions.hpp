#pragma once

#include "shoset/base/result.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace mesh::connector {

// What a connector remembers of the secrets it has taken: of which tenant they are, and the highest version of each, below which
// nothing is taken any more. Of limits::maxSecretsSeen; where there are more, the lowest version goes, and from then on nothing
// that is not remembered is taken below that one, so that no version goes back by being forgotten.
class SecretVersions {
public:
    // Takes its lines from the front of `text`. Code::corrupt.
    Result<void> load(std::string_view& text);
    void appendTo(std::string& text) const;

    // A lower one is older than what was taken before.
    std::uint64_t least(std::string_view tenant, std::string_view name) const;
    // False: that is what is remembered already. Never of less than least().
    bool take(const std::string& tenant, const std::string& name, std::uint64_t version);
    // Empty: none was taken yet, or by a program that did not remember.
    const std::string& tenant() const { return owner; }
    std::uint64_t forgotten() const { return forgottenCount; }

private:
    void makeRoom();

    std::string owner;
    std::map<std::string, std::uint64_t, std::less<>> highest;  // by "tenant/name"; by "name", of whatever tenant, from older files
    std::uint64_t floor = 0;
    std::uint64_t forgottenCount = 0;
};

}  // namespace mesh::connector
