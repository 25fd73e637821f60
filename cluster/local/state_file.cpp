#include "cluster/local/state_file.hpp"

#include "shoset/base/limits.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace mesh::cluster {

namespace {

constexpr mode_t ownerOnly = 0600;

std::string reason(int error)
{
    return std::strerror(error);  // NOLINT(concurrency-mt-unsafe): glibc's is thread-safe
}

std::string directoryOf(const std::string& path)
{
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

bool syncDirectory(const std::string& path)
{
    const int directory = ::open(directoryOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return false;
    }
    const bool done = ::fsync(directory) == 0;
    const int error = errno;
    ::close(directory);
    errno = error;
    return done;
}

bool readAll(int fd, std::string& bytes)
{
    std::size_t at = 0;
    while (at < bytes.size()) {
        const ssize_t got = ::pread(fd, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got == 0 ? EIO : errno;
            return false;
        }
        at += static_cast<std::size_t>(got);
    }
    return true;
}

}  // namespace

FileCalls FileCalls::system()
{
    return {::pwrite, ::fdatasync, ::ftruncate};
}

StateFile::StateFile(std::string filePath, FileCalls fileCalls) : path(std::move(filePath)), calls(fileCalls) {}

StateFile::~StateFile()
{
    if (fd >= 0) {
        ::close(fd);
    }
    if (lockFd >= 0) {
        ::close(lockFd);
    }
}

Error StateFile::failed(const char* what) const
{
    return Error{Code::ioError, std::string("cannot ") + what + " " + path + ": " + reason(errno)};
}

Result<std::unique_ptr<StateFile>> StateFile::open(const std::string& path, std::string_view emptySnapshot,
                                                   Contents& contents, FileCalls calls)
{
    std::unique_ptr<StateFile> file(new StateFile(path, calls));
    if (auto locked = file->lock(); !locked) {
        return locked.error();
    }
    file->fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (file->fd < 0 && errno != ENOENT) {
        return file->failed("open");
    }
    if (file->fd < 0) {
        if (auto made = file->replace(emptySnapshot); !made) {
            return made.error();
        }
        contents.snapshot = emptySnapshot;
        return file;
    }
    if (auto loaded = file->load(contents); !loaded) {
        return loaded.error();
    }
    return file;
}

Result<void> StateFile::lock()
{
    const std::string lockPath = path + ".lock";
    lockFd = ::open(lockPath.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, ownerOnly);
    if (lockFd < 0) {
        return failed("lock");
    }
    if (::flock(lockFd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return failed("lock");
        }
        char pid[16] = {};
        const bool known = ::pread(lockFd, pid, sizeof(pid) - 1, 0) > 0;
        return Error{Code::unavailable, path + " is in use by another process" +
                                            (known ? " (" + std::string(pid) + ")" : std::string()) +
                                            "; ask that one, or stop it first"};
    }
    const std::string self = std::to_string(::getpid());  // for the sentence above only: failing to note it is harmless
    if (::ftruncate(lockFd, 0) == 0) {
        (void)!::pwrite(lockFd, self.data(), self.size(), 0);
    }
    return {};
}

Result<void> StateFile::load(Contents& contents)
{
    struct stat info = {};
    if (::fstat(fd, &info) != 0) {
        return failed("read");
    }
    if (!S_ISREG(info.st_mode)) {
        return Error{Code::ioError, path + " is not a regular file"};
    }
    if ((info.st_mode & 07777) != ownerOnly && ::fchmod(fd, ownerOnly) != 0) {
        return failed("restrict to its owner");
    }
    std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
    const std::string advice = ". Nothing was changed. Restore the file from a backup, or move it away to start empty "
                               "(accounts, sessions, prefixes and settings are then lost)";
    if (bytes.size() > 2 * limits::maxStateFileBytes) {
        return Error{Code::corrupt,
                     path + " has " + std::to_string(bytes.size()) + " bytes, more than this program writes" + advice};
    }
    if (!readAll(fd, bytes)) {
        return failed("read");
    }
    auto frames = parseStateFile(bytes);
    if (!frames) {
        return Error{frames.error().code,
                     path + ": " + frames.error().message + (frames.error().code == Code::corrupt ? advice : "")};
    }
    contents.cutBytes = bytes.size() - frames->soundBytes;
    if (contents.cutBytes > 0 &&
        (calls.truncate(fd, static_cast<off_t>(frames->soundBytes)) != 0 || calls.sync(fd) != 0)) {
        return failed("cut the unfinished write off");
    }
    snapshotEnd = fileHeaderBytes + frameHeaderBytes + frames->snapshot.size();
    length = frames->soundBytes;
    nextSequence = frames->nextSequence;
    contents.snapshot = std::move(frames->snapshot);
    contents.entries = std::move(frames->entries);
    return {};
}

bool StateFile::writeAll(int to, std::string_view bytes, std::size_t offset) const
{
    while (!bytes.empty()) {
        const ssize_t written = calls.write(to, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            errno = written == 0 ? EIO : errno;
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
        offset += static_cast<std::size_t>(written);
    }
    return true;
}

Result<void> StateFile::append(const std::vector<std::string>& entries)
{
    if (tainted) {
        return Error{Code::ioError, path + " must be rewritten after a failed write before anything can be added"};
    }
    const std::string frame = encodeFrame(nextSequence, encodeBatch(entries));
    if (length + frame.size() > limits::maxStateFileBytes) {
        return Error{Code::full, path + " has reached its limit of " + std::to_string(limits::maxStateFileBytes) +
                                     " bytes because it could not be rewritten"};
    }
    if (!writeAll(fd, frame, length)) {
        return undo(failed("write"));
    }
    if (calls.sync(fd) != 0) {
        tainted = true;  // the kernel may have dropped the pages: what is on the disk is anybody's guess
        return undo(failed("write"));
    }
    length += frame.size();
    ++nextSequence;
    return {};
}

Result<void> StateFile::undo(const Error& cause)
{
    if (calls.truncate(fd, static_cast<off_t>(length)) == 0 && calls.sync(fd) == 0) {
        return cause;
    }
    tainted = true;
    return Error{Code::outcomeUnknown, cause.message + ", and it could not be undone: " + reason(errno)};
}

Result<void> StateFile::replace(std::string_view snapshot)
{
    const std::string fresh = path + ".new";
    const int to = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, ownerOnly);
    if (to < 0) {
        return failed("rewrite");
    }
    const std::string bytes = fileHeader() + encodeFrame(0, snapshot);
    if (::fchmod(to, ownerOnly) != 0 || !writeAll(to, bytes, 0) || calls.sync(to) != 0 ||
        ::rename(fresh.c_str(), path.c_str()) != 0) {
        const Error error = failed("rewrite");
        ::close(to);
        ::unlink(fresh.c_str());
        return error;
    }
    if (fd >= 0) {
        ::close(fd);
    }
    fd = to;
    length = bytes.size();
    snapshotEnd = length;
    nextSequence = 1;
    tainted = !syncDirectory(path);  // until it is, a power loss may bring the old file back
    return tainted ? Result<void>(failed("make durable the directory of")) : Result<void>();
}

}  // namespace mesh::cluster
