#pragma once

#include "shoset/core/message.hpp"

namespace mesh::shoset {

// Whether a failure with this code, that no worker reported, proves that the command was not executed.
bool provesNotExecuted(Code code);

// What is known of a command that ended so: "yes", "no" or "unknown".
const char* executedWord(ReplyState state, Code code, bool workerReported);

// "SUCCESS", "FAIL", "ON_GOING".
const char* stateName(ReplyState state);

}  // namespace mesh::shoset
