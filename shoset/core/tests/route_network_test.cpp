#include "shoset/base/limits.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/core/route_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

namespace mesh::shoset {
namespace {

using Changed = RouteTable::Changed;

// Nodes with a table each, told to each other as an aggregator does it: over connections that keep their order while
// any may be slower than another.
class Network {
public:
    Network(std::size_t count, std::uint64_t seed) : rng(seed), nodes(count) {}

    static Address nameOf(std::size_t node) { return "n" + std::to_string(node); }

    void connect(std::size_t a, std::size_t b)
    {
        const LinkId atA = nextLink++;
        const LinkId atB = nextLink++;
        nodes[a].links[atA] = {b, atB, {}};
        nodes[b].links[atB] = {a, atA, {}};
        greet(a, atA, b);
        greet(b, atB, a);
    }

    void disconnect(std::size_t a, std::size_t b)
    {
        const LinkId atA = linkTo(a, b);
        const LinkId atB = nodes[a].links.at(atA).peerLink;
        nodes[a].links.erase(atA);
        nodes[b].links.erase(atB);
        tell(a, nodes[a].table.removeLink(atA));
        tell(b, nodes[b].table.removeLink(atB));
    }

    void attach(std::size_t node, const Address& connector) { tell(node, nodes[node].table.addNeighbour(1, connector)); }
    void detach(std::size_t node) { tell(node, nodes[node].table.removeLink(1)); }

    bool deliverOne()
    {
        std::vector<std::pair<std::size_t, LinkId>> waiting;
        for (std::size_t node = 0; node < nodes.size(); ++node) {
            for (const auto& [id, link] : nodes[node].links) {
                if (!link.inbox.empty()) {
                    waiting.emplace_back(node, id);
                }
            }
        }
        if (waiting.empty()) {
            return false;
        }
        const auto [node, id] = waiting[rng.below(waiting.size())];
        auto& inbox = nodes[node].links.at(id).inbox;
        std::vector<Route> routes = std::move(inbox.front());
        inbox.pop_front();
        tell(node, nodes[node].table.learn(id, routes));
        return true;
    }

    void settle()
    {
        for (int messages = 0; deliverOne(); ++messages) {
            ASSERT_LT(messages, 200000) << "the tables never come to rest";
        }
    }

    // Neighbours in the order of the next hops; a connector's own node counts as the destination itself.
    std::vector<std::size_t> nextHops(std::size_t node, const Address& address) const
    {
        std::vector<std::size_t> hops;
        for (const LinkId link : nodes[node].table.nextHops(address)) {
            hops.push_back(link == 1 ? node : nodes[node].links.at(link).peer);
        }
        return hops;
    }

    // Hops on the shortest way, 0 for the node itself.
    std::vector<std::size_t> distancesFrom(std::size_t start) const
    {
        std::vector<std::size_t> distance(nodes.size(), SIZE_MAX);
        std::deque<std::size_t> queue{start};
        distance[start] = 0;
        while (!queue.empty()) {
            const std::size_t node = queue.front();
            queue.pop_front();
            for (const auto& [id, link] : nodes[node].links) {
                if (distance[link.peer] == SIZE_MAX) {
                    distance[link.peer] = distance[node] + 1;
                    queue.push_back(link.peer);
                }
            }
        }
        return distance;
    }

    // Everything that is within the hop limit is known by all its shortest ways, nothing else is known, and no next hop
    // would send it straight back.
    void expectShortestWays() const
    {
        for (std::size_t target = 0; target < nodes.size(); ++target) {
            const std::vector<std::size_t> distance = distancesFrom(target);
            for (std::size_t node = 0; node < nodes.size(); ++node) {
                if (node != target) {
                    expectShortestWays(node, target, distance);
                }
            }
        }
    }

private:
    struct End {
        std::size_t peer;
        LinkId peerLink;
        std::deque<std::vector<Route>> inbox;
    };
    struct Node {
        RouteTable table;
        std::map<LinkId, End> links;
    };

