#include "aggregator/role_hooks.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/host/log.hpp"

#include <boost/asio/post.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <utility>

extern char** environ;

namespace mesh::aggregator {

RoleHooks::RoleHooks(boost::asio::io_context& context, Followers given, std::string ownName)
    : loop(context), followers(std::move(given)), node(std::move(ownName)), ending(loop), timeout(loop), stopTimer(loop)
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
    if (known == primary || stopping) {
        return;
    }
    known = primary;
    next = Role{primary, generation, term};
    startNext();
}

void RoleHooks::stop(std::function<void()> done)
{
    whenStopped = std::move(done);
    if (known == true) {
        setRole(false, current.generation, current.term);
    }
    stopping = true;
    stopTimer.expires_after(limits::hookStop);
    stopTimer.async_wait([this](const boost::system::error_code& error) {
        if (!error && whenStopped) {
            std::exchange(whenStopped, nullptr)();
        }
    });
    startNext();
}

std::deque<RoleHooks::Words> RoleHooks::stepsOf(const Role& role) const
{
    std::deque<Words> out;
    const std::string& file = role.primary ? followers.onPrimary : followers.onStandby;
    if (!file.empty()) {
        out.push_back({file});
    }
    if (!followers.target.empty()) {
        // Not waited for: whatever a start still waits for, a later stop takes its place.
        Words words{followers.systemctl, "--no-ask-password", "--no-block", role.primary ? "start" : "stop", "--", followers.target};
        out.insert(role.primary ? out.end() : out.begin(), std::move(words));
    }
    return out;
}

void RoleHooks::startNext()
{
    while (running == 0) {
        if (next) {
            current = *std::exchange(next, std::nullopt);
            steps = stepsOf(current);
        }
        if (steps.empty()) {
            break;
        }
        Words step = std::move(steps.front());
        steps.pop_front();
        run(std::move(step));
    }
    if (running == 0 && whenStopped) {
        stopTimer.cancel();
        boost::asio::post(loop, std::exchange(whenStopped, nullptr));
    }
}

void RoleHooks::run(Words step)
{
    std::vector<std::string> own{std::string("BMCMESH_ROLE=") + (current.primary ? "primary" : "standby"), "BMCMESH_NODE=" + node,
                                 "BMCMESH_GENERATION=" + std::to_string(current.generation),
                                 "BMCMESH_TERM=" + std::to_string(current.term)};
    std::vector<char*> environment;
    for (char** inherited = environ; *inherited != nullptr; ++inherited) {
        environment.push_back(*inherited);
    }
    for (std::string& variable : own) {
        environment.push_back(variable.data());
    }
    environment.push_back(nullptr);
    std::vector<char*> arguments;
    for (std::string& word : step) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    const int failed = ::posix_spawn(&running, step.front().c_str(), &actions, nullptr, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    const int pidFd = failed != 0 ? -1 : static_cast<int>(::syscall(SYS_pidfd_open, running, 0));
    if (pidFd < 0) {
        log::error("hook_failed", {{"file", step.front()}, {"reason", std::strerror(failed != 0 ? failed : errno)}});
        if (failed == 0) {
            ::kill(running, SIGKILL);
            ::waitpid(running, nullptr, 0);
        }
        running = 0;
        return;
    }
    log::info("hook_started", {{"file", step.front()},
                               {"role", current.primary ? "primary" : "standby"},
                               {"process", static_cast<std::uint64_t>(running)}});
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
