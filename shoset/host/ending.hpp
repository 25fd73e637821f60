#pragma once

#include "shoset/base/time.hpp"

namespace mesh::host {

// Exit status of a process that did not come to its end by itself.
constexpr int endedByForce = 70;

// To be called when the process is to end. If it has not ended by itself after `patience` it ends at once, with a line in the log and
// endedByForce: a thread may be waiting for a disk that hangs, and whoever joins it with it, libuv after the end of main() too. What was
// answered by then is on disk; what was not is as after a crash. Of several calls the one whose time is over first counts.
void endProcessWithin(Duration patience);

}  // namespace mesh::host
