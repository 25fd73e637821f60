#include "tests/simulation/cluster_checkers.hpp"

#include "cluster/core/codec.hpp"

#include <variant>

namespace mesh::simulation {

std::string changeOf(const cluster::Operation& operation)
{
    if (const auto* account = std::get_if<cluster::CreateAccount>(&operation)) {
        return "account " + account->userName;
    }
    if (const auto* removed = std::get_if<cluster::DeleteAccount>(&operation)) {
        return "removed " + removed->id;
    }
    if (const auto* session = std::get_if<cluster::CreateSession>(&operation)) {
        return "session " + session->client;
    }
    if (const auto* ended = std::get_if<cluster::EndSession>(&operation)) {
        return "ended " + ended->id;
    }
    if (const auto* property = std::get_if<cluster::PutProperty>(&operation)) {
        const std::size_t digits = property->json.find_first_of("0123456789");
        return "timeout " + property->json.substr(digits, property->json.find('}') - digits);
    }
    return {};
}

void ClusterCheckers::asked(const std::string& marker, Asked request)
{
    world.trace("ask " + marker + " " + (request.change.empty() ? "to read" : request.change));
    all.emplace(marker, std::move(request));
}

void ClusterCheckers::answered(const std::string& marker, int status)
{
    world.trace("answer " + marker + " " + std::to_string(status));
    Asked& request = all.at(marker);
    if (request.ended) {
        world.fail(marker + " was answered twice");
    }
    request.ended = true;
    request.status = status;
    successes += !request.change.empty() && status >= 200 && status < 300 ? 1 : 0;
    if (status != 0 && world.now().mono > request.deadline) {
        world.fail(marker + " was answered after its deadline");
    }
    if (request.always && status != 200 && status != 0) {
        world.fail(marker + ": a read was answered with " + std::to_string(status));
    }
}

void ClusterCheckers::sessionBegun(const std::string& id, const std::string& user)
{
    sessions[id] = user;
}

void ClusterCheckers::sessionEnding(const std::string& id)
{
    sessions.erase(id);
}

void ClusterCheckers::accountBegun(const std::string& user)
{
    users.insert(user);
}

void ClusterCheckers::accountEnding(const std::string& user)
{
    users.erase(user);
    std::erase_if(sessions, [&user](const auto& session) { return session.second == user; });
}

void ClusterCheckers::tokenAnswered(const std::string& marker, const std::string& session, int status)
{
    if (status != 0 && status != 200 && status != 503 && lives(session)) {
        world.fail(marker + ": the token of a session that lives was answered with " + std::to_string(status));
    }
}

void ClusterCheckers::accountAnswered(const std::string& marker, const std::string& user, int status, bool unsure)
{
    if ((status == 401 || status == 404) && !unsure && users.contains(user)) {
        world.fail(marker + ": the account " + user + " is there, and was denied with " + std::to_string(status));
    }
}

void ClusterCheckers::committed(std::uint64_t term, const std::string& member)
{
    const std::string& primary = primaries.emplace(term, member).first->second;
    if (primary != member) {
        world.fail(primary + " and " + member + " both committed in term " + std::to_string(term));
    }
}

void ClusterCheckers::applied(const std::string& member, std::size_t place, std::uint64_t term, std::uint64_t token,
                              const std::string& bytes)
{
    if (place == history.size() + 1) {
        history.push_back({term, token, bytes});
    } else if (place > history.size() || history[place - 1].term != term || history[place - 1].token != token ||
               history[place - 1].bytes != bytes) {
        world.fail(member + " applied another entry at " + std::to_string(place) + " than the others");
    }
}

std::set<std::string> ClusterCheckers::changesMade(cluster::StateMachine& replayed)
{
    std::set<std::string> made;
    for (const Entry& entry : history) {
        if (entry.bytes.empty()) {
            continue;
        }
        std::vector<cluster::Change> changes;
        const auto command = cluster::decodeCommand(entry.bytes);
        const auto done = replayed.apply(entry.bytes, changes);
        if (command && done && done->ok()) {
            made.insert(changeOf(command->operation));
        }
    }
    return made;
}

void ClusterCheckers::checkRequest(const std::string& marker, const Asked& request, const std::set<std::string>& made)
{
    if (!request.ended) {
        world.fail(marker + " never ended");
    } else if (request.change.empty()) {
        return;
    } else if (request.status >= 200 && request.status < 300 && !made.contains(request.change)) {
        world.fail(marker + " was acknowledged and is lost: " + request.change);
    } else if (request.status == 503 && made.contains(request.change)) {
        world.fail(marker + ": the client was told that nothing was changed, but it was: " + request.change);
    }
}

void ClusterCheckers::finish(const std::map<std::string, const cluster::StateMachine*>& members)
{
    cluster::StateMachine replayed;
    const std::set<std::string> made = changesMade(replayed);
    for (const auto& [marker, request] : all) {
        checkRequest(marker, request, made);
    }
    if (replayed.state().serviceUuid.empty() || replayed.state().nodes.size() != members.size()) {
        world.fail("the cluster was never founded");
    }
    for (const auto& [name, machine] : members) {
        if (machine->hash() != replayed.hash()) {
            world.fail(name + " has another state than the log makes: revision " +
                       std::to_string(machine->state().revision) + " of " + std::to_string(replayed.state().revision));
        }
    }
    for (const std::string& user : users) {
        if (cluster::findAccountByName(replayed.state(), user) == nullptr) {
            world.fail("account " + user + " was acknowledged and is not there in the end");
        }
    }
    for (const auto& [id, user] : sessions) {
        if (cluster::findSession(replayed.state(), id) == nullptr) {
            world.fail("session " + id + " of " + user + " was acknowledged and is not there in the end");
        }
    }
}

}  // namespace mesh::simulation
