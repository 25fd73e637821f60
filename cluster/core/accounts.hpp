#pragma once

#include "cluster/core/state.hpp"
#include "shoset/base/result.hpp"

#include <chrono>
#include <cstddef>
#include <string_view>

namespace mesh::cluster {

constexpr std::size_t minPasswordBytes = 8;

// So many wrong passwords, each within the reset time of the first, lock an account for a while.
constexpr unsigned lockoutThreshold = 5;
constexpr std::chrono::seconds lockoutCounterReset{60};
constexpr std::chrono::seconds lockoutDuration{60};
// Locked, and not for so long that the lock has run out. A clock that was set back does not prolong it.
bool isLocked(const Account& account, WallTime now);

// 1 to 64 of letters, digits and . _ @ + -, the first a letter or digit: safe in HTTP Basic (no colon), logs and URIs.
Result<void> checkUserName(std::string_view userName);

// What a new password must be: minPasswordBytes to limits::maxPasswordBytes bytes, no control characters, not the
// user's name. Checked by the proposer, who alone sees it. The sentence never repeats the password.
Result<void> checkPassword(std::string_view password, std::string_view userName);

// 1 to 63 letters, digits and . _ -; not one of the predefined, in any case.
Result<void> checkCustomRole(std::string_view roleId);

// Does an enabled administrator of the system remain without `accountId`?
bool hasOtherAdministrator(const State& state, std::string_view accountId);
// Enabled, of the system, and in role Administrator.
bool isAdministrator(const Account& account);

}  // namespace mesh::cluster
