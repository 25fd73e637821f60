#pragma once

#include "shoset/core/message.hpp"
#include "shoset/zmq/keys.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

namespace mesh::connector {

// A folder of its own, gone with the test.
class TemporaryFolder {
public:
    TemporaryFolder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "bmcmesh-test-XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        path = name;
    }
    ~TemporaryFolder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::string operator/(const std::string& name) const { return (path / name).string(); }
    std::string string() const { return path.string(); }

private:
    std::filesystem::path path;
};

inline std::string contentOf(const std::string& path)
{
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
}

inline void write(const std::string& path, const std::string& content)
{
    std::ofstream(path) << content;
}

inline bool isPrivate(const std::string& path)
{
    using std::filesystem::perms;
    return std::filesystem::status(path).permissions() == (perms::owner_read | perms::owner_write);
}

inline shoset::KeyPair makeKeys()
{
    Result<shoset::KeyPair> pair = shoset::generateKeyPair();
    EXPECT_TRUE(pair.ok());
    return *pair;
}

// Runs the loop until the condition holds; false when it does not in time.
inline bool runUntil(boost::asio::io_context& loop, const std::function<bool()>& condition)
{
    using namespace std::chrono_literals;
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) {
            return false;
        }
        if (loop.stopped()) {
            loop.restart();
        }
        loop.run_one_until(std::min(end, std::chrono::steady_clock::now() + 20ms));
    }
    return true;
}

}  // namespace mesh::connector
