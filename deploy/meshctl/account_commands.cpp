#include "cluster/core/accounts.hpp"
#include "cluster/local/local_engine.hpp"
#include "cluster/local/password.hpp"
#include "deploy/meshctl/commands.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"
#include "shoset/host/loop.hpp"
#include "shoset/host/system_rng.hpp"

#include <nlohmann/json.hpp>

#include <deque>
#include <iostream>

namespace mesh::ctl {

namespace {

constexpr const char* accountsUri = "/redfish/v1/AccountService/Accounts";

Result<std::string> readNewPassword(const std::string& file)
{
    if (file.empty()) {
        return Error{Code::invalidArgument, "give the password in a file with mode 0600: --new-password-file FILE"};
    }
    Result<std::string> password = host::readSecretFile(file, limits::maxPasswordBytes + 2);
    if (password) {
        while (password->ends_with('\n') || password->ends_with('\r')) {
            password->pop_back();
        }
    }
    return password;
}

// The state file of a node that is not running; the file's lock says if it is.
class OfflineState {
public:
    static Result<std::unique_ptr<OfflineState>> open(const std::string& file)
    {
        auto state = std::unique_ptr<OfflineState>(new OfflineState);
        OfflineState* self = state.get();
        cluster::LocalEngine::Environment environment{
            [](std::function<void()> job, std::function<void()> done) {
                job();
                done();
                return true;
            },
            [self](std::function<void()> job) { self->jobs.push_back(std::move(job)); },
            [] { return host::systemNow().mono; }};
        auto engine = cluster::LocalEngine::open({file, "meshctl"}, std::move(environment));
        if (!engine) {
            return engine.error();
        }
        state->engine = std::move(*engine);
        return state;
    }

    Result<void> propose(cluster::Operation operation)
    {
        const Now now = host::systemNow();
        std::optional<Result<cluster::Applied>> outcome;
        engine->propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)},
                        now.mono + limits::defaultRequestDeadline,
                        [&outcome](Result<cluster::Applied> applied) { outcome = std::move(applied); });
        while (!outcome && !jobs.empty()) {
            const std::function<void()> job = std::move(jobs.front());
            jobs.pop_front();
            job();
        }
        if (!outcome || !*outcome) {
            return outcome ? outcome->error() : Error{Code::unavailable, "the state file did not answer"};
        }
        return (*outcome)->ok() ? Result<void>{} : Result<void>{(*outcome)->error};
    }

    const cluster::State& state() const { return engine->state(); }

private:
    OfflineState() = default;
    host::SystemRng rng;
    std::deque<std::function<void()>> jobs;
    std::unique_ptr<cluster::LocalEngine> engine;
};

int finish(const Result<void>& result)
{
    if (result) {
        return exitOk;
    }
    complain(result.error());
    return exitFailed;
}

int send(Connection connection, const std::string& method, const std::string& target, const nlohmann::json& body)
{
    HttpOptions options;
    options.method = method;
    options.target = target;
    options.body = body.is_null() ? std::string() : body.dump();
    return http(std::move(connection), options);
}

// The URI of an account through the facade, by its user name.
Result<std::string> findAccountUri(const Connection& connection, const std::string& user)
{
    const Result<Reply> list = request(connection, "GET", accountsUri, {}, {});
    if (!list) {
        return list.error();
    }
    const auto parsed = nlohmann::json::parse(list->body, nullptr, false);
    if (list->status != 200 || !parsed.is_object()) {
        return Error{Code::refused, "the list of accounts was answered " + std::to_string(list->status)};
    }
    for (const auto& member : parsed.value("Members", nlohmann::json::array())) {
        const std::string uri = member.value("@odata.id", "");
        const Result<Reply> account = request(connection, "GET", uri, {}, {});
        const auto body = account ? nlohmann::json::parse(account->body, nullptr, false) : nlohmann::json();
        if (body.is_object() && body.value("UserName", "") == user) {
            return uri;
        }
    }
    return Error{Code::notFound, "there is no account '" + user + "'"};
}

