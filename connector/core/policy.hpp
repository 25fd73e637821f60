#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::connector {

// What this BMC refuses whatever the mesh says: the operator of the machine has the last word.
class LocalPolicy {
public:
    struct Rule {
        std::vector<std::string> methods;  // upper case; empty: all; GET is HEAD, too
        std::string path;                  // as policyPath() has it; `*` stands for one segment, a final `**` for the rest
        std::string command = {};          // instead of a path: commands to workers, as matchesCommand() has it
    };
    using Rules = std::vector<Rule>;
    LocalPolicy() = default;
    explicit LocalPolicy(Rules refused) : rules(std::move(refused)) {}

    // The rule that refuses the request, for the message; nullopt if none does. `path` is policyPath() of the satellite's.
    // Compared without regard to case, as BMCs do.
    std::optional<std::string> refuses(std::string_view method, std::string_view path) const;
    // The same for a command to a worker.
    std::optional<std::string> refusesCommand(std::string_view name) const;

private:
    std::vector<Rule> rules;
};

// What rules call a target on the satellite: the part below /redfish/v1/, empty for the root, without query; "-/rest/v1/x" for
// /rest/v1/x, which is outside the tree.
std::string policyPath(std::string_view target);

}  // namespace mesh::connector
