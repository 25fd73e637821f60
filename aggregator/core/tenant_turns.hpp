#pragma once

#include "aggregator/core/http_port.hpp"
#include "shoset/base/time.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

// Whose requests go first, so that a tenant that asks for little waits for little of one that asks as fast as it can. A request to a
// satellite counts for the satellite's tenant, one that the node answers itself, merged collections among them, for the tenant of who
// asks. As long as one tenant's come alone, everything goes at once: what is asked together travels together. From the moment when
// another tenant's come, and for `quiet` after that, each has at most `share` in one turn of the loop; the others wait in their order.
// Nobody waits for an answer here, and no more than there are connections wait at all.
class TenantTurns {
public:
    static constexpr std::size_t share = 3;
    static constexpr Duration quiet = 1s;

    // True: it goes now. False: next() gives it when it is to go.
    bool mayGo(std::string_view tenant, ExchangeId id, Now now);
    // The next turn of the loop has begun: those that go in it.
    std::vector<ExchangeId> next();
    // Its client has gone: it does not wait any more, and takes nobody's turn.
    void leave(std::string_view tenant, ExchangeId id);
    // Whether there is somebody to be given by next(), or to be counted anew.
    bool isWanted() const { return !tenants.empty(); }

private:
    struct Line {
        std::size_t gone = 0;  // in this turn
        std::deque<ExchangeId> waiting;
    };
    bool isContended(std::string_view tenant, Now now);

    std::map<std::string, Line, std::less<>> tenants;  // of this turn, and those with somebody who waits
    std::string newest;            // who asked last,
    Instant newestAt = Instant::min();
    Instant othersAt = Instant::min();  // and when anybody else did before
};

}  // namespace mesh::aggregator
