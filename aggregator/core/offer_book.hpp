#pragma once

#include "shoset/base/result.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

// What an asker wants of a worker.
struct Wanted {
    std::string command;
    std::string type = {};    // connector type; empty: any
    std::uint32_t major = 0;  // 0: any
    std::uint32_t minor = 0;  // at least, where a major version is wanted
};

// "power.cycle of type power-controller"
std::string describe(const Wanted& wanted);
// The offer of the highest version that does it. notFound: none has the command; unsupported: none in that version. The
// error is the end of a sentence that begins with who offers: "offers no command power.cycle".
Result<const shoset::Offer*> chooseOffer(const std::vector<shoset::Offer>& offers, const Wanted& wanted);

// What the workers of each connector offer, as it told last. What comes late by another way, or from a process that was
// replaced, is not taken.
class OfferBook {
public:
    void onOffers(const shoset::Address& connector, shoset::Offers told);
    // It announced itself: what another process of it offered is void.
    void onIncarnation(const shoset::Address& connector, std::uint64_t incarnation);
    // Forgets those that are gone.
    void keep(const std::function<bool(const shoset::Address&)>& stays);

    // Empty: nothing, or it never told.
    const std::vector<shoset::Offer>& of(const shoset::Address& connector) const;
    // Of the tenant, those that offer what is wanted, by name; and whether any offers it in another version.
    struct Offering {
        std::vector<shoset::Address> connectors;
        bool inAnotherVersion = false;
    };
    Offering offering(std::string_view tenant, const Wanted& wanted) const;
    // `visit` for each connector that offers anything.
    void forEach(const std::function<void(const shoset::Address&, const std::vector<shoset::Offer>&)>& visit) const;
    std::uint64_t overtaken() const { return overtakenCount; }

private:
    struct Entry {
        std::uint64_t incarnation = 0;
        std::uint64_t former = 0;  // nothing of it is taken any more
        std::uint64_t sequence = 0;
        std::vector<shoset::Offer> offers;
    };
    bool turnsTo(Entry& entry, std::uint64_t incarnation);

    std::map<shoset::Address, Entry> entries;
    std::uint64_t overtakenCount = 0;
};

}  // namespace mesh::aggregator