    void expectShortestWays(std::size_t node, std::size_t target, const std::vector<std::size_t>& distance) const
    {
        const std::vector<std::size_t> hops = nextHops(node, nameOf(target));
        const bool near = distance[node] <= static_cast<std::size_t>(limits::maxHops);
        ASSERT_EQ(!hops.empty(), near) << nameOf(node) << " to " << nameOf(target);
        std::set<std::size_t> expected;
        for (const auto& [id, link] : nodes[node].links) {
            if (distance[link.peer] >= static_cast<std::size_t>(limits::maxHops)) {
                continue;
            }
            const std::vector<std::size_t> onward = nextHops(link.peer, nameOf(target));
            if (link.peer == target || (!onward.empty() && onward.front() != node)) {
                expected.insert(link.peer);
            }
        }
        EXPECT_EQ(std::set<std::size_t>(hops.begin(), hops.end()), expected) << nameOf(node) << " to " << nameOf(target);
        if (near) {
            EXPECT_EQ(distance[hops.front()] + 1, distance[node]) << nameOf(node) << " to " << nameOf(target);
        }
        EXPECT_TRUE(std::is_sorted(hops.begin(), hops.end(), [&](std::size_t a, std::size_t b) { return distance[a] < distance[b]; }));
    }

    LinkId linkTo(std::size_t from, std::size_t to) const
    {
        const auto& links = nodes[from].links;
        return std::find_if(links.begin(), links.end(), [to](const auto& entry) { return entry.second.peer == to; })->first;
    }

    void greet(std::size_t node, LinkId link, std::size_t peer)
    {
        const Changed changed = nodes[node].table.addNeighbour(link, nameOf(peer));
        send(node, link, nodes[node].table.advertiseAll(link));
        tell(node, changed);
    }

    void tell(std::size_t node, const Changed& changed)
    {
        if (changed.empty()) {
            return;
        }
        for (const auto& [id, link] : nodes[node].links) {
            send(node, id, nodes[node].table.advertise(id, changed));
        }
    }

    // A node's own address is nothing to learn.
    void send(std::size_t node, LinkId link, std::vector<Route> routes)
    {
        const End& end = nodes[node].links.at(link);
        std::erase_if(routes, [&](const Route& route) { return route.address == nameOf(end.peer); });
        nodes[end.peer].links.at(end.peerLink).inbox.push_back(std::move(routes));
    }

