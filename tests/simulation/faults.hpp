#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::simulation {

// Deliberate faults, made at the boundaries of the logic under test (nothing of them is in the product). Each breaks one
// promise, and the simulation has to notice.
enum class Fault {
    none,
    repeatUnderNewId,      // a retry that the connector cannot recognise: executed twice
    ignoreTenant,          // every account counts as the system's
    loseReply,             // an answer that never reaches the client
    executeLate,           // the BMC gets a command after its deadline
    journalNotDurable,     // begun commands are acknowledged before they are on disk
    mapWrong,              // a request reaches another URI of the satellite
    wrongIdentity,         // ZAP takes one connector for another
    claimNotSent,          // an unknown outcome is reported as "not sent"
    dropPiece,             // a piece of a streamed answer is lost, and the answer looks complete
    hideWrites,            // a reply says that no write came between, whatever did
    stampLate,             // a reply claims to have been sent later than it was
    acknowledgeEarly,      // the primary takes for committed what nobody else has
    skipCatchUp,           // a standby says that it has caught up, and has not
    forgetOnCrash,         // a member comes back without entries that it had applied
    outboxNotSynced,       // a connector's disk says that it has events, and has not yet
    storeNotSynced,        // an aggregator's database does
    trimEarly,             // one aggregator's word that it has an event counts as that of all
    mixTenants,            // a database looks for a connector's events without its tenant
    swapEvents,            // two events that an aggregator passes on change places
};

const char* faultName(Fault fault);
std::optional<Fault> faultNamed(std::string_view name);
std::vector<Fault> allFaults();  // without none

}  // namespace mesh::simulation
