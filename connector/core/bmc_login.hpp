#pragma once

#include "shoset/base/http.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mesh::connector {

enum class BmcAuth { none, basic, session };

// Overwritten, then empty.
void wipe(std::string& secret);

// The credential that requests to the BMC carry, how it is got and when it is renewed. Pure.
//
// With sessions (DSP0266, 13.3.4) it is the token of a session that is created at first need. With basic
// authentication it is known, but checked by one request before others carry it. Either is "logging in": one at a time,
// so that a wrong password costs the account one failure, not one per waiting request. Refused logins are followed by a
// pause that doubles, with jitter, in which nothing is sent. A login that failed for want of an answer is not.
//
// A 401 leads to one new login and one repetition of the request. When that too is 401, the resource is refused, not
// the credential; from then on such new logins come at growing intervals as well. The session before it lives then, and is
// to be ended; when the new login was worth it, it had expired, and its path may be somebody else's by now.
class BmcLogin {
public:
    struct Request {
        RequestHead head;
        std::string body;
    };
    enum class Gate { open, needed, running, refused };
    enum class Verdict { repeat, relogin, refuse };
    struct Counters {
        std::uint64_t logins = 0, relogins = 0;
    };

    // `bmcName` stands in error messages. `source` must outlive this.
    BmcLogin(std::string bmcName, BmcAuth kind, std::string userName, const std::string& secret, Rng& source);
    ~BmcLogin();
    BmcLogin(const BmcLogin&) = delete;
    BmcLogin& operator=(const BmcLogin&) = delete;

    // Whether requests may go out. needed: send begin() first; running: wait; refused: see refusal().
    Gate gate(Instant now) const;
    Error refusal(Instant now) const;

    Request begin();
    // The answer to begin(). The error is what waiting requests end with: refused, or notSent when the BMC cannot
    // answer at the moment (5xx, 429).
    Result<void> answered(const ResponseHead& head, Instant now);
    // No answer came; the next request tries again.
    void failed();

    // What requests carry, or nullptr. Changes with the generation.
    const Header* credential() const { return carried ? &*carried : nullptr; }
    std::uint64_t generation() const { return current; }
    // A request with the credential of `generation` was answered 401; `repeated`: for the second time.
    Verdict unauthorized(std::uint64_t generation, bool repeated, Instant now);
    // A repeated request was answered with something else: the new login had been worth it.
    void accepted();

    // Ends a session that lives although a new login has taken its place. Nothing: there is none, or no login to do it with.
    bool hasSuperseded() const { return proven && !superseded.empty(); }
    std::optional<Request> endSuperseded();
    // Ends the session; nothing when there is none to end, or at the second call.
    std::optional<Request> logout();
    const Counters& counters() const { return count; }

private:
    void forget();
    void keepForEnding();
    static Request ending(std::string session);
    Duration pause(unsigned attempt, Duration most);

    std::string name;
    BmcAuth auth;
    std::string user;
    std::string password;
    Rng* rng;
    std::optional<Header> carried;
    std::string session;  // path of our session on the BMC
    std::string replaced;  // the same of the one before, while it is not known whether it lives
    std::vector<std::string> superseded;  // and of those that do; at most limits::bmcSupersededSessions
    std::uint64_t current = 1;
    bool proven = false;
    bool busy = false;
    unsigned refusals = 0;  // logins refused in a row
    Instant blockedUntil{};
    Error blockedBy;
    unsigned useless = 0;  // new logins in a row that changed nothing
    Instant reloginAfter{};
    Counters count;
};

}  // namespace mesh::connector
