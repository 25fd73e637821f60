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
        std::vector<std::string> methods;  // upper case; empty: all
        std::string path;                  // below /redfish/v1/; `*` stands for one segment, a final `**` for the rest
        std::string command = {};          // instead of a path: commands to workers, as matchesCommand() has it
    };
    using Rules = std::vector<Rule>;
    LocalPolicy() = default;
    explicit LocalPolicy(Rules refused) : rules(std::move(refused)) {}

    // The rule that refuses the request, for the message; nullopt if none does. `path` is the satellite's, without query,
    // below /redfish/v1/. Compared without regard to case, as BMCs do.
    std::optional<std::string> refuses(std::string_view method, std::string_view path) const;
    // The same for a command to a worker.
    std::optional<std::string> refusesCommand(std::string_view name) const;

private:
    std::vector<Rule> rules;
};

}  // namespace mesh::connector
