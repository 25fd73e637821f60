#pragma once

#include "shoset/base/rng.hpp"

namespace mesh::host {

// The kernel's entropy (getrandom(2)): good for keys and tokens. Any thread. Aborts the process if the kernel refuses,
// which it does not once it was seeded; a predictable token would be worse.
class SystemRng final : public Rng {
public:
    std::uint64_t next() override;
};

}  // namespace mesh::host
