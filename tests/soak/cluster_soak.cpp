#include "shoset/base/rng.hpp"
#include "tests/soak/soak_member.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace mesh::soak {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::uint64_t members = 3;
constexpr std::uint64_t keys = 8;
// limits::maxRememberedResults of these are twenty seconds; what is asked for lives for ten, stops included.
constexpr milliseconds proposalInterval(20);

struct Child {
    pid_t pid = -1;
    int socket = -1;
    bool stopped = false;
    Clock::time_point back;  // when it is to go on, if it is down or stopped
    std::vector<std::string> report;
};

struct Proposal {
    std::string what;
    std::uint64_t key = 0;  // `keys`: counted
    Clock::time_point askedAt;
};

class Soak {
public:
    Soak(std::uint64_t seed, std::string folder) : rng(seed), root(std::move(folder)) {}

    bool run(std::chrono::seconds time)
    {
        for (std::uint64_t id = 1; id <= members; ++id) {
            begin(id);
        }
        const Clock::time_point end = Clock::now() + time;
        Clock::time_point harmAt = Clock::now() + milliseconds(3000);
        while (Clock::now() < end && !failed) {
            turn();
            proposeMore();
            restore();
            if (Clock::now() >= harmAt) {
                harm();
                harmAt = Clock::now() + milliseconds(200 + rng.below(1500));
            }
        }
        return !failed && settle() && verify();
    }
    void finish()
    {
        for (auto& [id, child] : children) {
            if (child.pid > 0) {
                ::kill(child.pid, SIGKILL);
                ::waitpid(child.pid, nullptr, 0);
            }
        }
    }
    void print() const
    {
        std::uint64_t guardedNow = 0, restoredNow = 0, snapshotsNow = 0;
        for (const auto& [id, child] : children) {
            if (child.report.size() == 7) {
                guardedNow += std::stoull(child.report[4]);
                restoredNow += std::stoull(child.report[5]);
                snapshotsNow += std::stoull(child.report[6]);
            }
        }
        std::printf("acknowledged %llu of %llu (%llu counted), repeated %llu; kills %llu, stops %llu, cuts %llu; "
                    "guarded %llu, restored %llu, snapshots %llu\n",
                    number(acknowledged), number(sequence), number(counted), number(repeated), number(kills), number(stops),
                    number(cutCount), number(guarded + guardedNow), number(restored + restoredNow),
                    number(snapshots + snapshotsNow));
    }

private:
    static unsigned long long number(std::uint64_t value) { return value; }
    void fail(const std::string& what)
    {
        failed = true;
        std::printf("FAILED: %s\n", what.c_str());
    }

    void begin(std::uint64_t id)
    {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) {
            return fail("no socket pair");
        }
        const int room = 1024 * 1024;
        for (const int each : ends) {
            ::setsockopt(each, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
        }
        Child& child = children[id];
        child.pid = ::fork();
        if (child.pid == 0) {
            ::close(ends[0]);
            for (const auto& [other, theirs] : children) {
                if (theirs.socket >= 0) {
                    ::close(theirs.socket);
                }
            }
            ::_exit(runMember(id, members, root + "/m" + std::to_string(id), ends[1]));
        }
        ::close(ends[1]);
        child.socket = ends[0];
        child.stopped = false;
    }
    // Adds up the figures of its life.
    void forget(Child& child)
    {
        if (child.report.size() == 7) {
            guarded += std::stoull(child.report[4]);
            restored += std::stoull(child.report[5]);
            snapshots += std::stoull(child.report[6]);
        }
        child.report.clear();
        ::close(child.socket);
        child.socket = -1;
        child.pid = -1;
    }

