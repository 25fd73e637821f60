#pragma once

#include "aggregator/core/access.hpp"
#include "aggregator/core/catch_up.hpp"
#include "aggregator/core/node_view.hpp"
#include "aggregator/core/session_ages.hpp"
#include "cluster/core/state_engine.hpp"
#include "shoset/base/rng.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace mesh::aggregator {

// Slow password work (argon2id) off the loop. Each handler runs once, later, on the loop; passwords are wiped. unavailable: too
// much waits, and nothing was looked at.
class PasswordPort {
public:
    virtual ~PasswordPort() = default;
    // An empty hash: spend the same time and answer false.
    virtual void check(std::string password, std::string hash, std::function<void(Result<bool> right, Now)> done) = 0;
    virtual void hash(std::string password, std::function<void(Result<std::string>, Now)> done) = 0;
};

struct CredentialCounters {
    std::uint64_t remembered = 0, checked = 0, wrong = 0, flooded = 0, unknownToken = 0, lockouts = 0, caughtUp = 0;
};

// Who is asking, by HTTP Basic (RFC 7617) or X-Auth-Token (DSP0266). A password that was right is remembered for
// limits::credentialMemory under a keyed hash (the key lives in this process only), and forgotten with any change of its
// account. More than limits::maxWaitingPasswordChecks waiting: 503.
//
// cluster::lockoutThreshold wrong passwords on this node lock an account in the state, and so on all that share it. To who
// asks, a locked account is one whose password is always wrong. Its sessions go on: else any stranger could end them.
//
// A node that is behind the cluster catches up before it denies a session whose entry it has not seen, and before it checks
// a password: the account or its change may have been made elsewhere a moment ago.
class Credentials final : public Access {
public:
    Credentials(cluster::StateEngine& engine, CatchUp& catchUp, PasswordPort& passwords, Rng& rng);

    void identify(const Headers& headers, Now now, std::function<void(Identified, Now)> done) override;
    bool isCurrent(const Principal& who) const override;
    // The same for a user and password from a body, for new sessions: wrong ones get the same 401.
    void identify(const std::string& user, const std::string& password, Now now,
                  std::function<void(Identified, Now)> done);

    SessionAges& sessions() { return ages; }
    const SessionAges& sessions() const { return ages; }
    const CredentialCounters& counters() const { return count; }
    void addMetrics(std::vector<Counter>& out) const;

private:
    struct Memory {
        std::string accountId;
        cluster::Revision revision = 0;
        Instant expires{};
    };
    struct Check {
        std::string key;
        std::string user;
        std::string password;
        std::string accountId;  // found when the check begins; empty: there is no such account
        cluster::Revision revision = 0;
        std::vector<std::function<void(Identified, Now)>> waiting;
    };

    // Wrong passwords for an account since its last change.
    struct Failures {
        cluster::Revision revision = 0;
        unsigned number = 0;
        Instant until{};  // then they are forgotten
    };

    void identifyToken(const std::string& token, Now now, std::function<void(Identified, Now)> done);
    const cluster::Session* findSession(const std::string& token, Now now);
    Identified byToken(const std::string& token, Now now);
    std::string keyOf(const std::string& user, const std::string& password) const;
    const cluster::Account* recall(const std::string& key, Now now);
    void remember(const Check& check, Now now);
    void startNext(Now now);
    void checkFirst();
    void onChecked(const Result<bool>& right, Now now);
    bool isLocked(const cluster::Account& account, Now now) const;
    void noteFailure(const cluster::Account& account, Now now);

    cluster::StateEngine& engine;
    CatchUp& catchUp;
    PasswordPort& passwords;
    Rng& rng;
    SessionAges ages;
    const std::string secret;  // of the keyed hash
    std::unordered_map<std::string, Memory> memory;
    std::deque<std::string> memoryOrder;
    std::deque<Check> checks;
    std::unordered_map<std::string, Failures> failures;  // by id of accounts that exist: at most limits::maxAccounts
    bool checking = false;
    CredentialCounters count;
};

// The principal that an account makes.
Principal principalOf(const cluster::State& state, const cluster::Account& account, const std::string& sessionId);

}  // namespace mesh::aggregator
