#include "cluster/raft/raft_directory.hpp"

#include "cluster/raft/bytes.hpp"
#include "cluster/raft/entry.hpp"
#include "cluster/raft/raft_shim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

namespace mesh::cluster {

namespace {

constexpr long jffs2Magic = 0x72b6;  // no direct writes, no asynchronous ones
constexpr std::uint64_t firstIndex = 2;  // as mesh_raft_found() has it
constexpr std::array<const char*, 2> metadataNames = {"metadata1", "metadata2"};

Error failed(const std::string& path, const char* what)
{
    const char* remedy = errno == EROFS ? "; make it writable, and where the kernel made it read-only, check the disk first" : "";
    return Error{Code::ioError, "cannot " + std::string(what) + " " + path + ": " +
                                    std::error_code(errno, std::generic_category()).message() + remedy};
}

}  // namespace

RaftDirectory::~RaftDirectory()
{
    if (lock >= 0) {
        ::close(lock);
    }
}

RaftDirectory::RaftDirectory(RaftDirectory&& other) noexcept
    : path(std::move(other.path)), lock(std::exchange(other.lock, -1))
{
}

RaftDirectory& RaftDirectory::operator=(RaftDirectory&& other) noexcept
{
    std::swap(path, other.path);
    std::swap(lock, other.lock);
    return *this;
}

Result<RaftDirectory> RaftDirectory::open(const std::string& path, bool create)
{
    if (create && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return failed(path, "make the directory");
    }
    struct stat info = {};
    if (::stat(path.c_str(), &info) != 0) {
        return errno == ENOENT ? Error{Code::notFound, "there is no directory " + path} : failed(path, "read");
    }
    if (!S_ISDIR(info.st_mode)) {
        return Error{Code::ioError, path + " is not a directory"};
    }
    if ((info.st_mode & 07777) != 0700 && ::chmod(path.c_str(), 0700) != 0) {
        return failed(path, "restrict to its owner");
    }
    struct statfs system = {};
    if (::statfs(path.c_str(), &system) == 0 && system.f_type == jffs2Magic) {
        return Error{Code::unsupported, path + " is on jffs2, which cannot carry the log; use another file system"};
    }
    RaftDirectory directory;
    directory.path = path;
    const std::string file = path + "/lock";
    directory.lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (directory.lock < 0) {
        return failed(file, "open");
    }
    if (::flock(directory.lock, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? Error{Code::unavailable, path + " is in use by another process; ask that one, or stop it first"}
                   : failed(file, "lock");
    }
    return directory;
}

bool RaftDirectory::hasLog() const
{
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) {
        const std::string name = entry.path().filename();
        if (name.starts_with("snapshot-") || name.starts_with("open-") || (name[0] >= '0' && name[0] <= '9')) {
            return true;
        }
    }
    return false;
}

// A metadata file: [u64 format][u64 version][u64 term][u64 vote].
Result<void> RaftDirectory::forgetUnfinishedStart() const
{
    if (hasLog()) {
        return {};
    }
    bool found = false;
    for (const char* name : metadataNames) {
        std::ifstream in(path + "/" + name, std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(in), {}};
        if (bytes.size() >= 32 && (getNumber(bytes, 16, 8) > 1 || getNumber(bytes, 24, 8) != 0)) {
            return {};
        }
        found = found || in.is_open();
    }
    for (const char* name : metadataNames) {
        const std::string file = path + "/" + name;
        if (found && ::unlink(file.c_str()) != 0 && errno != ENOENT) {
            return failed(file, "remove");
        }
    }
    return {};
}

Result<void> recoverRaftDirectory(const std::string& path, std::uint64_t self, const std::string& name)
{
    auto directory = RaftDirectory::open(path, false);
    if (!directory) {
        return directory.error();
    }
    if (!directory->hasLog()) {
        return Error{Code::notFound, path + " has no log that could be recovered"};
    }
    char error[MESH_RAFT_ERROR_BYTES] = "";
    const int code = mesh_raft_recover(path.c_str(), self, name.c_str(), error);
    if (code != MESH_RAFT_OK) {
        return Error{code == MESH_RAFT_CORRUPT ? Code::corrupt : Code::ioError, path + ": " + error};
    }
    return {};
}

Result<void> foundRaftDirectory(const std::string& path, std::uint64_t self, const std::string& name, std::string_view state)
{
    auto directory = RaftDirectory::open(path, true);
    if (!directory) {
        return directory.error();
    }
    std::error_code ignored;
    for (const char* file : metadataNames) {
        if (directory->hasLog() || std::filesystem::exists(path + "/" + file, ignored)) {
            return Error{Code::alreadyExists, path + " has a log already"};
        }
    }
    const std::string snapshot = encodeRaftSnapshot({firstIndex, state});
    char error[MESH_RAFT_ERROR_BYTES] = "";
    const int code = mesh_raft_found(path.c_str(), self, name.c_str(), snapshot.data(), snapshot.size(), error);
    if (code != MESH_RAFT_OK) {
        return Error{Code::ioError, path + ": " + error};
    }
    return {};
}

}  // namespace mesh::cluster