    SeededRng rng;
    std::vector<Node> nodes;
    LinkId nextLink = 2;
};

using Edges = std::vector<std::pair<std::size_t, std::size_t>>;
const Edges ringOfFive{{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 0}};
using Hops = std::vector<std::size_t>;

TEST(RouteNetwork, ALineForwardsThroughItsMiddle)
{
    Network line(3, 1);
    line.connect(0, 1);
    line.connect(1, 2);
    line.settle();
    line.expectShortestWays();
    EXPECT_EQ(line.nextHops(0, "n2"), Hops{1});
    EXPECT_EQ(line.nextHops(2, "n0"), Hops{1});
    line.disconnect(1, 2);
    line.settle();
    line.expectShortestWays();
    EXPECT_TRUE(line.nextHops(0, "n2").empty());
    EXPECT_EQ(line.nextHops(0, "n1"), Hops{1});
}

TEST(RouteNetwork, ALineLongerThanTheHopLimitEndsThere)
{
    Network line(7, 2);
    for (std::size_t i = 0; i + 1 < 7; ++i) {
        line.connect(i, i + 1);
    }
    line.settle();
    line.expectShortestWays();
    EXPECT_EQ(line.nextHops(0, "n4"), Hops{1});
    EXPECT_TRUE(line.nextHops(0, "n5").empty());
}

TEST(RouteNetwork, ARingGoesTheShortWayAndRoundTheOtherWhenItBreaks)
{
    Network ring(5, 3);
    for (const auto& [a, b] : ringOfFive) {
        ring.connect(a, b);
    }
    ring.settle();
    ring.expectShortestWays();
    EXPECT_EQ(ring.nextHops(0, "n2"), (Hops{1, 4}));
    ring.disconnect(0, 1);
    ring.settle();
    ring.expectShortestWays();
    EXPECT_EQ(ring.nextHops(0, "n1"), Hops{4});
    ring.connect(0, 1);
    ring.settle();
    ring.expectShortestWays();
    EXPECT_EQ(ring.nextHops(0, "n1").front(), 1u);
}

TEST(RouteNetwork, WaysShortenWhenALinkIsAdded)
{
    Network line(5, 4);
    for (std::size_t i = 0; i + 1 < 5; ++i) {
        line.connect(i, i + 1);
    }
    line.settle();
    EXPECT_EQ(line.nextHops(0, "n4"), Hops{1});
    line.connect(0, 4);
    line.settle();
    line.expectShortestWays();
    EXPECT_EQ(line.nextHops(0, "n4").front(), 4u);
    EXPECT_EQ(line.nextHops(0, "n3").front(), 4u);
}

TEST(RouteNetwork, InAFullMeshNoAggregatorIsADetourToAConnectorItCannotReachItself)
{
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Network mesh(4, seed);
        mesh.attach(0, "acme/sled07");
        for (std::size_t a = 0; a < 4; ++a) {
            for (std::size_t b = a + 1; b < 4; ++b) {
                mesh.connect(a, b);
            }
        }
        mesh.settle();
        EXPECT_EQ(mesh.nextHops(0, "acme/sled07"), Hops{0}) << seed;
        EXPECT_EQ(mesh.nextHops(1, "acme/sled07").front(), 0u) << seed;
        mesh.detach(0);
        mesh.settle();
        for (std::size_t node = 0; node < 4; ++node) {
            EXPECT_TRUE(mesh.nextHops(node, "acme/sled07").empty()) << seed;
        }
    }
}

TEST(RouteNetwork, AConnectorWithTwoLinksIsReachedThroughTheOtherWhenOneEnds)
{
    Network mesh(3, 5);
    mesh.connect(0, 1);
    mesh.connect(1, 2);
    mesh.connect(2, 0);
    mesh.attach(0, "acme/sled07");
    mesh.attach(1, "acme/sled07");
    mesh.settle();
    ASSERT_GE(mesh.nextHops(0, "acme/sled07").size(), 2u);
    EXPECT_EQ(mesh.nextHops(0, "acme/sled07")[0], 0u);
    EXPECT_EQ(mesh.nextHops(0, "acme/sled07")[1], 1u);
    mesh.detach(0);
    mesh.settle();
    EXPECT_EQ(mesh.nextHops(0, "acme/sled07").front(), 1u);
    EXPECT_EQ(mesh.nextHops(2, "acme/sled07").front(), 1u);
}

TEST(RouteNetwork, ARingConvergesInAnyStartOrder)
{
    Edges edges = ringOfFive;
    std::sort(edges.begin(), edges.end());
    std::uint64_t seed = 0;
    do {
        Network ring(5, ++seed);
        SeededRng rng(seed);
        for (const auto& [a, b] : edges) {
            ring.connect(a, b);
            for (std::uint64_t i = rng.below(10); i > 0; --i) {
                ring.deliverOne();
            }
        }
        ring.settle();
        ring.expectShortestWays();
        ASSERT_FALSE(HasFailure()) << "order " << seed;
    } while (std::next_permutation(edges.begin(), edges.end()));
    EXPECT_EQ(seed, 120u);
}

TEST(RouteNetwork, RandomNetworksConvergeAfterRandomLossesAndJoins)
{
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SeededRng rng(seed);
        const std::size_t count = 2 + rng.below(7);
        Network network(count, seed);
        std::set<std::pair<std::size_t, std::size_t>> edges;
        for (int step = 0; step < 30; ++step) {
            const std::size_t a = rng.below(count);
            const std::size_t b = rng.below(count);
            const auto edge = std::minmax(a, b);
            if (a == b) {
                continue;
            }
            if (edges.erase(edge) > 0) {
                network.disconnect(a, b);
            } else {
                edges.insert(edge);
                network.connect(a, b);
            }
            for (std::uint64_t i = rng.below(20); i > 0; --i) {
                network.deliverOne();
            }
        }
        network.settle();
        network.expectShortestWays();
        ASSERT_FALSE(HasFailure()) << "seed " << seed;
    }
}

}  // namespace
}  // namespace mesh::shoset
