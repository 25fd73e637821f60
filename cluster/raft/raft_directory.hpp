#pragma once

#include "shoset/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mesh::cluster {

// The directory of a member's log, locked against other processes (`lock` in it) while the object lives. Blocks on the
// disk; every error names the directory and says what to do.
class RaftDirectory {
public:
    RaftDirectory() = default;
    ~RaftDirectory();
    RaftDirectory(RaftDirectory&& other) noexcept;
    RaftDirectory& operator=(RaftDirectory&& other) noexcept;

    // Makes it if `create`, with mode 0700, and sees to that mode. unavailable: another process has it.
    static Result<RaftDirectory> open(const std::string& path, bool create);

    // Is there a log or a snapshot?
    bool hasLog() const;
    // A power loss between the two writes of a first start leaves a term without a log, and libraft would take the node
    // for a joiner for ever. Removes such a term, if nothing was voted for in it.
    Result<void> forgetUnfinishedStart() const;

private:
    std::string path;
    int lock = -1;
};

// Offline, when a majority is lost for good: makes `self` the only voter of the log in `directory`. Everything that is
// in this log is taken for committed, and what only the lost members had is gone. Raise the generation afterwards
// (RaiseGeneration), and start other members anew, with empty directories. notFound: there is no log.
Result<void> recoverRaftDirectory(const std::string& directory, std::uint64_t self, const std::string& name);

// Offline: makes a log in `directory`, itself made where it is missing, that begins with `state` (StateMachine::snapshot()) and
// of which `self` is the only voter. alreadyExists: there is a log, or a vote was given. What is left after another error must
// not be used.
Result<void> foundRaftDirectory(const std::string& directory, std::uint64_t self, const std::string& name, std::string_view state);

}  // namespace mesh::cluster
