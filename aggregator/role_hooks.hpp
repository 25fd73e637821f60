#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace mesh::aggregator {

// Runs the operator's executables when this node becomes the primary, or a standby, so that a virtual IP or another service
// can follow. One at a time; what changed meanwhile runs next, the latest only. One that has not ended after
// limits::hookTimeout is killed. They get nothing on standard input, our standard error, and in the environment
// BMCMESH_ROLE (primary or standby), BMCMESH_NODE, BMCMESH_GENERATION and BMCMESH_TERM. One thread: the loop's.
class RoleHooks {
public:
    struct Files {
        std::string onPrimary;  // empty: none
        std::string onStandby;
    };
    RoleHooks(boost::asio::io_context& loop, Files files, std::string node);
    // Kills what still runs.
    ~RoleHooks();

    // The same role again does nothing.
    void setRole(bool primary, std::uint64_t generation, std::uint64_t term);

private:
    struct Role {
        bool primary = false;
        std::uint64_t generation = 0;
        std::uint64_t term = 0;
    };
    void startNext();
    void run(const std::string& file, const Role& role);
    void await(int pidFd);
    void ended();

    const Files files;
    const std::string node;
    boost::asio::posix::stream_descriptor ending;
    boost::asio::steady_timer timeout;
    std::optional<bool> known;
    std::optional<Role> next;
    pid_t running = 0;
};

}  // namespace mesh::aggregator
