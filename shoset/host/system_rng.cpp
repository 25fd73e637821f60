#include "shoset/host/system_rng.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace mesh::host {

std::uint64_t SystemRng::next()
{
    std::uint64_t value = 0;
    while (true) {
        const ssize_t got = ::getrandom(&value, sizeof(value), 0);
        if (got == static_cast<ssize_t>(sizeof(value))) {
            return value;
        }
        if (got < 0 && errno != EINTR) {
            std::abort();
        }
    }
}

}  // namespace mesh::host
