#pragma once

#include "shoset/base/rng.hpp"

#include <array>
#include <cstddef>

namespace mesh::host {

// The kernel's entropy (getrandom(2)), fetched 32 numbers at a time and forgotten when given out: good for keys and tokens.
// One thread. Aborts the process if the kernel refuses, which it does not once it was seeded; a predictable token would be
// worse.
class SystemRng final : public Rng {
public:
    std::uint64_t next() override;

private:
    void refill();

    std::array<std::uint64_t, 32> stock{};
    std::size_t left = 0;
};

}  // namespace mesh::host
