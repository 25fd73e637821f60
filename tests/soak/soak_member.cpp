#include "tests/soak/soak_member.hpp"

#include "cluster/raft/raft_engine.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <deque>
#include <mutex>
#include <sstream>
#include <utility>

namespace mesh::soak {

namespace {

constexpr std::size_t maxPacket = 256 * 1024;

class Member {
public:
    Member(std::uint64_t selfId, int parentSocket) : self(selfId), parent(parentSocket), wake(::eventfd(0, EFD_NONBLOCK)) {}

    int run(std::uint64_t members, const std::string& directory)
    {
        cluster::RaftEngine::Options options;
        options.directory = directory;
        options.self = self;
        options.name = "m" + std::to_string(self);
        for (std::uint64_t id = 1; id <= members; ++id) {
            options.bootstrap.push_back({id, "m" + std::to_string(id), true});
        }
        options.election = 300ms;
        options.heartbeat = 50ms;
        options.snapshotThreshold = 40;
        options.snapshotTrailing = 10;
        cluster::RaftEngine::Environment environment;
        environment.post = [this](std::function<void()> job) { post(std::move(job)); };
        environment.now = [] { return now(); };
        environment.send = [this](std::uint64_t to, const std::string& message) { sendPacket(parent, to, message); };
        auto opened = cluster::RaftEngine::open(options, std::move(environment));
        if (!opened) {
            std::fprintf(stderr, "member %d: %s\n", static_cast<int>(self), opened.error().message.c_str());
            return 1;
        }
        engine = std::move(*opened);
        while (turn()) {
        }
        return 0;
    }

private:
    static Instant now() { return Instant(std::chrono::steady_clock::now().time_since_epoch()); }

    void post(std::function<void()> job)
    {
        const std::lock_guard lock(mutex);
        posted.push_back(std::move(job));
        const std::uint64_t one = 1;
        (void)!::write(wake, &one, sizeof(one));
    }

    bool turn()
    {
        std::array<pollfd, 2> waited{{{parent, POLLIN, 0}, {wake, POLLIN, 0}}};
        ::poll(waited.data(), waited.size(), 20);
        std::uint64_t ignored = 0;
        (void)!::read(wake, &ignored, sizeof(ignored));
        std::deque<std::function<void()>> jobs;
        {
            const std::lock_guard lock(mutex);
            jobs.swap(posted);
        }
        for (const std::function<void()>& job : jobs) {
            job();
        }
        Packet packet;
        bool ended = false;
        for (int i = 0; i < 64 && readPacket(parent, packet, ended); ++i) {
            if (packet.peer == 0) {
                command(words(packet.bytes));
            } else {
                engine->receive(packet.peer, std::move(packet.bytes));
            }
        }
        if (now() - ticked > 20ms) {
            ticked = now();
            engine->expire();
        }
        return !ended;
    }

    void command(const std::vector<std::string>& said)
    {
        if (said[0] == "propose") {
            propose(said);
        } else if (said[0] == "get") {
            const cluster::Property* property = cluster::findProperty(engine->state(), "/" + said[1]);
            sendPacket(parent, 0, "value " + said[1] + " " + (property == nullptr ? "-" : property->json));
        } else {
            const cluster::RaftCounters count = engine->counters();
            sendPacket(parent, 0, "report " + engine->hash() + " " + std::to_string(engine->state().generation) + " " +
                                      std::to_string(static_cast<int>(engine->status().role)) + " " +
                                      std::to_string(count.host.guarded) + " " + std::to_string(count.restored) + " " +
                                      std::to_string(count.host.snapshots));
        }
    }

    void propose(const std::vector<std::string>& said)
    {
        const std::uint64_t sequence = std::stoull(said[1]);
        SeededRng rng(sequence);
        cluster::Command wanted;
        wanted.stamp = WallTime(std::chrono::milliseconds(sequence));
        wanted.requestId = MessageId::make(wanted.stamp, rng);
        if (said[2] == "count") {
            wanted.operation = cluster::RaiseGeneration{};
        } else {
            wanted.operation = cluster::PutProperty{"/" + said[3], cluster::anyRevision, std::to_string(sequence)};
        }
        engine->propose(std::move(wanted), now() + 3s, [this, sequence](const Result<cluster::Applied>& applied) {
            const Code code = applied ? applied->error.code : applied.error().code;
            sendPacket(parent, 0, "done " + std::to_string(sequence) + " " + codeName(code));
        });
    }

    std::uint64_t self;
    int parent;
    int wake;
    std::unique_ptr<cluster::RaftEngine> engine;
    std::mutex mutex;
    std::deque<std::function<void()>> posted;
    Instant ticked{};
};

}  // namespace

bool sendPacket(int socket, std::uint64_t peer, std::string_view bytes)
{
    std::string packet(reinterpret_cast<const char*>(&peer), sizeof(peer));
    packet += bytes;
    return ::send(socket, packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL) ==
           static_cast<ssize_t>(packet.size());
}

bool readPacket(int socket, Packet& packet, bool& ended)
{
    std::string bytes(maxPacket, '\0');
    const ssize_t length = ::recv(socket, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (length < static_cast<ssize_t>(sizeof(packet.peer))) {
        ended = length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR);
        return false;
    }
    std::memcpy(&packet.peer, bytes.data(), sizeof(packet.peer));
    packet.bytes = bytes.substr(sizeof(packet.peer), static_cast<std::size_t>(length) - sizeof(packet.peer));
    return true;
}

std::vector<std::string> words(const std::string& text)
{
    std::istringstream in(text);
    std::vector<std::string> all;
    for (std::string word; in >> word;) {
        all.push_back(word);
    }
    return all;
}

int runMember(std::uint64_t self, std::uint64_t members, const std::string& directory, int socket)
{
    return Member(self, socket).run(members, directory);
}

}  // namespace mesh::soak
