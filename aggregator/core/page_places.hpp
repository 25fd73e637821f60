#pragma once

#include "shoset/base/rng.hpp"
#include "shoset/sealing/secret_bytes.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mesh::aggregator {

enum class Paged : std::uint8_t { events, audit };

// Where a reader goes on in what this node has stored, as text. It is an id, and ids count what every tenant stores: who belongs to a
// tenant gets it sealed (XChaCha20-Poly1305), another one each time, and learns nothing of what the others do.
class PagePlaces {
public:
    // `seed`: of this node. A place is good as long as that stays.
    explicit PagePlaces(const sealing::Seed& seed) : key(seed.derive("places of pages")) {}

    // `tenant`: of the reader; empty: none, and the text is the id itself.
    std::string text(Paged what, std::string_view tenant, std::uint64_t id, Rng& rng) const;
    // nullopt: no such place was given to a reader of this tenant.
    std::optional<std::uint64_t> read(Paged what, std::string_view tenant, std::string_view text) const;

private:
    const sealing::Seed key;
};

}  // namespace mesh::aggregator
