#include "shoset/core/route_table.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::shoset {

RouteTable::Changed RouteTable::addNeighbour(LinkId link, const Address& address)
{
    return set(address, link, 1) ? Changed{address} : Changed{};
}

RouteTable::Changed RouteTable::removeLink(LinkId link)
{
    Changed changed;
    for (const Address& address : addresses()) {
        if (set(address, link, 0)) {
            changed.push_back(address);
        }
    }
    return changed;
}

RouteTable::Changed RouteTable::learn(LinkId link, const std::vector<Route>& routes)
{
    Changed changed;
    for (const Route& route : routes) {
        const bool withdrawn = route.distance == 0 || route.distance >= static_cast<std::uint32_t>(limits::maxHops);
        if (set(route.address, link, withdrawn ? 0 : route.distance + 1)) {
            changed.push_back(route.address);
        }
    }
    return changed;
}

std::vector<LinkId> RouteTable::nextHops(const Address& address) const
{
    std::vector<LinkId> links;
    if (const auto found = table.find(address); found != table.end()) {
        for (const Hop& hop : found->second) {
            links.push_back(hop.link);
        }
    }
    return links;
}

std::optional<LinkId> RouteTable::best(const Address& address) const
{
    const auto found = table.find(address);
    if (found == table.end()) {
        return std::nullopt;
    }
    return found->second.front().link;
}

std::vector<Route> RouteTable::advertise(LinkId to, const Changed& changed) const
{
    std::vector<Route> routes;
    for (const Address& address : changed) {
        const auto found = table.find(address);
        routes.push_back({address, found == table.end() ? 0 : toldDistance(found->second, to)});
    }
    return routes;
}

std::vector<Route> RouteTable::advertiseAll(LinkId to) const
{
    std::vector<Route> routes;
    for (const auto& [address, hops] : table) {
        if (const std::uint32_t distance = toldDistance(hops, to); distance != 0) {
            routes.push_back({address, distance});
        }
    }
    return routes;
}

std::vector<Address> RouteTable::addresses() const
{
    std::vector<Address> all;
    for (const auto& [address, hops] : table) {
        all.push_back(address);
    }
    return all;
}

std::uint32_t RouteTable::toldDistance(const std::vector<Hop>& hops, LinkId to)
{
    return hops.front().link == to ? 0 : hops.front().distance;
}

// Distance 0 removes. True if the best way changed (its distance or its link), which is what neighbours are told of:
// by split horizon a change of link alone changes what two of them hear.
bool RouteTable::set(const Address& address, LinkId link, std::uint32_t distance)
{
    auto found = table.find(address);
    if (found == table.end()) {
        if (distance == 0) {
            return false;
        }
        if (table.size() >= limits::maxRoutes) {
            ++overflow;
            return false;
        }
        found = table.emplace(address, std::vector<Hop>{}).first;
    }
    std::vector<Hop>& hops = found->second;
    const std::optional<Hop> before = hops.empty() ? std::nullopt : std::optional<Hop>(hops.front());
    const auto known = std::find_if(hops.begin(), hops.end(), [link](const Hop& hop) { return hop.link == link; });
    if (known != hops.end()) {
        if (known->distance == distance) {
            return false;  // nor does it become the youngest
        }
        hops.erase(known);
    }
    if (distance != 0) {
        const auto place = std::find_if(hops.begin(), hops.end(), [distance](const Hop& hop) { return hop.distance > distance; });
        hops.insert(place, {link, distance});
    }
    if (hops.empty()) {
        table.erase(found);
        return before.has_value();
    }
    return !before || before->distance != hops.front().distance || before->link != hops.front().link;
}

}  // namespace mesh::shoset
