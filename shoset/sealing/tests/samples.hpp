#pragma once

#include "shoset/base/rng.hpp"
#include "shoset/sealing/sealing.hpp"

#include <array>
#include <string>
#include <vector>

namespace mesh::sealing {

// One operator, the connectors acme/one, acme/two and acme/three, and a secret for the first two.
struct Samples {
    SeededRng rng{7};
    const Seed operatorSeed = Seed::make(rng);
    const Seed one = Seed::make(rng);
    const Seed two = Seed::make(rng);
    const Seed three = Seed::make(rng);
    std::vector<std::string> trusted{keysOf(operatorSeed).signing};
    const std::string value = "correct horse battery staple";

    SecretToSeal wanted(std::uint64_t version = 5)
    {
        return {"acme", "db", version, value, {{"one", sealingKeyOf(one)}, {"two", sealingKeyOf(two)}}};
    }
    Envelope sealed() { return *seal(wanted(), operatorSeed, rng); }
    Reader reader(const std::string& connector, const Seed& seed) const { return {"acme", connector, trusted, {&seed, 1}}; }
};

}  // namespace mesh::sealing
