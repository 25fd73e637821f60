#include "tests/simulation/clients.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <array>

namespace mesh::simulation {

namespace {

const std::string sessionsUri = "/redfish/v1/SessionService/Sessions";
const std::string accountsUri = "/redfish/v1/AccountService/Accounts";
constexpr std::size_t mostSessions = 40;
constexpr std::size_t mostAccounts = 20;
constexpr Duration slack = 5s;  // after the deadline of a change, for what comes before it is proposed

Headers asRoot()
{
    return {{"Authorization", SimAggregator::basicOf("root")}, {"Content-Type", "application/json"}};
}

std::string lastSegment(const std::string& uri)
{
    return uri.substr(uri.rfind('/') + 1);
}

std::string headerOf(const SimAggregator::Reply& reply, const char* name)
{
    const std::string* value = findHeader(reply.head.headers, name);
    return value == nullptr ? std::string() : *value;
}

}  // namespace

ClusterClients::ClusterClients(World& w, ClusterCheckers& c, std::vector<std::unique_ptr<SimAggregator>>& aggregators)
    : world(w), checkers(c), nodes(aggregators)
{
}

std::string ClusterClients::newMarker()
{
    return "c" + std::to_string(nextMarker++);
}

void ClusterClients::ask(const std::string& marker, Request request, Done done)
{
    SimAggregator& node = *nodes[world.rng().below(nodes.size())];
    if (!node.isUp()) {
        return;
    }
    const bool patient = request.always || world.chance(50);
    const Duration patience = patient ? 2 * limits::defaultRequestDeadline : world.between(100ms, 5s);
    checkers.asked(marker, {request.change, world.now().mono + limits::defaultRequestDeadline + slack, request.always});
    node.askOwn(marker, std::move(request.head), std::move(request.body), patience,
                [this, marker, done = std::move(done)](const SimAggregator::Reply& reply) {
                    checkers.answered(marker, reply.head.status);
                    if (done) {
                        done(reply);
                    }
                });
}

void ClusterClients::act()
{
    switch (world.rng().below(9)) {
        case 0:
        case 1: logIn(); break;
        case 2: endSession(); break;
        case 3: createAccount(); break;
        case 4: removeAccount(); break;
        case 5: setTimeout(); break;
        case 6:
            if (!sessions.empty()) {
                useToken(sessions[world.rng().below(sessions.size())]);
            }
            break;
        case 7:
            if (!accounts.empty()) {
                useAccount(accounts[world.rng().below(accounts.size())]);
            }
            break;
        default: read(); break;
    }
}

ClusterClients::Known ClusterClients::take(std::vector<Known>& from)
{
    const std::size_t which = world.rng().below(from.size());
    Known taken = from[which];
    from.erase(from.begin() + static_cast<std::ptrdiff_t>(which));
    return taken;
}

void ClusterClients::logIn()
{
    if (sessions.size() >= mostSessions) {
        return;
    }
    static constexpr std::array users{"root", "acme", "zeta"};
    const std::string user = !accounts.empty() && world.chance(30) ? accounts[world.rng().below(accounts.size())].user
                                                                   : users[world.rng().below(users.size())];
    const std::string marker = newMarker();
    Request request;
    request.head = {"POST", sessionsUri, {{"Content-Type", "application/json"}}};
    request.body = R"({"UserName":")" + user + R"(","Password":"pw-)" + user + R"("})";
    request.change = "session " + marker;
    ask(marker, std::move(request), [this, marker, user](const SimAggregator::Reply& reply) {
        checkers.accountAnswered(marker, user, reply.head.status, reply.unsure);
        if (reply.head.status == 201) {
            const Known session{lastSegment(headerOf(reply, "Location")), user, headerOf(reply, "X-Auth-Token")};
            const auto same = [&user](const Known& account) { return account.user == user; };
            if (user[0] != 'u' || std::any_of(accounts.begin(), accounts.end(), same)) {
                sessions.push_back(session);
                checkers.sessionBegun(session.id, user);
            }
            useToken(session);
        }
    });
}

void ClusterClients::useToken(const Known& session)
{
    const std::string marker = newMarker();
    ask(marker, {{"GET", sessionsUri + "/" + session.id, {{"X-Auth-Token", session.token}}}, {}, {}, false},
        [this, marker, id = session.id](const SimAggregator::Reply& reply) {
            checkers.tokenAnswered(marker, id, reply.head.status);
        });
}

void ClusterClients::endSession()
{
    if (sessions.empty()) {
        return;
    }
    const Known session = take(sessions);
    checkers.sessionEnding(session.id);
    const std::string uri = sessionsUri + "/" + session.id;
    ask(newMarker(), {{"DELETE", uri, {{"X-Auth-Token", session.token}}}, {}, "ended " + session.id, false}, {});
}

void ClusterClients::createAccount()
{
    if (accounts.size() >= mostAccounts) {
        return;
    }
    const std::string marker = newMarker();
    const std::string user = "u" + marker + "-account";
    Request request;
    request.head = {"POST", accountsUri, asRoot()};
    request.body = R"({"UserName":")" + user + R"(","Password":"pw-)" + user + R"(","RoleId":"ReadOnly"})";
    request.change = "account " + user;
    ask(marker, std::move(request), [this, user](const SimAggregator::Reply& reply) {
        if (reply.head.status == 201) {
            accounts.push_back({lastSegment(headerOf(reply, "Location")), user, {}});
            checkers.accountBegun(user);
            useAccount(accounts.back());
        }
    });
}

void ClusterClients::removeAccount()
{
    if (accounts.empty()) {
        return;
    }
    const Known account = take(accounts);
    checkers.accountEnding(account.user);
    std::erase_if(sessions, [&account](const Known& session) { return session.user == account.user; });
    ask(newMarker(), {{"DELETE", accountsUri + "/" + account.id, asRoot()}, {}, "removed " + account.id, false}, {});
}

void ClusterClients::useAccount(const Known& account)
{
    const std::string marker = newMarker();
    ask(marker, {{"GET", accountsUri + "/" + account.id, asRoot()}, {}, {}, false},
        [this, marker, user = account.user](const SimAggregator::Reply& reply) {
            checkers.accountAnswered(marker, user, reply.head.status, reply.unsure);
        });
}

void ClusterClients::setTimeout()
{
    const std::string value = std::to_string(nextTimeout++);
    const std::string body = R"({"SessionTimeout":)" + value + "}";
    ask(newMarker(), {{"PATCH", "/redfish/v1/SessionService", asRoot()}, body, "timeout " + value, false}, {});
}

void ClusterClients::read()
{
    ask(newMarker(), {{"GET", "/redfish/v1/SessionService", asRoot()}, {}, {}, true}, {});
}

}  // namespace mesh::simulation
