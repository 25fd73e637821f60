#include "connector/append_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mesh::connector {

namespace {

Error appendError(const std::string& path)
{
    return {Code::ioError, path + ": " + std::strerror(errno)};
}

Result<void> writeRest(int descriptor, const std::string& path, std::string_view rest)
{
    while (!rest.empty()) {
        const ssize_t written = ::write(descriptor, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return appendError(path);
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

// After a sync that failed the kernel may call the same pages clean: another sync says nothing of them, and a read finds them.
Result<void> appendAndSync(int descriptor, const std::string& path, std::string_view data)
{
    const off_t before = ::lseek(descriptor, 0, SEEK_END);
    Result<void> done = writeRest(descriptor, path, data);
    if (done && ::fdatasync(descriptor) != 0) {
        done = appendError(path);
    }
    if (!done && before >= 0 && ::ftruncate(descriptor, before) != 0) {
        return Error{Code::ioError, done.error().message + "; and it could not be cut back"};
    }
    return done;
}

}  // namespace mesh::connector
