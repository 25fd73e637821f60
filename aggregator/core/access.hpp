#pragma once

#include "aggregator/core/messages.hpp"
#include "shoset/base/http.hpp"
#include "shoset/base/time.hpp"
#include "tenants/privileges.hpp"

#include <functional>
#include <string>
#include <variant>

namespace mesh::aggregator {

// Who is asking.
struct Principal {
    std::string user;
    std::string accountId;
    std::string role;
    tenants::PrivilegeSet privileges;
    std::string tenant;  // "": the system's, sees all
    std::string sessionId;  // empty: basic authentication
    bool passwordChangeRequired = false;
};

// Nobody tried to authenticate.
struct Anonymous {};

// An Answer is a refusal: 401, 403, 503.
using Identified = std::variant<Principal, Anonymous, Answer>;

// 401 with WWW-Authenticate.
Answer unauthorized(std::string_view sentence);
// 403 for everything but the change itself (DSP0266, "Password management").
Answer passwordChangeRequired(const Principal& who);

// Finds out who is asking. Implemented by Credentials over the cluster's state.
class Access {
public:
    virtual ~Access() = default;
    // Calls `done` once: at once where the credential is known, else when the password was checked off the loop.
    virtual void identify(const Headers& headers, Now now, std::function<void(Identified, Now)> done) = 0;
    // Whether its account is there, enabled, of that tenant, and has all privileges that it had. A session that has ended does not
    // count: what it began goes on.
    virtual bool isCurrent(const Principal& who) const = 0;
};

}  // namespace mesh::aggregator
