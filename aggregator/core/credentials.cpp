#include "aggregator/core/credentials.hpp"

#include "cluster/core/accounts.hpp"
#include "cluster/core/sessions.hpp"
#include "shoset/base/limits.hpp"

#include <sodium.h>

#include <algorithm>

namespace mesh::aggregator {

namespace {

struct Basic {
    std::string user;
    std::string password;
};

std::optional<Basic> parseBasic(const std::string& header)
{
    constexpr std::string_view scheme = "Basic ";
    if (header.size() < scheme.size() || !equalsIgnoreCase(std::string_view(header).substr(0, scheme.size()), scheme)) {
        return std::nullopt;
    }
    const std::string encoded = header.substr(header.find_first_not_of(' ', scheme.size()) == std::string::npos
                                                  ? header.size()
                                                  : header.find_first_not_of(' ', scheme.size()));
    std::string raw(encoded.size(), '\0');
    std::size_t length = 0;
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(raw.data()), raw.size(), encoded.data(), encoded.size(), nullptr,
                          &length, nullptr, sodium_base64_VARIANT_ORIGINAL) != 0) {
        return std::nullopt;
    }
    raw.resize(length);
    const std::size_t colon = raw.find(':');
    if (colon == std::string::npos) {
        return std::nullopt;
    }
    return Basic{raw.substr(0, colon), raw.substr(colon + 1)};
}

Answer busy()
{
    return temporarilyUnavailable("Too many logins are being checked. Repeat the request in a second, or use a session.");
}

Answer unsureOfSession(const Error& error)
{
    return temporarilyUnavailable("Whether the session exists is not known here: " + error.message + ".");
}

}  // namespace

Principal principalOf(const cluster::State& state, const cluster::Account& account, const std::string& sessionId)
{
    return {account.userName, account.id,     account.roleId, cluster::privilegesOf(state, account.roleId),
            account.tenant,   sessionId,      account.passwordChangeRequired};
}

Answer passwordChangeRequired(const Principal& who)
{
    return errorAnswer(403, {"PasswordChangeRequired", {"/redfish/v1/AccountService/Accounts/" + who.accountId}, {}});
}

Answer unauthorized(std::string_view sentence)
{
    Answer answer = errorAnswer(401, {"NoValidSession", {}, {}}, sentence);
    answer.head.headers.push_back({"WWW-Authenticate", "Basic realm=\"bmcmesh\", charset=\"UTF-8\""});
    return answer;
}

Credentials::Credentials(cluster::StateEngine& stateEngine, CatchUp& catching, PasswordPort& passwordPort, Rng& random)
    : engine(stateEngine), catchUp(catching), passwords(passwordPort), rng(random), ages(engine, rng), secret(rng.bytes(crypto_generichash_KEYBYTES))
{
}

void Credentials::identify(const Headers& headers, Now now, std::function<void(Identified, Now)> done)
{
    if (const std::string* token = findHeader(headers, "X-Auth-Token")) {
        return identifyToken(*token, now, std::move(done));
    }
    const std::string* authorization = findHeader(headers, "Authorization");
    if (authorization == nullptr) {
        done(Anonymous{}, now);
        return;
    }
    std::optional<Basic> basic = parseBasic(*authorization);
    if (!basic) {
        done(unauthorized("The Authorization header is not HTTP Basic."), now);
        return;
    }
    identify(basic->user, basic->password, now, std::move(done));
    sodium_memzero(basic->password.data(), basic->password.size());
}

void Credentials::identify(const std::string& user, const std::string& password, Now now,
                           std::function<void(Identified, Now)> done)
{
    const std::string key = keyOf(user, password);
    if (const cluster::Account* account = recall(key, now)) {
        ++count.remembered;
        done(principalOf(engine.state(), *account, {}), now);
        return;
    }
    const auto same = std::find_if(checks.begin(), checks.end(), [&key](const Check& check) { return check.key == key; });
    if (same != checks.end() && same->waiting.size() < limits::maxHttpConnections) {
        same->waiting.push_back(std::move(done));
        return;
    }
    if (checks.size() >= limits::maxWaitingPasswordChecks || password.size() > limits::maxPasswordBytes) {
        ++count.flooded;
        done(password.size() > limits::maxPasswordBytes ? unauthorized("The user name or password is wrong.") : busy(), now);
        return;
    }
    Check check;
    check.key = key;
    check.user = user;
    check.password = password;
    check.waiting.push_back(std::move(done));
    checks.push_back(std::move(check));
    startNext(now);
}

bool Credentials::isCurrent(const Principal& who) const
{
    const cluster::Account* account = cluster::findAccount(engine.state(), who.accountId);
    return account != nullptr && account->enabled && account->tenant == who.tenant &&
           cluster::privilegesOf(engine.state(), account->roleId).contains(who.privileges);
}

void Credentials::startNext(Now now)
{
    if (checking || checks.empty()) {
        return;
    }
    checking = true;
    if (catchUp.isBehind()) {
        catchUp.run(now.mono, [this](const Result<void>&) { checkFirst(); });
    } else {
        checkFirst();
    }
}

void Credentials::checkFirst()
{
    Check& check = checks.front();
    const cluster::Account* account = cluster::findAccountByName(engine.state(), check.user);
    check.accountId = account != nullptr ? account->id : std::string();
    check.revision = account != nullptr ? account->revision : 0;
    ++count.checked;
    passwords.check(std::move(check.password), account != nullptr ? account->passwordHash : std::string(),
                    [this](const Result<bool>& right, Now now) { onChecked(right, now); });
}

