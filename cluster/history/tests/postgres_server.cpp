#include "cluster/history/tests/postgres_server.hpp"

#include "cluster/history/connection.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

namespace mesh::history {

namespace {

constexpr auto patience = std::chrono::seconds(60);

pid_t launch(const std::vector<std::string>& command, const std::string& log)
{
    std::vector<char*> arguments;
    for (const std::string& word : command) {
        arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        ::dup2(out, 1);
        ::dup2(out, 2);
        ::execvp(arguments[0], arguments.data());
        ::_exit(127);
    }
    return child;
}

int waitFor(pid_t child)
{
    int status = -1;
    ::waitpid(child, &status, 0);
    return status;
}

std::string newestBinaries()
{
    std::string found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
        const std::string candidate = entry.path() / "bin";
        if (std::filesystem::exists(candidate + "/initdb", ignored)) {
            found = std::max(found, candidate);
        }
    }
    return found;
}

}  // namespace

PostgresServer::PostgresServer() : binaries(newestBinaries())
{
    std::string pattern = "/tmp/mesh-postgres-XXXXXX";  // short: it becomes a socket's path
    if (binaries.empty() || ::mkdtemp(pattern.data()) == nullptr) {
        trouble = "no PostgreSQL server is installed: deploy/install-packages tests";
        return;
    }
    directory = pattern;
    if (const passwd* user = ::getpwnam("postgres"); ::geteuid() == 0 && user != nullptr) {
        if (::chown(directory.c_str(), user->pw_uid, user->pw_gid) != 0) {
            trouble = "the server's folder cannot be given to the user postgres";
            return;
        }
    }
    const std::vector<std::string> init{binaries + "/initdb", "-D", directory + "/data", "-U", "mesh", "-A", "trust",
                                        "-E", "UTF8", "--locale=C", "--no-sync"};
    if (waitFor(launch(asServer(init), directory + "/init.log")) != 0) {
        trouble = "initdb failed: see " + directory + "/init.log";
        return;
    }
    start();
}

PostgresServer::~PostgresServer()
{
    kill();
    if (!directory.empty()) {
        std::filesystem::remove_all(directory);
    }
}

std::vector<std::string> PostgresServer::asServer(std::vector<std::string> command) const
{
    std::vector<std::string> prefix{"setpriv", "--pdeathsig=QUIT"};
    if (::geteuid() == 0) {
        prefix.insert(prefix.end(), {"--reuid=postgres", "--regid=postgres", "--clear-groups"});
    }
    command.insert(command.begin(), prefix.begin(), prefix.end());
    return command;
}

std::string PostgresServer::url(const std::string& database) const
{
    std::string host;
    for (const char c : directory) {
        host += c == '/' ? "%2F" : std::string(1, c);
    }
    return "postgresql://mesh:secret-word@" + host + "/" + database;
}

std::string PostgresServer::create(const std::string& database)
{
    const auto connected = connect(url("postgres"));
    *connected->session << "create database " << database;
    return url(database);
}

void PostgresServer::start()
{
    process = launch(asServer({binaries + "/postgres", "-D", directory + "/data", "-k", directory, "-c", "listen_addresses=", "-c",
                               "max_connections=20", "-c", "shared_buffers=8MB"}),
                     directory + "/server.log");
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < deadline && ::waitpid(process, nullptr, WNOHANG) == 0) {
        if (connect(url("postgres"))) {
            trouble.clear();
            return;
        }
    }
    trouble = "the server does not start: see " + directory + "/server.log";
}

void PostgresServer::kill()
{
    if (process > 0) {
        ::kill(process, SIGQUIT);
        waitFor(process);
        process = -1;
    }
}

}  // namespace mesh::history
