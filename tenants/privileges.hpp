#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

namespace mesh::tenants {

// The privileges of Redfish (DSP0266, "Privilege model"; Privileges schema).
enum class Privilege : std::uint8_t { login, configureManager, configureUsers, configureComponents, configureSelf };

inline constexpr Privilege allPrivileges[] = {Privilege::login, Privilege::configureManager, Privilege::configureUsers,
                                              Privilege::configureComponents, Privilege::configureSelf};

// "Login", "ConfigureManager", ... as AssignedPrivileges spells them.
std::string_view privilegeName(Privilege privilege);
std::optional<Privilege> parsePrivilege(std::string_view name);

class PrivilegeSet {
public:
    constexpr PrivilegeSet() = default;
    constexpr PrivilegeSet(std::initializer_list<Privilege> privileges)
    {
        for (const Privilege privilege : privileges) {
            bits = static_cast<std::uint8_t>(bits | bit(privilege));
        }
    }

    static constexpr PrivilegeSet fromMask(std::uint8_t mask) { return PrivilegeSet(mask & knownBits); }
    constexpr std::uint8_t mask() const { return bits; }
    constexpr bool contains(PrivilegeSet other) const { return (bits & other.bits) == other.bits; }
    constexpr PrivilegeSet without(Privilege privilege) const { return fromMask(bits & ~bit(privilege)); }
    constexpr bool operator==(const PrivilegeSet&) const = default;

    static constexpr std::uint8_t knownBits = 0x1f;

private:
    explicit constexpr PrivilegeSet(int mask) : bits(static_cast<std::uint8_t>(mask)) {}
    static constexpr std::uint8_t bit(Privilege privilege)
    {
        return static_cast<std::uint8_t>(1U << static_cast<unsigned>(privilege));
    }

    std::uint8_t bits = 0;
};

// Administrator, Operator and ReadOnly (DSP0266, "Predefined roles"); empty for any other name. Exact spelling.
std::optional<PrivilegeSet> predefinedRole(std::string_view roleId);
inline constexpr std::string_view administratorRole = "Administrator";
inline constexpr std::string_view predefinedRoles[] = {administratorRole, "Operator", "ReadOnly"};

// Any one of these sets is enough. None at all: nobody may.
struct Requirement {
    std::vector<PrivilegeSet> anyOf;
};

// Whose resource it is: a satellite's, reached through its connector, which acts there as the BMC's administrator; or
// one that the facade owns itself.
enum class Owner { satellite, facade };

// What a read takes in besides the resource (DSP0266, "$expand" and "only"): nothing; what it refers to; or more levels of that.
enum class Expansion : std::uint8_t { none, oneLevel, deep };

// What an operation needs, by the Redfish privilege registry 1.8 and the URI patterns of DMTF's schemas.
// `method` in upper case; GET and HEAD read, every other method writes. `path` is below /redfish/v1/, decoded, without
// prefix, query and fragment: "Systems/1/Bios/Settings", "Managers/bmc/Actions/Manager.Reset"; names in any case, empty
// segments do not count. Total: every path has a requirement.
//   unknown and OEM resources        GET Login, writes ConfigureManager
//   Settings and Actions             as the resource they belong to
// Owner::satellite differs from the registry where the registry speaks of the BMC's own users:
//   AccountService, Accounts         writes need every privilege but ConfigureSelf: who makes accounts there can do
//   anything there POST to Sessions                 nobody: sessions are the facade's
//   "-" (outside the Redfish tree)   ConfigureManager, reads too
// A collection that is expanded by one level is read as its members are. Everything else may lead to whatever the satellite has
// (certificates, accounts), which takes ConfigureManager and ConfigureComponents.
Requirement requiredPrivilege(Owner owner, std::string_view method, std::string_view path, Expansion expansion = Expansion::none);

// `ownResource`: the resource is the asker's own account, session or subscription; only then does ConfigureSelf count.
bool allows(PrivilegeSet privileges, const Requirement& requirement, bool ownResource = false);

}  // namespace mesh::tenants
