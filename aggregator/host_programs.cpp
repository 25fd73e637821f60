#include "aggregator/host_programs.hpp"

#include "aggregator/hosted_files.hpp"
#include "aggregator/sealing_keys.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/log.hpp"
#include "shoset/sealing/password_seal.hpp"
#include "shoset/sealing/sealing.hpp"
#include "shoset/zmq/sealed.hpp"

#include <boost/asio/post.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

extern char** environ;

namespace mesh::aggregator {

namespace {

// What belongs to our own service manager and configuration.
constexpr std::array<std::string_view, 5> ownVariables{"NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=", "BMCMESH_CONFIG=",
                                                       "BMCMESH_STATE="};

std::string programBesideUs()
{
    std::error_code failed;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failed);
    return failed ? std::string() : (self.parent_path() / "mesh-connectord").string();
}

// 0: it could not be started, and errno says why.
pid_t spawn(const std::string& program, const std::string& folder)
{
    std::string parent = "BMCMESH_PARENT=" + std::to_string(::getpid());
    std::vector<char*> environment;
    for (char** inherited = environ; *inherited != nullptr; ++inherited) {
        const std::string_view variable(*inherited);
        if (std::none_of(ownVariables.begin(), ownVariables.end(), [&](std::string_view mine) { return variable.starts_with(mine); })) {
            environment.push_back(*inherited);
        }
    }
    environment.push_back(parent.data());
    environment.push_back(nullptr);
    std::array<std::string, 5> words{program, "--config", hostedConfig(folder), "--state", folder};
    std::vector<char*> arguments;
    for (std::string& word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    pid_t process = 0;
    const int failed = ::posix_spawn(&process, program.c_str(), &actions, nullptr, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    errno = failed;
    return failed == 0 ? process : 0;
}

sealing::PasswordUse useOf(const cluster::Source& source)
{
    return {source.tenant, source.id, source.hostName, source.userName};
}

}  // namespace

HostPrograms::HostPrograms(boost::asio::io_context& context, host::BlockingWorker& blocking, const std::string& stateDirectory)
    : loop(context), worker(blocking), directory(stateDirectory + "/sources"), program(programBesideUs()),
      keyFile(stateDirectory + "/sources.key")
{
}

HostPrograms::~HostPrograms()
{
    for (const auto& [hosted, child] : children) {
        if (child->running != 0) {
            ::kill(child->running, SIGKILL);
            ::waitpid(child->running, nullptr, 0);
        }
    }
}

std::string HostPrograms::folderOf(const Hosted& hosted) const
{
    return directory + "/" + hosted.first + "." + std::to_string(hosted.second);
}

Result<void> HostPrograms::open(const shoset::KeyPair& pair)
{
    own = pair;
    Result<sealing::Seed> known = loadSealingKey(keyFile, rng);
    if (!known) {
        return known.error();
    }
    seed = std::move(*known);
    return {};
}

std::string HostPrograms::sealingKey() const
{
    return sealing::sealingKeyOf(seed);
}

Result<cluster::SealedPassword> HostPrograms::seal(std::string_view password, const cluster::Source& source, const cluster::Node& node)
{
    Result<std::string> box = node.sealingKey.empty() ? shoset::seal(password, node.key)
                                                      : sealing::sealPassword(password, useOf(source), node.sealingKey, rng);
    if (!box) {
        return box.error();
    }
    return cluster::SealedPassword{node.id, std::move(*box), cluster::sealingKeyId(node)};
}

Result<cluster::SealedPassword> HostPrograms::reseal(const cluster::SealedPassword& known, const cluster::Source& source,
                                                     const cluster::Node& node)
{
    if (!known.key.empty()) {
        const Result<sealing::SecretText> password = sealing::openPassword(known.box, useOf(source), seed);
        return password ? seal(password->view(), source, node) : Result<cluster::SealedPassword>(password.error());
    }
    Result<std::string> password = shoset::unseal(known.box, own);
    if (!password) {
        return password.error();
    }
    Result<cluster::SealedPassword> sealed = seal(*password, source, node);
    shoset::wipe(*password);
    return sealed;
}

void HostPrograms::prepare(const HostedConnector& connector, Prepared done)
{
    const std::string folder = folderOf({connector.source, connector.assignment});
    const auto made = std::make_shared<Result<std::string>>(Error{Code::unavailable, "too much waits for the disk"});
    const auto tell = [made, done, source = connector.source] {
        if (!*made) {
            log::error("source_not_prepared", {{"source", source}, {"reason", made->error().message}});
        }
        done(std::move(*made));
    };
    const auto write = [made, connector, folder, keys = own, file = keyFile] { *made = writeHostedFiles(folder, connector, keys, file); };
    if (!worker.submit(write, tell)) {
        boost::asio::post(loop, tell);
    }
}

void HostPrograms::run(const Hosted& hosted)
{
    if (whenStopped) {
        return;
    }
    std::unique_ptr<Child>& child = children[hosted];
    if (!child) {
        child = std::make_unique<Child>(loop);
    }
    child->wanted = true;
    child->pause = limits::hostedRestartInitial;
    if (child->running == 0) {
        start(hosted);
    }
}

void HostPrograms::start(const Hosted& hosted)
{
    Child& child = *children.at(hosted);
    child.started = std::chrono::steady_clock::now();
    child.running = spawn(program, folderOf(hosted));
    const int pidFd = child.running == 0 ? -1 : static_cast<int>(::syscall(SYS_pidfd_open, child.running, 0));
    if (pidFd < 0) {
        log::error("source_not_started", {{"source", hosted.first}, {"program", program}, {"reason", std::strerror(errno)}});
        if (child.running != 0) {
            ::kill(child.running, SIGKILL);
            ::waitpid(child.running, nullptr, 0);
            child.running = 0;
        }
        return restart(hosted, child);
    }
    log::info("source_started", {{"source", hosted.first},
                                 {"assignment", hosted.second},
                                 {"process", static_cast<std::uint64_t>(child.running)}});
    await(hosted, pidFd);
}

void HostPrograms::await(const Hosted& hosted, int pidFd)
{
    Child& child = *children.at(hosted);
    child.ending.assign(pidFd);
    child.ending.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                            [this, hosted](const boost::system::error_code& error) {
                                if (!error) {
                                    ended(hosted);
                                }
                            });
}

void HostPrograms::ended(const Hosted& hosted)
{
    Child& child = *children.at(hosted);
    int status = 0;
    ::waitpid(child.running, &status, 0);
    child.running = 0;
    child.ending.close();
    child.timer.cancel();
    if (child.wanted) {
        log::error("source_ended", {{"source", hosted.first},
                                    {"status", static_cast<std::uint64_t>(WIFEXITED(status) ? WEXITSTATUS(status) : 128)}});
        return restart(hosted, child);
    }
    log::info("source_stopped", {{"source", hosted.first}, {"assignment", hosted.second}});
    children.erase(hosted);
    if (!whenStopped) {
        sweep();
    } else if (children.empty()) {
        whenStopped();
    }
}

void HostPrograms::restart(const Hosted& hosted, Child& child)
{
    ++restarted;
    if (std::chrono::steady_clock::now() - child.started > limits::hostedRestartMax) {
        child.pause = limits::hostedRestartInitial;
    }
    child.timer.expires_after(child.pause);
    child.pause = std::min<Duration>(child.pause * 2, limits::hostedRestartMax);
    child.timer.async_wait([this, hosted](const boost::system::error_code& error) {
        const auto found = error ? children.end() : children.find(hosted);
        if (found != children.end() && found->second->wanted && found->second->running == 0) {
            start(hosted);
        }
    });
}

void HostPrograms::end(const Hosted& hosted)
{
    const auto found = children.find(hosted);
    if (found == children.end()) {
        return;
    }
    Child& child = *found->second;
    child.wanted = false;
    if (child.running == 0) {
        children.erase(found);
        return;
    }
    ::kill(child.running, SIGTERM);
    child.timer.expires_after(limits::hostedStop);
    child.timer.async_wait([this, hosted](const boost::system::error_code& error) {
        const auto late = error ? children.end() : children.find(hosted);
        if (late != children.end() && late->second->running != 0) {
            log::warning("source_killed", {{"source", hosted.first}, {"assignment", hosted.second}});
            ::kill(late->second->running, SIGKILL);
        }
    });
}

void HostPrograms::stop(std::function<void()> done)
{
    whenStopped = std::move(done);
    std::vector<Hosted> all;
    for (const auto& [hosted, child] : children) {
        all.push_back(hosted);
    }
    for (const Hosted& hosted : all) {
        end(hosted);
    }
    if (children.empty()) {
        boost::asio::post(loop, whenStopped);
    }
}

void HostPrograms::keepOnly(const std::set<Hosted>& current, cluster::Revision upTo)
{
    inForce = current;
    inForceUpTo = upTo;
    sweep();
}

// What still runs goes when it has ended.
void HostPrograms::sweep()
{
    std::set<Hosted> keep = inForce;
    for (const auto& [hosted, child] : children) {
        keep.insert(hosted);
    }
    worker.submit([keep, upTo = inForceUpTo, folder = directory] { removeHostedFiles(folder, keep, upTo); }, {});
}

}  // namespace mesh::aggregator
