#include "cluster/raft/raft_host.hpp"
#include "cluster/raft/tests/cluster.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace mesh::cluster {
namespace {

// What is under way when a log closes. A snapshot's head becomes a named pipe, so that whoever reads it waits for the test.
class RaftCloseTest : public Cluster {
protected:
    ~RaftCloseTest() override
    {
        letGo();
        hosts.clear();
    }

    RaftHost& host(std::uint64_t id, Duration patience = limits::raftClose)
    {
        if (!hosts.contains(id)) {
            std::filesystem::create_directory(directoryOf(id));
            RaftHost::Settings settings{directoryOf(id), id, nameOf(id), {}, slow(300ms), 50ms, false, 512, 64};
            settings.closePatience = patience;
            hosts[id] = std::make_unique<RaftHost>(settings, [] {});
            EXPECT_TRUE(hosts[id]->start().ok());
        }
        return *hosts.at(id);
    }
    // Brings messages to where they go.
    void carry()
    {
        for (const auto& [id, each] : hosts) {
            for (RaftEvent& event : each->take()) {
                if (auto* rpc = std::get_if<RpcWritten>(&event)) {
                    heard[id] = rpc->rpc;
                    if (const auto target = hosts.find(rpc->to); target != hosts.end()) {
                        target->second->receive(id, std::move(rpc->rpc));
                    }
                } else if (const auto* done = std::get_if<RequestDone>(&event)) {
                    answered[done->token] = done->error.code;
                } else if (auto* seen = std::get_if<ViewChanged>(&event)) {
                    views[id] = std::move(seen->view);
                } else if (std::holds_alternative<HostEnded>(event)) {
                    ended.insert(id);
                }
            }
        }
    }
    void ask(RaftRequest::Kind kind, std::uint64_t id, std::uint64_t token)
    {
        RaftRequest request;
        request.kind = kind;
        request.token = token;
        request.id = id;
        request.bytes = nameOf(id);
        request.voter = true;
        request.deadline = std::chrono::steady_clock::now() + std::chrono::minutes(5);
        ASSERT_TRUE(host(1).request(std::move(request)));
    }
    // Member 1 reads the snapshot that it is to send to member 2.
    void waitUntilASnapshotIsRead(Duration patience)
    {
        ASSERT_TRUE(foundRaftDirectory(directoryOf(1), 1, nameOf(1), StateMachine().snapshot()).ok());
        host(1, patience);
        for (const auto& entry : std::filesystem::directory_iterator(directoryOf(1))) {
            if (entry.path().extension() == ".meta") {
                head = entry.path();
            }
        }
        std::ifstream in(head, std::ios::binary);
        content.assign(std::istreambuf_iterator<char>(in), {});
        ASSERT_FALSE(content.empty());
        std::filesystem::remove(head);
        ASSERT_EQ(::mkfifo(head.c_str(), 0600), 0);
        host(2);
        // Until it leads.
        for (std::uint64_t token = 1; answered[token - 1] != Code::ok || token == 1; ++token) {
            ask(RaftRequest::Kind::add, 2, token);
            runUntil([&] { return carry(), answered.contains(token); });
            ASSERT_FALSE(HasFatalFailure());
        }
        ask(RaftRequest::Kind::assign, 2, 1000);
        runUntil([&] {
            carry();
            pipe = ::open(head.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);  // fails as long as nobody reads
            return pipe >= 0;
        });
    }
    void close()
    {
        host(1).close();
        // What raft's thread does not take any more, because it closes.
        runUntil([&] { return carry(), !host(1).receive(2, heard[2]); });
    }
    void waitUntilItEnded()
    {
        runUntil([&] { return carry(), ended.contains(1); });
    }
    void putHeadBack(const std::filesystem::path& file) const
    {
        std::filesystem::remove(file);
        std::ofstream(file, std::ios::binary) << content;
    }
    void letGo()
    {
        if (pipe >= 0) {
            EXPECT_EQ(::write(pipe, content.data(), content.size()), static_cast<ssize_t>(content.size()));
            ::close(std::exchange(pipe, -1));
        }
    }

    std::map<std::uint64_t, std::unique_ptr<RaftHost>> hosts;
    std::map<std::uint64_t, std::string> heard;  // the last message of each
    std::map<std::uint64_t, Code> answered;
    std::map<std::uint64_t, RaftView> views;
    std::set<std::uint64_t> ended;
    std::filesystem::path head;
    std::string content;  // of the snapshot's head
    int pipe = -1;
};

// libraft would free what it has not set.
TEST_F(RaftCloseTest, ASnapshotThatCannotBeReadClosesTheLogAndItIsOpenedAgain)
{
    waitUntilASnapshotIsRead(limits::raftClose);
    putHeadBack(head);
    ::close(std::exchange(pipe, -1));
    runUntil([&] { return carry(), views[1].trouble == RaftTrouble::diskFailed; });
    EXPECT_NE(views[1].reason.find("cannot read a snapshot"), std::string::npos) << views[1].reason;
    runUntil([&] { return carry(), views[1].role == NodeRole::primary; });
}

// libraft sends it when it is closed already, on a connection that nobody would close.
TEST_F(RaftCloseTest, ASnapshotThatIsBeingReadKeepsNoLogOpen)
{
    waitUntilASnapshotIsRead(limits::raftClose);
    close();
    letGo();
    waitUntilItEnded();
    EXPECT_EQ(host(1).counters().abandoned, 0U);
}

TEST_F(RaftCloseTest, ALogThatDoesNotCloseAfterAnErrorIsToldAndOpenedAgainWhenItDoes)
{
    waitUntilASnapshotIsRead(50ms);
    const std::filesystem::path away = root / "away";
    std::filesystem::rename(directoryOf(1), away);
    const std::string entry =
        *encodeCommand(command(PutProperty{"/p", anyRevision, std::string(limits::maxPropertyBytes - 100, 'x')}));
    std::uint64_t token = 2000;
    runUntil([&] {  // segments are filled, until one cannot be finished
        carry();
        for (int i = 0; i < 8; ++i) {
            RaftRequest request;
            request.token = ++token;
            request.bytes = entry;
            request.deadline = std::chrono::steady_clock::now() + std::chrono::minutes(5);
            host(1).request(std::move(request));
        }
        return views[1].trouble == RaftTrouble::diskFailed;
    });
    EXPECT_EQ(views[1].role, NodeRole::stopped);
    EXPECT_NE(views[1].reason.find("restart this node"), std::string::npos) << views[1].reason;
    putHeadBack(away / head.filename());
    std::filesystem::rename(away, directoryOf(1));
    letGo();
    runUntil([&] { return carry(), views[1].role == NodeRole::primary; });
    EXPECT_EQ(host(1).counters().abandoned, 0U);
}

TEST_F(RaftCloseTest, ALogThatDoesNotCloseInTimeIsLeftAsItIs)
{
    waitUntilASnapshotIsRead(50ms);
    close();
    waitUntilItEnded();
    EXPECT_EQ(host(1).counters().abandoned, 1U);
    hosts.erase(1);
}

}  // namespace
}  // namespace mesh::cluster
