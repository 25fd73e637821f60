#pragma once

#include "shoset/base/result.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Blocking: for start-up, reload and the worker thread. Every error names the path and what the system said.
namespace mesh::host {

// The whole of a regular file. Code::notFound, Code::tooLarge for more than `maxBytes`, permissionDenied, ioError.
Result<std::string> readFile(const std::string& path, std::size_t maxBytes);

// As readFile, for keys, passwords and tokens: also Code::permissionDenied, with the command that mends it, unless the
// file belongs to the effective user and nobody else may read or write it (mode 0600 or stricter), or is a credential.
// `usOrFolders`: root also reads one of the user whose folder it stands in, as it works beside a daemon with a user of its own.
enum class SecretOwner : std::uint8_t { us, usOrFolders };
Result<std::string> readSecretFile(const std::string& path, std::size_t maxBytes, SecretOwner owner = SecretOwner::us);

// Whether the service manager hands it over, in the folder that $CREDENTIALS_DIRECTORY names (nullptr: it hands over nothing).
// Such a file may be root's, and its group may read it, as it shows where a list of access (systemd 254) lets the service's user
// do so.
bool isCredential(const std::string& path, const char* folder);

// Replaces `path` by `data` so that after a crash either the old or the new content is there whole: a temporary file
// beside it, fsync, rename, fsync of the directory. `mode` is exact, whatever the umask.
Result<void> writeFileAtomic(const std::string& path, std::string_view data, mode_t mode);

// Renames within one folder, over what has the other name; returns when the folder is on disk.
Result<void> renameFile(const std::string& from, const std::string& to);

// Of the folder that a file stands in: what was made, renamed or removed there is on disk.
Result<void> syncDirectoryOf(const std::string& path);

// Returns when the folder is on disk. One that is not there is removed already.
Result<void> removeFile(const std::string& path);

}  // namespace mesh::host
