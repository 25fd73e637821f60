#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace mesh::history {

// A PostgreSQL server of the test's own, in a folder that goes with it, on a Unix socket in there; as the user postgres where
// the test is root, since the server refuses to be. Ends with the test, however that ends.
class PostgresServer {
public:
    PostgresServer();
    ~PostgresServer();
    PostgresServer(const PostgresServer&) = delete;
    PostgresServer& operator=(const PostgresServer&) = delete;

    // Empty: it runs and takes connections.
    const std::string& problem() const { return trouble; }
    std::string url(const std::string& database) const;
    // Makes an empty database; its URL.
    std::string create(const std::string& database);
    void start();
    // As a crash: nobody is said good-bye to.
    void kill();

private:
    std::vector<std::string> asServer(std::vector<std::string> command) const;

    std::string directory;
    std::string binaries;
    std::string trouble;
    pid_t process = -1;
};

}  // namespace mesh::history
