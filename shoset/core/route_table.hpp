#pragma once

#include "shoset/core/link.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace mesh::shoset {

// Next-hop routes by distance vector with split horizon and a hop limit (limits::maxHops); a route is as good as the
// last word of the link it came over. Direct neighbours have distance 1.
class RouteTable {
public:
    // What neighbours have to be told: addresses whose best way (its distance or its link) is another than before.
    using Changed = std::vector<Address>;

    Changed addNeighbour(LinkId link, const Address& address);
    // All that was known over this link is forgotten.
    Changed removeLink(LinkId link);
    // Distances as the neighbour sees them; 0 withdraws. What would be over the hop limit counts as withdrawn.
    Changed learn(LinkId link, const std::vector<Route>& routes);

    // Links that lead there, nearest first; those of equal distance by age. Empty: unknown.
    std::vector<LinkId> nextHops(const Address& address) const;
    std::optional<LinkId> best(const Address& address) const;
    // What a neighbour is told: best distances; 0 for what is gone, and for what is best reached through itself (split
    // horizon). Hence no next hop of a settled network leads straight back.
    std::vector<Route> advertise(LinkId to, const Changed& addresses) const;
    std::vector<Route> advertiseAll(LinkId to) const;
    std::vector<Address> addresses() const;
    // Routes that were not taken because limits::maxRoutes addresses are known.
    std::uint64_t refused() const { return overflow; }

private:
    struct Hop {
        LinkId link;
        std::uint32_t distance;
    };
    static std::uint32_t toldDistance(const std::vector<Hop>& hops, LinkId to);
    bool set(const Address& address, LinkId link, std::uint32_t distance);

    std::map<Address, std::vector<Hop>, std::less<>> table;
    std::uint64_t overflow = 0;
};

}  // namespace mesh::shoset
