#include "tests/simulation/faults.hpp"

#include <array>
#include <utility>

namespace mesh::simulation {

namespace {

constexpr std::array<std::pair<Fault, const char*>, 20> names{{
    {Fault::none, "none"},
    {Fault::repeatUnderNewId, "repeat-under-new-id"},
    {Fault::ignoreTenant, "ignore-tenant"},
    {Fault::loseReply, "lose-reply"},
    {Fault::executeLate, "execute-late"},
    {Fault::journalNotDurable, "journal-not-durable"},
    {Fault::mapWrong, "map-wrong"},
    {Fault::wrongIdentity, "wrong-identity"},
    {Fault::claimNotSent, "claim-not-sent"},
    {Fault::dropPiece, "drop-piece"},
    {Fault::hideWrites, "hide-writes"},
    {Fault::stampLate, "stamp-late"},
    {Fault::acknowledgeEarly, "acknowledge-early"},
    {Fault::skipCatchUp, "skip-catch-up"},
    {Fault::forgetOnCrash, "forget-on-crash"},
    {Fault::outboxNotSynced, "outbox-not-synced"},
    {Fault::storeNotSynced, "store-not-synced"},
    {Fault::trimEarly, "trim-early"},
    {Fault::mixTenants, "mix-tenants"},
    {Fault::swapEvents, "swap-events"},
}};

}  // namespace

const char* faultName(Fault fault)
{
    return names[static_cast<std::size_t>(fault)].second;
}

std::optional<Fault> faultNamed(std::string_view name)
{
    for (const auto& [fault, text] : names) {
        if (name == text) {
            return fault;
        }
    }
    return std::nullopt;
}

std::vector<Fault> allFaults()
{
    std::vector<Fault> faults;
    for (const auto& [fault, text] : names) {
        if (fault != Fault::none) {
            faults.push_back(fault);
        }
    }
    return faults;
}

}  // namespace mesh::simulation
