#include "shoset/host/scheduling.hpp"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace mesh::host {

namespace {

// Shorter ones cost throughput (a tenth at 100 us), and nobody waits less.
constexpr std::chrono::nanoseconds servingSlice = std::chrono::microseconds(700);

// linux/sched/types.h as it has been since Linux 3.14; the header and that of the C library exclude each other.
struct Attributes {
    std::uint32_t size = sizeof(Attributes);
    std::uint32_t policy = SCHED_OTHER;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0;  // ns; 0: the kernel's own slice
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
};

// Only of a thread that nobody has given another policy: systemd's CPUSchedulingPolicy= stands.
void schedule(std::uint32_t policy, std::chrono::nanoseconds slice)
{
    if (const int now = sched_getscheduler(0); now != SCHED_OTHER && now != SCHED_BATCH) {
        return;
    }
    errno = 0;
    const int nice = getpriority(PRIO_PROCESS, 0);
    if (errno != 0) {
        return;
    }
    Attributes wanted;
    wanted.policy = policy;
    wanted.nice = nice;
    wanted.runtime = static_cast<std::uint64_t>(slice.count());
    syscall(SYS_sched_setattr, 0, &wanted, 0);  // what refuses it leaves things as they are
}

}  // namespace

int usableCores()
{
    cpu_set_t mine;
    return sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : static_cast<int>(std::thread::hardware_concurrency());
}

void serveAtOnce()
{
    schedule(SCHED_OTHER, servingSlice);
}

void workInBackground()
{
    schedule(SCHED_BATCH, {});
}

}  // namespace mesh::host
