#pragma once

#include "shoset/base/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::history {

// Where one tenant's history is at one node, once it is not where it always was. Ids of records, which readers go on from, are those
// of a database: those of before a move and of after it must not be taken for each other.
struct Place {
    std::string name;        // as checkPlace() has it; empty: the node's own database
    std::string secret;      // of the tenant, with the password for it; empty: none
    std::uint64_t base = 0;  // ids as readers see them are those of the database and this
    std::uint64_t last = 0;  // that of the tenant's last event before the move, as readers saw it
    std::uint64_t at = 0;    // behind it in the database is all that there was not before the move, also what other nodes had put there
    bool operator==(const Place&) const = default;
};
using Places = std::map<std::string, Place>;  // by tenant

// One of the tenant's last events before the move: its id as readers saw it, and that in the database it is in now.
struct MovedEvent {
    std::uint64_t shown = 0;
    std::uint64_t id = 0;  // 0: it is not there yet, or not any more
};

// Of the database, for what a reader goes on from. An id of before the move is good as long as what came behind it is known:
// `recent` is that, by `shown`, as much as is remembered. Else Code::refused. The order is another one in another database, so that
// some may be read again; none is left out.
Result<std::uint64_t> idAtPlace(const Place& place, std::uint64_t shown, const std::vector<MovedEvent>& recent = {});

// The place that a move to name and secret of `to` ends with: `greatest` id of the database before it, of events and audit records
// (others go on storing there, and what readers are given until it has ended is before the move as well: limits::historyMoveGap),
// and the tenant's `last` event in that, as readers see them; `at`: see EventLanding.
Place placeAfter(const Place& before, const Place& to, std::uint64_t greatest, std::uint64_t last, std::uint64_t at);

// A line for each, for a file of the node's own.
std::string placesText(const Places& places);
Result<Places> parsePlaces(std::string_view text);

}  // namespace mesh::history
