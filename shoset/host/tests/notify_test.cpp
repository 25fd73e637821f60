#include "shoset/host/notify.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace mesh::host {
namespace {

// The receiving end, as systemd has it.
class Receiver {
public:
    explicit Receiver(const std::string& name) : fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))
    {
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name.data(), name.size());
        const bool abstract = name.front() == '@';
        if (abstract) {
            address.sun_path[0] = '\0';
        }
        const std::size_t size = offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1);
        bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), static_cast<socklen_t>(size)) == 0;
    }
    ~Receiver() { ::close(fd); }

    std::string next() const
    {
        std::array<char, 512> buffer{};
        const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
        return size < 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(size));
    }

    bool bound = false;

private:
    int fd;
};

TEST(Notify, SpeaksOverAPath)
{
    const std::string path = testing::TempDir() + "mesh-notify-" + std::to_string(::getpid());
    const Receiver receiver(path);
    ASSERT_TRUE(receiver.bound);
    const Notify notify(path);
    notify.ready();
    notify.status("7 satellites\nREADY=0");
    notify.watchdog();
    notify.reloading(Instant(5s));
    notify.stopping();
    EXPECT_EQ(receiver.next(), "READY=1");
    EXPECT_EQ(receiver.next(), "STATUS=7 satellites");
    EXPECT_EQ(receiver.next(), "WATCHDOG=1");
    EXPECT_EQ(receiver.next(), "RELOADING=1\nMONOTONIC_USEC=5000000");
    EXPECT_EQ(receiver.next(), "STOPPING=1");
    ::unlink(path.c_str());
}

TEST(Notify, SpeaksOverAnAbstractName)
{
    const std::string name = "@mesh-notify-" + std::to_string(::getpid());
    const Receiver receiver(name);
    ASSERT_TRUE(receiver.bound);
    Notify(name).ready();
    EXPECT_EQ(receiver.next(), "READY=1");
}

TEST(Notify, NobodyListeningIsNoError)
{
    Notify("").ready();
    Notify("/nonexistent/socket").ready();
    Notify(std::string(300, 'x')).ready();
}

TEST(Notify, EnvironmentIsTakenSoThatChildrenDoNotSpeakForUs)
{
    ::setenv("NOTIFY_SOCKET", "/nonexistent", 1);
    ::setenv("WATCHDOG_USEC", "20000000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    const auto ours = Notify::fromEnvironment();
    EXPECT_EQ(ours.watchdogInterval(), Duration(10s));
    EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
    EXPECT_EQ(std::getenv("WATCHDOG_USEC"), nullptr);

    ::setenv("WATCHDOG_USEC", "20000000", 1);
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_FALSE(Notify::fromEnvironment().watchdogInterval());
    ::setenv("WATCHDOG_USEC", "soon", 1);
    EXPECT_FALSE(Notify::fromEnvironment().watchdogInterval());
}

}  // namespace
}  // namespace mesh::host