void Credentials::onChecked(const Result<bool>& checked, Now now)
{
    checking = false;
    Check check = std::move(checks.front());
    checks.pop_front();
    if (!checked) {
        ++count.flooded;
        for (const auto& done : check.waiting) {
            done(busy(), now);
        }
        return startNext(now);
    }
    const bool right = *checked;
    const cluster::Account* account = cluster::findAccount(engine.state(), check.accountId);
    const bool granted = right && account != nullptr && account->revision == check.revision && account->enabled &&
                         !isLocked(*account, now);
    const Identified result = granted ? Identified(principalOf(engine.state(), *account, {}))
                                      : Identified(unauthorized("The user name or password is wrong."));
    if (granted) {
        failures.erase(account->id);
        remember(check, now);
    } else {
        ++count.wrong;
        if (!right && account != nullptr && !isLocked(*account, now)) {
            noteFailure(*account, now);
        }
    }
    for (const auto& done : check.waiting) {
        done(result, now);
    }
    startNext(now);
}

bool Credentials::isLocked(const cluster::Account& account, Now now) const
{
    // Here before the state knows.
    const auto found = failures.find(account.id);
    return cluster::isLocked(account, now.wall) ||
           (found != failures.end() && found->second.revision == account.revision &&
            found->second.number >= cluster::lockoutThreshold && now.mono < found->second.until);
}

void Credentials::noteFailure(const cluster::Account& account, Now now)
{
    if (failures.size() >= limits::maxAccounts) {
        std::erase_if(failures, [this](const auto& entry) {
            return cluster::findAccount(engine.state(), entry.first) == nullptr;
        });
    }
    Failures& of = failures[account.id];
    if (of.revision != account.revision || now.mono >= of.until) {
        of = {account.revision, 0, now.mono + cluster::lockoutCounterReset};
    }
    if (++of.number < cluster::lockoutThreshold) {
        return;
    }
    ++count.lockouts;
    of.until = now.mono + cluster::lockoutDuration;
    cluster::UpdateAccount lock;
    lock.id = account.id;
    lock.ifRevision = account.revision;
    lock.locked = true;
    engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(lock)}, now.mono + limits::defaultRequestDeadline,
                   [](const Result<cluster::Applied>&) {});
}

void Credentials::identifyToken(const std::string& token, Now now, std::function<void(Identified, Now)> done)
{
    const bool known = findSession(token, now) != nullptr;
    if (known || cluster::revisionOfToken(token) <= engine.state().revision) {
        return done(byToken(token, now), now);
    }
    ++count.caughtUp;
    catchUp.run(now.mono, [this, token, now, done = std::move(done)](const Result<void>& reached) {
        const bool unsure = !reached && cluster::revisionOfToken(token) > engine.state().revision;
        done(unsure ? Identified(unsureOfSession(reached.error())) : byToken(token, now), now);
    });
}

const cluster::Session* Credentials::findSession(const std::string& token, Now now)
{
    const cluster::Session* session = cluster::findSessionByToken(engine.state(), token);
    return session != nullptr && ages.isExpired(*session, now) ? nullptr : session;
}

Identified Credentials::byToken(const std::string& token, Now now)
{
    const cluster::Session* session = findSession(token, now);
    if (session == nullptr) {
        ++count.unknownToken;
        return unauthorized("The session does not exist or has expired.");
    }
    const cluster::Account* account = cluster::findAccount(engine.state(), session->accountId);
    if (account == nullptr) {
        return unauthorized("The session's account is not available.");
    }
    ages.used(*session, now);
    return principalOf(engine.state(), *account, session->id);
}

std::string Credentials::keyOf(const std::string& user, const std::string& password) const
{
    const std::string text = std::to_string(user.size()) + ":" + user + password;
    std::string key(crypto_generichash_BYTES, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(key.data()), key.size(),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                       reinterpret_cast<const unsigned char*>(secret.data()), secret.size());
    return key;
}

const cluster::Account* Credentials::recall(const std::string& key, Now now)
{
    const auto found = memory.find(key);
    if (found == memory.end() || found->second.expires <= now.mono) {
        return nullptr;
    }
    const cluster::Account* account = cluster::findAccount(engine.state(), found->second.accountId);
    const bool unchanged = account != nullptr && account->revision == found->second.revision;
    return unchanged && account->enabled && !isLocked(*account, now) ? account : nullptr;
}

void Credentials::remember(const Check& check, Now now)
{
    if (memory.insert_or_assign(check.key, Memory{check.accountId, check.revision, now.mono + limits::credentialMemory})
            .second) {
        memoryOrder.push_back(check.key);
    }
    if (memoryOrder.size() > limits::maxRememberedCredentials) {
        memory.erase(memoryOrder.front());
        memoryOrder.pop_front();
    }
}

void Credentials::addMetrics(std::vector<Counter>& out) const
{
    out.push_back({"bmcmesh_caught_up_total", "Sessions that were known only after asking the primary", count.caughtUp, false});
    out.push_back({"bmcmesh_logins_remembered_total", "Logins by a remembered credential", count.remembered, false});
    out.push_back({"bmcmesh_logins_checked_total", "Passwords checked", count.checked, false});
    out.push_back({"bmcmesh_logins_wrong_total", "Wrong passwords", count.wrong, false});
    out.push_back({"bmcmesh_logins_lockouts_total", "Accounts locked after too many wrong passwords", count.lockouts, false});
    out.push_back({"bmcmesh_logins_flooded_total", "Logins refused because too many waited", count.flooded, false});
    out.push_back({"bmcmesh_tokens_unknown_total", "Unknown or expired session tokens", count.unknownToken, false});
}

}  // namespace mesh::aggregator
