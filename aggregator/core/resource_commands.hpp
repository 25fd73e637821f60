#pragma once

#include "aggregator/core/audit_trail.hpp"
#include "aggregator/core/command_lookup.hpp"
#include "aggregator/core/commands.hpp"
#include "aggregator/core/offer_book.hpp"
#include "aggregator/core/resource_body.hpp"
#include "aggregator/core/resource_call.hpp"

namespace mesh::aggregator {

// /mesh/v1/commands, /mesh/v1/workers: commands to workers, within what the asker's tenant can reach. To ask for one needs
// ConfigureComponents, as does what became of it.
//
//   POST commands {command, target | type (, all), tenant?, version?, payload?, timeout?, wait?}
//        `target`: a connector's logical name, or "tenant/name"; `type` beside it: of which connector type the worker has to be.
//        `version`: "1" or "1.2"; `timeout`, `wait`: seconds. 202 while it goes on (200 once it has ended, within `wait`), with
//        Location and the document of commandDocument(). 404, 409 (not in that version), 413, 503: nothing was sent. redfish.* needs
//        beside that what a Redfish request of that method to that resource does.
//   GET  commands/{id}?seen=REVISION&wait=SECONDS   the same document; with `seen`, once its revision is another or the time is
//        up. As long as limits say. Of one that another node took, what that answers.
//   GET  workers   what the workers of each connector offer
class CommandResources {
public:
    explicit CommandResources(const ResourceContext& resources) : context(resources) {}

    // `others`: who is asked for what this node did not take; none: nobody.
    void set(Commands& carrier, const OfferBook& book, CommandLookup* others);
    void create(const CallPtr& call) const;
    // Which command for whom, into the audit trail of the tenant whose connectors are meant.
    void describe(const Call& call, Deed& deed) const;
    // Before that: within the quota of that tenant and the limits of this node, or why not.
    Result<void> reserve(Call& call) const;
    void read(const CallPtr& call) const;
    Answer workers(const Call& call) const;

private:
    std::optional<CommandAsk> readableAsk(const Call& call) const;
    Result<CommandAsk> askOf(const Call& call, const RequestBody& body) const;
    std::string tenantFor(const Call& call, std::string given) const;
    void readElsewhere(const CallPtr& call, const MessageId& id) const;
    void answerAtEnd(const CallPtr& call, const MessageId& id, Instant until, Now now) const;

    ResourceContext context;
    Commands* commands = nullptr;
    const OfferBook* offers = nullptr;
    CommandLookup* elsewhere = nullptr;
};

}  // namespace mesh::aggregator
