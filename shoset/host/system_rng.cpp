#include "shoset/host/system_rng.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace mesh::host {

std::uint64_t SystemRng::next()
{
    if (left == 0) {
        refill();
    }
    return std::exchange(stock[--left], 0);
}

// Requests of up to 256 bytes are not cut short by signals (getrandom(2)).
void SystemRng::refill()
{
    static_assert(sizeof(stock) <= 256);
    while (::getrandom(stock.data(), sizeof(stock), 0) != static_cast<ssize_t>(sizeof(stock))) {
        if (errno != EINTR) {
            std::abort();
        }
    }
    left = stock.size();
}

}  // namespace mesh::host
