#include "aggregator/role_hooks.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/host/log.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <vector>

extern char** environ;

namespace mesh::aggregator {

RoleHooks::RoleHooks(boost::asio::io_context& loop, Files given, std::string ownName)
    : files(std::move(given)), node(std::move(ownName)), ending(loop), timeout(loop)
{
}

RoleHooks::~RoleHooks()
{
    if (running != 0) {
        ::kill(running, SIGKILL);
        ::waitpid(running, nullptr, 0);
    }
}

void RoleHooks::setRole(bool primary, std::uint64_t generation, std::uint64_t term)
{
    if (known == primary) {
        return;
    }
    known = primary;
    next = Role{primary, generation, term};
    startNext();
}

void RoleHooks::startNext()
{
    if (running != 0 || !next) {
        return;
    }
    const Role role = *next;
    next.reset();
    const std::string& file = role.primary ? files.onPrimary : files.onStandby;
    if (!file.empty()) {
        run(file, role);
    }
}

void RoleHooks::run(const std::string& file, const Role& role)
{
    std::vector<std::string> own{std::string("BMCMESH_ROLE=") + (role.primary ? "primary" : "standby"),
                                 "BMCMESH_NODE=" + node, "BMCMESH_GENERATION=" + std::to_string(role.generation),
                                 "BMCMESH_TERM=" + std::to_string(role.term)};
    std::vector<char*> environment;
    for (char** inherited = environ; *inherited != nullptr; ++inherited) {
        environment.push_back(*inherited);
    }
    for (std::string& variable : own) {
        environment.push_back(variable.data());
    }
    environment.push_back(nullptr);
    std::string name = file;
    char* arguments[] = {name.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    const int failed = ::posix_spawn(&running, file.c_str(), &actions, nullptr, arguments, environment.data());
    posix_spawn_file_actions_destroy(&actions);
    const int pidFd = failed != 0 ? -1 : static_cast<int>(::syscall(SYS_pidfd_open, running, 0));
    if (pidFd < 0) {
        log::error("hook_failed", {{"file", file}, {"reason", std::strerror(failed != 0 ? failed : errno)}});
        running = 0;
        return startNext();
    }
    log::info("hook_started", {{"file", file}, {"process", static_cast<std::uint64_t>(running)}});
    await(pidFd);
}

void RoleHooks::await(int pidFd)
{
    ending.assign(pidFd);
    ending.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
        if (!error) {
            ended();
        }
    });
    timeout.expires_after(limits::hookTimeout);
    timeout.async_wait([this](const boost::system::error_code& error) {
        if (!error && running != 0) {
            log::error("hook_killed", {{"process", static_cast<std::uint64_t>(running)}});
            ::kill(running, SIGKILL);
        }
    });
}

void RoleHooks::ended()
{
    int status = 0;
    ::waitpid(running, &status, 0);
    running = 0;
    ending.close();
    timeout.cancel();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        log::error("hook_failed", {{"status", static_cast<std::uint64_t>(WIFEXITED(status) ? WEXITSTATUS(status) : 128)}});
    }
    startNext();
}

}  // namespace mesh::aggregator
