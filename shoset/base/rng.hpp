#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

namespace mesh {

// Source of randomness. Shells give a cryptographic one (host::SystemRng), simulations a seeded one.
class Rng {
public:
    virtual ~Rng() = default;
    virtual std::uint64_t next() = 0;

    // Uniform in [0, bound); bound > 0.
    std::uint64_t below(std::uint64_t bound);
    // `count` random bytes.
    std::string bytes(std::size_t count);
};

// Deterministic: the same seed gives the same sequence on every machine. Never for keys or tokens.
class SeededRng final : public Rng {
public:
    explicit SeededRng(std::uint64_t seed) : engine(seed) {}
    std::uint64_t next() override { return engine(); }

private:
    std::mt19937_64 engine;
};

}  // namespace mesh
