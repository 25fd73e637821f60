#include "connector/worker_socket.hpp"

#include "connector/tests/support.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <map>
#include <set>

namespace mesh::connector {
namespace {

// A worker's socket, as any program with libzmq has one.
class PlayedWorker {
public:
    explicit PlayedWorker(const std::string& path) : context(zmq_ctx_new()), socket(zmq_socket(context, ZMQ_DEALER))
    {
        const int none = 0;
        zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
        EXPECT_EQ(zmq_connect(socket, ("ipc://" + path).c_str()), 0);
    }
    ~PlayedWorker() { end(); }
    PlayedWorker(const PlayedWorker&) = delete;
    PlayedWorker& operator=(const PlayedWorker&) = delete;
    void end()
    {
        if (context != nullptr) {
            zmq_close(socket);
            zmq_ctx_term(context);
            context = nullptr;
        }
    }
    void send(const std::string& word) { EXPECT_GE(zmq_send(socket, word.data(), word.size(), ZMQ_DONTWAIT), 0); }
    std::string receive()
    {
        std::string word(1000, '\0');
        const int size = zmq_recv(socket, word.data(), word.size(), ZMQ_DONTWAIT);
        word.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        return word;
    }

private:
    void* context;
    void* socket;
};

struct WorkerSocketTest : testing::Test {
    TemporaryFolder folder;
    boost::asio::io_context loop;
    shoset::Context context = *shoset::Context::create();
    std::string path = folder / "run/worker.sock";
    std::unique_ptr<WorkerSocket> socket;
    std::map<WorkerId, std::string> heard;
    std::vector<LocalPeer> peers;
    std::set<WorkerId> gone;

    Result<void> open(std::uint32_t allowed)
    {
        WorkerSocketHandlers handlers;
        handlers.onMessage = [this](WorkerId id, const LocalPeer& peer, std::string_view frame) {
            heard[id] = frame;
            peers.push_back(peer);
        };
        handlers.onGone = [this](WorkerId id) { gone.insert(id); };
        handlers.onBatchEnd = [] {};
        handlers.isBusy = [] { return true; };
        auto opened = WorkerSocket::open(context, loop, path, WorkerRules({{{allowed}, {}, {"*"}}}), std::move(handlers));
        if (!opened) {
            return opened.error();
        }
        socket = std::move(*opened);
        return {};
    }
    unsigned modeOf(const std::string& file)
    {
        struct stat status {};
        EXPECT_EQ(::stat(file.c_str(), &status), 0);
        return status.st_mode & 0777U;
    }
};

TEST_F(WorkerSocketTest, AWorkerIsWhoTheKernelSaysAndHasItsAnswers)
{
    ASSERT_TRUE(open(::getuid()).ok());
    EXPECT_EQ(modeOf(path), 0660U);
    EXPECT_EQ(modeOf(folder / "run"), 0750U);
    PlayedWorker worker(path);
    worker.send("hello");
    ASSERT_TRUE(runUntil(loop, [this] { return !heard.empty(); }));
    EXPECT_EQ(heard.begin()->second, "hello");
    EXPECT_EQ(peers[0], (LocalPeer{::getuid(), ::getgid(), static_cast<std::uint32_t>(::getpid())}));
    EXPECT_EQ(socket->send(heard.begin()->first, "welcome"), Code::ok);
    std::string word;
    ASSERT_TRUE(runUntil(loop, [&] { return !(word = worker.receive()).empty(); }));
    EXPECT_EQ(word, "welcome");
}

TEST_F(WorkerSocketTest, TheEndOfAWorkerIsNoticedWithoutAWord)
{
    ASSERT_TRUE(open(::getuid()).ok());
    PlayedWorker first(path);
    first.send("a");
    ASSERT_TRUE(runUntil(loop, [this] { return heard.size() == 1; }));
    const WorkerId id = heard.begin()->first;
    PlayedWorker second(path);
    second.send("b");
    ASSERT_TRUE(runUntil(loop, [this] { return heard.size() == 2; }));
    first.end();
    ASSERT_TRUE(runUntil(loop, [this] { return !gone.empty(); }));
    EXPECT_EQ(gone, std::set<WorkerId>{id});
    EXPECT_EQ(socket->send(id, "too late"), Code::notSent);
    EXPECT_EQ(socket->send(heard.rbegin()->first, "still there"), Code::ok);
}

TEST_F(WorkerSocketTest, AUserWhoIsNotAllowedIsNotHeard)
{
    ASSERT_TRUE(open(::getuid() + 1).ok());
    PlayedWorker worker(path);
    worker.send("hello");
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
    runUntil(loop, [end] { return std::chrono::steady_clock::now() >= end; });
    EXPECT_TRUE(heard.empty());
}

TEST_F(WorkerSocketTest, APathThatCannotBeIsNamed)
{
    path = "/proc/no/worker.sock";
    const Result<void> opened = open(0);
    ASSERT_FALSE(opened.ok());
    EXPECT_NE(opened.error().message.find("/proc/no/worker.sock"), std::string::npos) << opened.error().message;
}

}  // namespace
}  // namespace mesh::connector