    void turn()
    {
        std::vector<pollfd> waited;
        for (const auto& [id, child] : children) {
            if (child.socket >= 0) {
                waited.push_back({child.socket, POLLIN, 0});
            }
        }
        ::poll(waited.data(), waited.size(), 10);
        for (auto& [id, child] : children) {
            Packet packet;
            bool ended = false;
            for (int i = 0; i < 64 && child.socket >= 0 && readPacket(child.socket, packet, ended); ++i) {
                if (packet.peer == 0) {
                    hear(child, words(packet.bytes));
                } else if (const auto to = children.find(packet.peer);
                           to != children.end() && to->second.socket >= 0 && !cuts.contains({id, packet.peer})) {
                    sendPacket(to->second.socket, id, packet.bytes);
                }
            }
            int status = 0;
            if (child.pid > 0 && ::waitpid(child.pid, &status, WNOHANG) == child.pid) {
                fail("member " + std::to_string(id) + " ended by itself, " +
                     (WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                          : "status " + std::to_string(WEXITSTATUS(status))));
                forget(child);
            }
        }
    }

    void hear(Child& child, const std::vector<std::string>& said)
    {
        if (said[0] == "report") {
            child.report = said;
        } else if (said[0] == "value") {
            values[said[1]].insert(said[2]);
            ++answers;
        } else if (const auto open = proposals.find(std::stoull(said[1])); open != proposals.end()) {
            if (said[2] == "ok") {
                ++acknowledged;
                counted += open->second.key == keys ? 1 : 0;
                if (open->second.key < keys) {
                    lastOf[open->second.key] = open->first;
                }
                busy.erase(open->second.key);
                proposals.erase(open);
            } else if (said[2] == "outcome_unknown" || said[2] == "unavailable" || said[2] == "not_sent" ||
                       said[2] == "deadline_exceeded" || said[2] == "full") {
                ask(open->first, open->second);
            } else {
                fail("a proposal was answered with " + said[2]);
            }
        }
    }
    void ask(std::uint64_t id, Proposal& proposal)
    {
        repeated += proposal.askedAt == Clock::time_point() ? 0 : 1;
        proposal.askedAt = Clock::now();
        const Child& child = children[1 + rng.below(members)];
        if (child.socket >= 0) {
            sendPacket(child.socket, 0, "propose " + std::to_string(id) + " " + proposal.what);
        }
    }
    // One for each key, and one that is counted; not so fast that an id is forgotten while a repeat may be on its way.
    // What nobody answers is asked again.
    void proposeMore()
    {
        const std::uint64_t key = rng.below(keys + 1);
        if (Clock::now() - proposedAt > proposalInterval) {
            proposedAt = Clock::now();
            if (busy.insert(key).second) {
                propose(key);
            }
        }
        repeatOld();
        if (Clock::now() - reportedAt > milliseconds(300)) {
            reportedAt = Clock::now();
            tellAll("report");
        }
    }
    void propose(std::uint64_t key)
    {
        Proposal& fresh = proposals[++sequence];
        fresh.key = key;
        fresh.what = key == keys ? "count" : "put k" + std::to_string(key);
        ask(sequence, fresh);
    }
    void repeatOld()
    {
        for (auto& [id, proposal] : proposals) {
            if (Clock::now() - proposal.askedAt > milliseconds(4000)) {
                ask(id, proposal);
            }
        }
    }
    void tellAll(const std::string& what)
    {
        for (const auto& [id, child] : children) {
            if (child.socket >= 0) {
                sendPacket(child.socket, 0, what);
            }
        }
    }

    void harm()
    {
        const std::uint64_t id = 1 + rng.below(members);
        Child& child = children[id];
        if (child.pid < 0 || child.stopped) {
            return;
        }
        child.back = Clock::now() + milliseconds(50 + rng.below(2500));
        switch (rng.below(4)) {
            case 0:
                ++cutCount;
                cuts.insert({id, 1 + rng.below(members)});
                break;
            case 1:
                ++stops;
                child.stopped = true;
                ::kill(child.pid, SIGSTOP);
                break;
            default:
                ++kills;
                ::kill(child.pid, SIGKILL);
                ::waitpid(child.pid, nullptr, 0);
                forget(child);
        }
    }
    void restore()
    {
        if (rng.below(100) == 0) {
            cuts.clear();
        }
        for (auto& [id, child] : children) {
            if (Clock::now() < child.back) {
                continue;
            }
            if (child.pid < 0 && !failed) {
                begin(id);
            } else if (child.stopped) {
                child.stopped = false;
                ::kill(child.pid, SIGCONT);
            }
        }
    }

