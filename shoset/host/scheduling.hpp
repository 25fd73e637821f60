#pragma once

namespace mesh::host {

// How the calling thread, and those that it starts from then on, share cores with others of the same priority. No privilege is needed;
// where the kernel does not know it, nothing changes.

// How many the calling thread may use (sched_getaffinity(2)).
int usableCores();
// For a loop that serves many: it gets a core from a thread that computes as soon as there is something to do, not when that one's
// time slice is over (milliseconds). Needs Linux 6.12 (sched_setattr(2): the time slice of SCHED_OTHER); before 6.6 sleepers had that
// anyway.
void serveAtOnce();
// For work that nobody waits for within milliseconds: it takes no core from a thread that serves (sched(7): SCHED_BATCH).
void workInBackground();

}  // namespace mesh::host
