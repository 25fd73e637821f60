#include "aggregator/core/offer_book.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace mesh::aggregator {

namespace {

bool hasCommand(const shoset::Offer& offer, std::string_view name)
{
    return std::any_of(offer.commands.begin(), offer.commands.end(),
                       [name](const shoset::OfferedCommand& command) { return command.name == name; });
}

bool hasVersion(const shoset::Offer& offer, const Wanted& wanted)
{
    return wanted.major == 0 || (offer.major == wanted.major && offer.minor >= wanted.minor);
}

}  // namespace

std::string describe(const Wanted& wanted)
{
    return wanted.command + (wanted.type.empty() ? std::string() : " of type " + wanted.type);
}

Result<const shoset::Offer*> chooseOffer(const std::vector<shoset::Offer>& offers, const Wanted& wanted)
{
    const shoset::Offer* best = nullptr;
    bool inAnotherVersion = false;
    for (const shoset::Offer& offer : offers) {
        if ((!wanted.type.empty() && offer.type != wanted.type) || !hasCommand(offer, wanted.command)) {
            continue;
        }
        if (!hasVersion(offer, wanted)) {
            inAnotherVersion = true;
        } else if (best == nullptr || std::tie(offer.major, offer.minor) > std::tie(best->major, best->minor)) {
            best = &offer;
        }
    }
    if (best == nullptr && inAnotherVersion) {
        return Error{Code::unsupported, "offers " + describe(wanted) + " in other versions than " + std::to_string(wanted.major) + "." +
                                            std::to_string(wanted.minor)};
    }
    return best != nullptr ? Result<const shoset::Offer*>(best) : Error{Code::notFound, "offers no command " + describe(wanted)};
}

// False: that process was replaced before.
bool OfferBook::turnsTo(Entry& entry, std::uint64_t incarnation)
{
    if (incarnation == entry.incarnation) {
        return true;
    }
    if (entry.former != 0 && incarnation == entry.former) {
        return false;
    }
    entry.former = std::exchange(entry.incarnation, incarnation);
    entry.sequence = 0;
    entry.offers.clear();
    return true;
}

void OfferBook::onOffers(const shoset::Address& connector, shoset::Offers told)
{
    Entry& entry = entries[connector];
    if (!turnsTo(entry, told.incarnation) || told.sequence < entry.sequence) {
        ++overtakenCount;
        return;
    }
    entry.sequence = told.sequence;
    entry.offers = std::move(told.offers);
}

void OfferBook::onIncarnation(const shoset::Address& connector, std::uint64_t incarnation)
{
    const auto found = entries.find(connector);
    if (found != entries.end() && incarnation != 0) {
        turnsTo(found->second, incarnation);
    }
}

void OfferBook::keep(const std::function<bool(const shoset::Address&)>& stays)
{
    std::erase_if(entries, [&stays](const auto& entry) { return !stays(entry.first); });
}

const std::vector<shoset::Offer>& OfferBook::of(const shoset::Address& connector) const
{
    static const std::vector<shoset::Offer> nothing;
    const auto found = entries.find(connector);
    return found == entries.end() ? nothing : found->second.offers;
}

OfferBook::Offering OfferBook::offering(std::string_view tenant, const Wanted& wanted) const
{
    Offering out;
    for (auto entry = entries.lower_bound(shoset::connectorAddress(tenant, "")); entry != entries.end(); ++entry) {
        if (shoset::tenantOf(entry->first) != tenant) {
            break;
        }
        if (const auto offer = chooseOffer(entry->second.offers, wanted)) {
            out.connectors.push_back(entry->first);
        } else {
            out.inAnotherVersion = out.inAnotherVersion || offer.error().code == Code::unsupported;
        }
    }
    return out;
}

void OfferBook::forEach(const std::function<void(const shoset::Address&, const std::vector<shoset::Offer>&)>& visit) const
{
    for (const auto& [address, entry] : entries) {
        if (!entry.offers.empty()) {
            visit(address, entry.offers);
        }
    }
}

}  // namespace mesh::aggregator
