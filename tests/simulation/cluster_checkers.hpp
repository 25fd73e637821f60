#pragma once

#include "cluster/core/state_machine.hpp"
#include "tests/simulation/world.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace mesh::simulation {

// What clients asked of the cluster and were told, what its members committed and applied, and whether they agree.
class ClusterCheckers {
public:
    explicit ClusterCheckers(World& virtualWorld) : world(virtualWorld) {}

    struct Asked {
        std::string change;  // as changeOf() says; empty: a read
        Instant deadline{};  // the client has given up before, or has its answer
        bool always = false;  // a read that is answered with 200, whatever the cluster does
        bool ended = false;
        int status = 0;  // 0: cut off, given up, or the node died
    };
    void asked(const std::string& marker, Asked request);
    void answered(const std::string& marker, int status);

    // A client holds the session's token, or has asked to end it, itself or with its account.
    void sessionBegun(const std::string& id, const std::string& user);
    void sessionEnding(const std::string& id);
    void accountBegun(const std::string& user);
    void accountEnding(const std::string& user);
    bool lives(const std::string& session) const { return sessions.contains(session); }
    // It was shown to a node.
    void tokenAnswered(const std::string& marker, const std::string& session, int status);
    // Somebody asked for an account, or logged in with it. `unsure`: the node could not ask the cluster.
    void accountAnswered(const std::string& marker, const std::string& user, int status, bool unsure);

    // A member found that a majority has what it proposed in that term.
    void committed(std::uint64_t term, const std::string& member);
    // A member applies the entry at that place of the log.
    void applied(const std::string& member, std::size_t place, std::uint64_t term, std::uint64_t token,
                 const std::string& bytes);

    // At the end of a run, when all is healed.
    void finish(const std::map<std::string, const cluster::StateMachine*>& members);

    std::size_t requests() const { return all.size(); }
    std::size_t made() const { return successes; }

private:
    struct Entry {
        std::uint64_t term = 0;
        std::uint64_t token = 0;
        std::string bytes;
    };
    // What the log says that was made.
    std::set<std::string> changesMade(cluster::StateMachine& replayed);
    void checkRequest(const std::string& marker, const Asked& request, const std::set<std::string>& made);

    World& world;
    std::map<std::string, Asked> all;
    std::map<std::string, std::string> sessions;  // that live for sure: id to user
    std::set<std::string> users;                     // whose accounts are there for sure
    std::map<std::uint64_t, std::string> primaries;  // by term
    std::vector<Entry> history;
    std::size_t successes = 0;
};

// What tells one change of the clients from all others: "account u7", "removed 12", "session m7", "ended <id>",
// "timeout 1234". Empty for what clients do not ask.
std::string changeOf(const cluster::Operation& operation);

}  // namespace mesh::simulation
