#pragma once

#include "cluster/local/state_frames.hpp"
#include "shoset/base/result.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::cluster {

// The system calls that can fail for want of space or of a sound disk; tests give others.
struct FileCalls {
    ssize_t (*write)(int fd, const void* bytes, size_t count, off_t offset);
    int (*sync)(int fd);
    int (*truncate)(int fd, off_t length);
    static FileCalls system();
};

// One state file (state_frames.hpp), locked against other processes by `<path>.lock` for as long as the object lives.
// Mode 0600. Every call blocks on the disk. One thread at a time, any thread.
class StateFile {
public:
    struct Contents {
        std::string snapshot;
        std::vector<std::string> entries;  // after the snapshot, in order
        std::size_t cutBytes = 0;          // of an unfinished write after a power loss, cut off
    };

    // Opens the file, or makes it with `emptySnapshot`. Errors name the file, what is wrong and what to do: unavailable
    // (another process has it), corrupt, unsupported, ioError. On an error the file is as it was.
    static Result<std::unique_ptr<StateFile>> open(const std::string& path, std::string_view emptySnapshot,
                                                   Contents& contents, FileCalls calls = FileCalls::system());
    ~StateFile();
    StateFile(const StateFile&) = delete;
    StateFile& operator=(const StateFile&) = delete;

    // Appends the entries as one batch; on success they are on the disk. On ioError or full (the file is at
    // limits::maxStateFileBytes) nothing was appended. outcomeUnknown: it could not be undone either; the entries may
    // be there after a restart, and nothing can be appended until replace() succeeded.
    Result<void> append(const std::vector<std::string>& entries);

    // Puts a file with this snapshot and no entries in the place of the old one, atomically. On ioError the old one
    // stays as it was.
    Result<void> replace(std::string_view snapshot);

    bool mustReplace() const { return tainted; }
    // Appended since the snapshot.
    std::size_t appendedBytes() const { return length - snapshotEnd; }
    std::size_t snapshotBytes() const { return snapshotEnd; }

private:
    StateFile(std::string filePath, FileCalls fileCalls);
    Result<void> lock();
    Result<void> load(Contents& contents);
    Result<void> undo(const Error& cause);
    Error failed(const char* what) const;
    bool writeAll(int to, std::string_view bytes, std::size_t offset) const;

    std::string path;
    FileCalls calls;
    int lockFd = -1;
    int fd = -1;
    std::uint64_t nextSequence = 1;
    std::size_t length = 0;
    std::size_t snapshotEnd = 0;
    bool tainted = false;
};

}  // namespace mesh::cluster
