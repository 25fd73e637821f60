#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mesh::aggregator {

// Lets a virtual IP or another service follow the primary: runs the operator's executables when this node becomes the
// primary, or a standby, and has systemd start or stop a target. One program at a time, the executable before the target is
// started and after it is stopped; what changed meanwhile runs next, the latest only, and what was left to do for the former
// part is not done. One that has not ended after limits::hookTimeout is killed. They get nothing on standard input, our
// standard error, and in the environment BMCMESH_ROLE (primary or standby), BMCMESH_NODE, BMCMESH_GENERATION and
// BMCMESH_TERM. No shell is involved. One thread: the loop's.
class RoleHooks {
public:
    struct Followers {
        std::string onPrimary;  // executables; empty: none
        std::string onStandby;
        std::string target;     // name of a unit of systemd; empty: none
        std::string systemctl;  // the program, an absolute path
    };
    RoleHooks(boost::asio::io_context& loop, Followers followers, std::string node);
    // Kills what still runs.
    ~RoleHooks();

    // The same role again does nothing.
    void setRole(bool primary, std::uint64_t generation, std::uint64_t term);
    // A node that ends is no primary any more: `done` runs when that was followed, after limits::hookStop at the latest. No
    // role is taken afterwards.
    void stop(std::function<void()> done);

private:
    struct Role {
        bool primary = false;
        std::uint64_t generation = 0;
        std::uint64_t term = 0;
    };
    using Words = std::vector<std::string>;  // a program and its arguments
    std::deque<Words> stepsOf(const Role& role) const;
    void startNext();
    void run(Words step);
    void await(int pidFd);
    void ended();

    boost::asio::io_context& loop;
    const Followers followers;
    const std::string node;
    boost::asio::posix::stream_descriptor ending;
    boost::asio::steady_timer timeout;
    boost::asio::steady_timer stopTimer;
    std::optional<bool> known;
    std::optional<Role> next;
    Role current;
    std::deque<Words> steps;  // left to do for it
    pid_t running = 0;
    std::function<void()> whenStopped;
    bool stopping = false;
};

}  // namespace mesh::aggregator
