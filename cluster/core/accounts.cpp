#include "cluster/core/accounts.hpp"

#include "shoset/base/http.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <chrono>

namespace mesh::cluster {

namespace {

constexpr std::size_t maxUserNameBytes = 64;

bool isAlnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

bool isLocked(const Account& account, WallTime now)
{
    return account.locked && std::chrono::abs(now - account.lockedAt) < lockoutDuration;
}

Result<void> checkUserName(std::string_view userName)
{
    const bool valid = !userName.empty() && userName.size() <= maxUserNameBytes && isAlnum(userName.front()) &&
                       std::all_of(userName.begin(), userName.end(), [](char c) {
                           return isAlnum(c) || std::string_view("._@+-").find(c) != std::string_view::npos;
                       });
    if (!valid) {
        return Error{Code::invalidArgument, "a user name is 1 to 64 letters, digits and . _ @ + -, and begins with a "
                                            "letter or digit"};
    }
    return {};
}

Result<void> checkPassword(std::string_view password, std::string_view userName)
{
    if (password.size() < minPasswordBytes || password.size() > limits::maxPasswordBytes) {
        return Error{Code::invalidArgument, "a password has " + std::to_string(minPasswordBytes) + " to " +
                                                std::to_string(limits::maxPasswordBytes) + " bytes"};
    }
    const auto isControl = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
    if (std::any_of(password.begin(), password.end(), isControl)) {
        return Error{Code::invalidArgument, "a password has no control characters"};
    }
    if (equalsIgnoreCase(password, userName)) {
        return Error{Code::invalidArgument, "a password must differ from the user name"};
    }
    return {};
}

Result<void> checkCustomRole(std::string_view roleId)
{
    if (!isValidName(roleId)) {
        return Error{Code::invalidArgument,
                     "a role's id is 1 to 63 letters, digits and . _ -, and begins with a letter "
                     "or digit"};
    }
    for (const std::string_view predefined : tenants::predefinedRoles) {
        if (equalsIgnoreCase(roleId, predefined)) {
            return Error{Code::permissionDenied,
                         "role " + std::string(predefined) + " is predefined and cannot be changed"};
        }
    }
    return {};
}

bool isAdministrator(const Account& account)
{
    return account.enabled && account.tenant.empty() && account.roleId == tenants::administratorRole;
}

bool hasOtherAdministrator(const State& state, std::string_view accountId)
{
    return std::any_of(state.accounts.begin(), state.accounts.end(), [accountId](const auto& entry) {
        return entry.first != accountId && isAdministrator(entry.second);
    });
}

}  // namespace mesh::cluster
