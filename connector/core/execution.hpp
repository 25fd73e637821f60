#pragma once

#include "connector/core/executor.hpp"

namespace mesh::connector {

// One command on its way through the executor. Inner header.
struct Executor::Execution {
    MessageId id;
    shoset::Address origin;
    shoset::LinkId link = 0;  // the way back: over which it came last, then over which its answer went
    std::uint64_t number = 0;
    Phase phase = Phase::asking;
    bool safe = false;
    bool headOnly = false;
    Instant deadline = never;
    std::uint64_t writesBefore = 0;  // Executor::writeMoments when the BMC was asked
    shoset::Fence fence;

    RequestTranslation request;
    std::string requestBody;  // translated, until the BMC is asked
    bool requestComplete = false;
    shoset::ReceiveWindow incoming{0, 0, limits::inlineBodyBytes};  // in bytes of the client
    std::uint64_t unsent = 0;  // translated bytes that the BMC has not taken yet

    std::optional<ResponseTranslation> response;
    ResponseHead head;
    std::string out;  // localised, not yet sent
    std::uint64_t headBytes = 0;  // of a HEAD's body that is counted and thrown away
    bool complete = false;
    bool replied = false;
    std::size_t ungranted = 0;  // bytes taken from the BMC that it was not granted anew
    shoset::SendWindow window;
    Instant takenBy = never;  // when what waits for the asker is given up
    Instant probeAt = never;  // when to see whether the asker is still there

    // Of a command to a worker.
    struct Work {
        shoset::Command command;
        Workers::Checked payload;                // what is to be given
        std::optional<WorkerReply> progress;     // not passed on yet
        Instant progressAt = never;              // and when it may be
        Instant progressSent{};
    };
    std::optional<Work> work;
    bool direct = false;  // one of redfish.*: the answer goes into a payload, as the BMC wrote it
    bool tooLong = false;  // it does not fit there
    Instant refreshBy = never;
};

}  // namespace mesh::connector