    template <class Condition>
    bool wait(Condition condition, const char* what)
    {
        const Clock::time_point end = Clock::now() + std::chrono::minutes(2);
        while (!condition()) {
            turn();
            repeatOld();
            if (failed || Clock::now() > end) {
                fail(what);
                return false;
            }
        }
        return true;
    }
    bool settle()
    {
        cuts.clear();
        for (auto& [id, child] : children) {
            child.back = Clock::time_point();
        }
        restore();
        if (!wait([this] { return proposals.empty(); }, "not everything was acknowledged in the end")) {
            return false;
        }
        // Who answers this one lives on and has applied all before it, so reports from now on are of that state, or differ from his.
        propose(keys);
        if (!wait([this] { return proposals.empty(); }, "the last proposal was not acknowledged")) {
            return false;
        }
        for (auto& [id, child] : children) {
            child.report.clear();
        }
        return wait(
            [this] {
                tellAll("report");
                std::set<std::string> hashes;
                for (const auto& [id, child] : children) {
                    hashes.insert(child.report.size() == 7 ? child.report[1] : "?" + std::to_string(id));
                }
                return hashes.size() == 1;
            },
            "the states differ in the end");
    }
    bool verify()
    {
        for (const auto& [key, last] : lastOf) {
            tellAll("get k" + std::to_string(key));
        }
        if (!wait([this] { return answers == lastOf.size() * members; }, "no answers")) {
            return false;
        }
        for (const auto& [key, last] : lastOf) {
            if (values["k" + std::to_string(key)] != std::set<std::string>{std::to_string(last)}) {
                fail("key " + std::to_string(key) + " has not the value that was acknowledged last");
            }
        }
        for (const auto& [id, child] : children) {
            if (child.report[2] != std::to_string(counted + 1)) {
                fail("counted " + std::to_string(counted) + ", but member " + std::to_string(id) + " is at " +
                     child.report[2]);
            }
        }
        return !failed;
    }

    SeededRng rng;
    std::string root;
    std::map<std::uint64_t, Child> children;
    std::set<std::pair<std::uint64_t, std::uint64_t>> cuts;
    std::map<std::uint64_t, Proposal> proposals;
    std::set<std::uint64_t> busy;
    std::map<std::uint64_t, std::uint64_t> lastOf;  // by key: the proposal that was acknowledged last
    std::map<std::string, std::set<std::string>> values;
    Clock::time_point reportedAt;
    Clock::time_point proposedAt;
    std::uint64_t answers = 0, sequence = 0, acknowledged = 0, counted = 0, repeated = 0;
    std::uint64_t kills = 0, stops = 0, cutCount = 0, guarded = 0, restored = 0, snapshots = 0;
    bool failed = false;
};

}  // namespace
}  // namespace mesh::soak

int main(int argc, char** argv)
{
    const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : static_cast<std::uint64_t>(::getpid());
    std::string folder = (std::filesystem::temp_directory_path() / "mesh-soak-XXXXXX").string();
    if (argc < 2 || ::mkdtemp(folder.data()) == nullptr) {
        std::fprintf(stderr, "usage: cluster_soak SECONDS [SEED]\n");
        return 2;
    }
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    mesh::soak::Soak soak(seed, folder);
    const bool passed = soak.run(std::chrono::seconds(std::atoi(argv[1])));
    soak.print();
    soak.finish();
    std::printf(passed ? "passed\n" : "failed; the directories are in %s\n", folder.c_str());
    if (passed) {
        std::filesystem::remove_all(folder);
    }
    return passed ? 0 : 1;
}
