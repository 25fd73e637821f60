#include "shoset/host/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <system_error>

namespace mesh::host {

namespace {

class Descriptor {
public:
    explicit Descriptor(int opened) : fd(opened) {}
    ~Descriptor() { close(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    bool valid() const { return fd >= 0; }
    int get() const { return fd; }
    // False if the system reports that what was written is lost.
    bool close()
    {
        const int old = std::exchange(fd, -1);
        return old < 0 || ::close(old) == 0;
    }

private:
    int fd;
};

Error systemError(const std::string& path)
{
    const int number = errno;
    Code code = Code::ioError;
    if (number == ENOENT) {
        code = Code::notFound;
    } else if (number == EACCES || number == EPERM) {
        code = Code::permissionDenied;
    }
    return {code, path + ": " + std::generic_category().message(number)};
}

std::string directoryOf(const std::string& path)
{
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) {
        return ".";
    }
    return slash == 0 ? "/" : path.substr(0, slash);
}

bool belongsToFolder(const std::string& path, const struct stat& status)
{
    struct stat folder = {};
    return ::stat(directoryOf(path).c_str(), &folder) == 0 && folder.st_uid == status.st_uid;
}

Result<void> checkSecret(const std::string& path, const struct stat& status, SecretOwner owner)
{
    const bool credential = isCredential(path, std::getenv("CREDENTIALS_DIRECTORY"));
    const bool rootBeside = owner == SecretOwner::usOrFolders && ::geteuid() == 0;
    const bool ours = status.st_uid == ::geteuid() || (credential && status.st_uid == 0);
    if (!ours && !(rootBeside && belongsToFolder(path, status))) {
        return Error{Code::permissionDenied, path + ": belongs to another user; run: chown " +
                                                 std::to_string(::geteuid()) + " " + path};
    }
    if ((status.st_mode & (credential ? 037 : 077)) != 0) {
        return Error{Code::permissionDenied, path + ": others can read or write this secret; run: chmod 600 " + path};
    }
    return {};
}

// O_NONBLOCK: opening a FIFO must not hang; it has no effect on a regular file.
Result<std::string> readRegular(const std::string& path, std::size_t maxBytes, std::optional<SecretOwner> secret)
{
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status = {};
    if (!file.valid() || ::fstat(file.get(), &status) != 0) {
        return systemError(path);
    }
    if (!S_ISREG(status.st_mode)) {
        return Error{Code::invalidArgument, path + ": not a regular file"};
    }
    if (secret) {
        if (auto checked = checkSecret(path, status, *secret); !checked) {
            return checked.error();
        }
    }
    // One byte more than allowed tells a file that is too large, also one that grows or says it has no size.
    std::string data;
    data.reserve(std::min(static_cast<std::size_t>(status.st_size), maxBytes) + 2 * 4096);  // growing would leave copies of a secret
    while (data.size() <= maxBytes) {
        const std::size_t had = data.size();
        const std::size_t expected = static_cast<std::size_t>(status.st_size) + 1;
        const std::size_t step = std::max<std::size_t>(expected > had ? expected - had : 1, 4096);
        data.resize(std::min(had + step, maxBytes + 1));
        const ssize_t got = ::read(file.get(), data.data() + had, data.size() - had);
        data.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got == 0) {
            return data;
        }
        if (got < 0 && errno != EINTR) {
            return systemError(path);
        }
    }
    return Error{Code::tooLarge, path + ": larger than " + std::to_string(maxBytes) + " bytes"};
}

bool writeAll(int fd, std::string_view data)
{
    while (!data.empty()) {
        const ssize_t written = ::write(fd, data.data(), data.size());
        if (written < 0 && errno != EINTR) {
            return false;
        }
        data.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    return true;
}

}  // namespace

Result<std::string> readFile(const std::string& path, std::size_t maxBytes)
{
    return readRegular(path, maxBytes, std::nullopt);
}

Result<std::string> readSecretFile(const std::string& path, std::size_t maxBytes, SecretOwner owner)
{
    return readRegular(path, maxBytes, owner);
}

bool isCredential(const std::string& path, const char* folder)
{
    return folder != nullptr && *folder == '/' && directoryOf(path) == folder;
}

Result<void> syncDirectoryOf(const std::string& path)
{
    const Descriptor directory(::open(directoryOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid() || ::fsync(directory.get()) != 0) {
        return systemError(directoryOf(path));
    }
    return {};
}

Result<void> writeFileAtomic(const std::string& path, std::string_view data, mode_t mode)
{
    std::string temporary = path + ".XXXXXX";
    Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!file.valid()) {
        return systemError(path);
    }
    const bool written = writeAll(file.get(), data) && ::fchmod(file.get(), mode) == 0 && ::fsync(file.get()) == 0 &&
                         file.close() && ::rename(temporary.c_str(), path.c_str()) == 0;
    if (!written) {
        const Error error = systemError(path);
        ::unlink(temporary.c_str());
        return error;
    }
    return syncDirectoryOf(path);
}

Result<void> renameFile(const std::string& from, const std::string& to)
{
    if (::rename(from.c_str(), to.c_str()) != 0) {
        return systemError(from);
    }
    return syncDirectoryOf(to);
}

Result<void> removeFile(const std::string& path)
{
    if (::unlink(path.c_str()) != 0) {
        return errno == ENOENT ? Result<void>() : systemError(path);
    }
    return syncDirectoryOf(path);
}

}  // namespace mesh::host