Result<void> addOffline(const AccountOptions& options, const std::string& password)
{
    if (Result<void> good = cluster::checkPassword(password, options.user); !good) {
        return good;
    }
    Result<std::string> hash = cluster::hashPassword(password);
    Result<std::unique_ptr<OfflineState>> state = OfflineState::open(options.file);
    if (!hash || !state) {
        return hash ? state.error() : hash.error();
    }
    return (*state)->propose(cluster::CreateAccount{options.user, *hash, options.role, options.tenant, true,
                                                    options.passwordChangeRequired});
}

template <class Change>
Result<void> changeOffline(const AccountOptions& options, Change change)
{
    Result<std::unique_ptr<OfflineState>> state = OfflineState::open(options.file);
    if (!state) {
        return state.error();
    }
    const cluster::Account* account = cluster::findAccountByName((*state)->state(), options.user);
    if (account == nullptr) {
        return Error{Code::notFound, "there is no account '" + options.user + "'"};
    }
    return (*state)->propose(change(*account));
}

}  // namespace

int accountAdd(Connection connection, const AccountOptions& options)
{
    Result<std::string> password = readNewPassword(options.newPasswordFile);
    if (!password) {
        return complain(password.error());
    }
    if (!options.file.empty()) {
        return finish(addOffline(options, *password));
    }
    nlohmann::json body{{"UserName", options.user}, {"Password", *password}, {"RoleId", options.role}};
    if (options.passwordChangeRequired) {
        body["PasswordChangeRequired"] = true;
    }
    if (!options.tenant.empty()) {
        body["Oem"] = {{"Bmcmesh", {{"Tenant", options.tenant}}}};
    }
    return send(std::move(connection), "POST", accountsUri, body);
}

int accountList(Connection connection, const AccountOptions& options)
{
    if (options.file.empty()) {
        return send(std::move(connection), "GET", accountsUri, nullptr);
    }
    Result<std::unique_ptr<OfflineState>> state = OfflineState::open(options.file);
    if (!state) {
        return finish(state.error());
    }
    nlohmann::json list = nlohmann::json::array();
    for (const auto& [id, account] : (*state)->state().accounts) {
        list.push_back({{"id", id}, {"user", account.userName}, {"role", account.roleId}, {"tenant", account.tenant}, {"enabled", account.enabled}});
        if (!connection.json) {
            std::cout << account.userName << "  " << account.roleId << "  " << (account.tenant.empty() ? "-" : account.tenant)
                      << "  " << (account.enabled ? "enabled" : "disabled") << '\n';
        }
    }
    if (connection.json) {
        std::cout << list << '\n';
    }
    return exitOk;
}

int accountRemove(Connection connection, const AccountOptions& options)
{
    if (!options.file.empty()) {
        return finish(changeOffline(options, [](const cluster::Account& account) {
            return cluster::DeleteAccount{account.id, cluster::anyRevision};
        }));
    }
    if (Result<void> complete = completeConnection(connection); !complete) {
        return complain(complete.error());
    }
    const Result<std::string> uri = findAccountUri(connection, options.user);
    return uri ? send(std::move(connection), "DELETE", *uri, nullptr) : complain(uri.error());
}

int accountPassword(Connection connection, const AccountOptions& options)
{
    Result<std::string> password = readNewPassword(options.newPasswordFile);
    if (!password) {
        return complain(password.error());
    }
    if (!options.file.empty()) {
        if (Result<void> good = cluster::checkPassword(*password, options.user); !good) {
            return finish(good);
        }
        Result<std::string> hash = cluster::hashPassword(*password);
        if (!hash) {
            return finish(hash.error());
        }
        return finish(changeOffline(options, [&hash](const cluster::Account& account) {
            cluster::UpdateAccount update;
            update.id = account.id;
            update.passwordHash = *hash;
            return update;
        }));
    }
    if (Result<void> complete = completeConnection(connection); !complete) {
        return complain(complete.error());
    }
    const Result<std::string> uri = findAccountUri(connection, options.user);
    return uri ? send(std::move(connection), "PATCH", *uri, {{"Password", *password}}) : complain(uri.error());
}

}  // namespace mesh::ctl
