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

}  // namespace

Result<void> appendAndSync(int descriptor, const std::string& path, std::string_view data)
{
    const off_t before = ::lseek(descriptor, 0, SEEK_END);
    std::string_view rest = data;
    while (!rest.empty()) {
        const ssize_t written = ::write(descriptor, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            const Error error = appendError(path);
            if (before >= 0 && ::ftruncate(descriptor, before) != 0) {
                return Error{Code::ioError, error.message + "; and it could not be cut back"};
            }
            return error;
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fdatasync(descriptor) != 0) {
        return appendError(path);
    }
    return {};
}

}  // namespace mesh::connector
