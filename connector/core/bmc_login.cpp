#include "connector/core/bmc_login.hpp"

#include "connector/core/bmc_request.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mesh::connector {

namespace {

constexpr std::string_view sessionsPath = "/redfish/v1/SessionService/Sessions";
// Asks for Login privilege in the standard privilege registry, and is small.
constexpr std::string_view checkPath = "/redfish/v1/SessionService";
constexpr std::size_t maxTokenBytes = 4096;

bool cannotAnswerNow(int status)
{
    return status >= 500 || status == 429 || status == 408;
}

}  // namespace

void wipe(std::string& secret)
{
    explicit_bzero(secret.data(), secret.capacity());
    secret.clear();
}

BmcLogin::BmcLogin(std::string bmcName, BmcAuth kind, std::string userName, const std::string& secret, Rng& source)
    : name(std::move(bmcName)), auth(kind), user(std::move(userName)), password(secret), rng(&source)
{
}

BmcLogin::~BmcLogin()
{
    forget();
    wipe(password);
}

void BmcLogin::forget()
{
    if (carried) {
        wipe(carried->value);
        carried.reset();
    }
    session.clear();
    proven = false;
}

BmcLogin::Gate BmcLogin::gate(Instant now) const
{
    if (auth == BmcAuth::none || proven) {
        return Gate::open;
    }
    if (busy) {
        return Gate::running;
    }
    return now < blockedUntil ? Gate::refused : Gate::needed;
}

Error BmcLogin::refusal(Instant now) const
{
    const auto seconds = std::max<std::int64_t>(1, (toMillis(blockedUntil - now) + 999) / 1000);
    return Error{blockedBy.code, blockedBy.message + "; next attempt in " + std::to_string(seconds) + " s"};
}

BmcLogin::Request BmcLogin::begin()
{
    busy = true;
    ++count.logins;
    replaced = session;
    forget();
    Request request;
    request.head.headers.push_back({"Accept", "application/json"});
    request.head.headers.push_back({"OData-Version", "4.0"});
    if (auth == BmcAuth::basic) {
        std::string pair;
        pair.reserve(user.size() + password.size() + 1);
        pair.append(user).append(":").append(password);
        carried = Header{"Authorization", {}};
        carried->value.reserve(pair.size() / 3 * 4 + 16);
        std::string encoded = toBase64(pair);
        carried->value.append("Basic ").append(encoded);
        wipe(encoded);
        wipe(pair);
        request.head.method = "GET";
        request.head.target = checkPath;
        return request;
    }
    request.head.method = "POST";
    request.head.target = sessionsPath;
    request.head.headers.push_back({"Content-Type", "application/json"});
    std::string quotedUser = toJsonString(user);
    std::string quotedPassword = toJsonString(password);
    request.body.reserve(quotedUser.size() + quotedPassword.size() + 32);
    request.body.append("{\"UserName\":").append(quotedUser).append(",\"Password\":").append(quotedPassword).append("}");
    wipe(quotedPassword);
    return request;
}

Result<void> BmcLogin::answered(const ResponseHead& head, Instant now)
{
    busy = false;
    const bool success = head.status >= 200 && head.status < 300;
    const std::string* token = findHeader(head.headers, "X-Auth-Token");
    const bool tokenUsable = token != nullptr && !token->empty() && token->size() <= maxTokenBytes;
    const bool basicAccepted = auth == BmcAuth::basic && head.status != 401 && !cannotAnswerNow(head.status);
    if (basicAccepted || (auth == BmcAuth::session && success && tokenUsable)) {
        if (auth == BmcAuth::session) {
            const std::string* location = findHeader(head.headers, "Location");
            carried = Header{"X-Auth-Token", *token};
            session = location == nullptr ? std::string() : locationPath(*location);
        }
        proven = true;
        refusals = 0;
        ++current;
        return {};
    }
    forget();
    const bool later = cannotAnswerNow(head.status);
    std::string what = name + ": login as " + user + " was answered " + std::to_string(head.status);
    if (success) {
        what += " without a usable X-Auth-Token";
    }
    blockedBy = Error{later ? Code::notSent : Code::refused, std::move(what)};
    // What cannot answer does not count against the account: a short pause is enough.
    refusals = later ? refusals : refusals + 1;
    blockedUntil = now + (later ? limits::bmcConnectPause : pause(refusals, limits::bmcLoginBackoffMax));
    return blockedBy;
}

void BmcLogin::accepted()
{
    useless = 0;
    reloginAfter = {};
    replaced.clear();
}

void BmcLogin::failed()
{
    busy = false;
    forget();
}

Duration BmcLogin::pause(unsigned attempt, Duration most)
{
    const unsigned doublings = std::min(attempt - 1, 16u);
    const Duration full = std::min<Duration>(limits::bmcLoginBackoff * (1u << doublings), most);
    const auto half = static_cast<std::uint64_t>(full.count() / 2);
    return Duration(static_cast<Duration::rep>(half + rng->below(half + 1)));
}

BmcLogin::Verdict BmcLogin::unauthorized(std::uint64_t generation, bool repeated, Instant now)
{
    if (auth == BmcAuth::none) {
        return Verdict::refuse;
    }
    if (repeated) {
        if (generation == current) {
            ++useless;
            reloginAfter = now + pause(useless, limits::bmcReloginPauseMax);
            keepForEnding();
        }
        return Verdict::refuse;
    }
    if (generation != current || busy || !proven) {
        return Verdict::repeat;
    }
    if (now < reloginAfter) {
        return Verdict::refuse;
    }
    ++count.relogins;
    return Verdict::relogin;
}

void BmcLogin::keepForEnding()
{
    if (!replaced.empty() && replaced != session && superseded.size() < limits::bmcSupersededSessions) {
        superseded.push_back(replaced);
    }
    replaced.clear();
}

std::optional<BmcLogin::Request> BmcLogin::endSuperseded()
{
    if (!hasSuperseded()) {
        return std::nullopt;
    }
    Request request = ending(std::move(superseded.back()));
    superseded.pop_back();
    return request;
}

std::optional<BmcLogin::Request> BmcLogin::logout()
{
    if (!proven || session.empty()) {
        return std::nullopt;
    }
    return ending(std::exchange(session, {}));
}

BmcLogin::Request BmcLogin::ending(std::string session)
{
    Request request;
    request.head.method = "DELETE";
    request.head.target = std::move(session);
    return request;
}

}  // namespace mesh::connector
