#pragma once

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
//        Location and the document of commandDocument(). 404, 409 (not in that version), 413, 503: nothing was sent.
//   GET  commands/{id}?seen=REVISION&wait=SECONDS   the same document; with `seen`, once its revision is another or the time is
//        up. At the node that took it, and as long as limits say.
//   GET  workers   what the workers of each connector offer
class CommandResources {
public:
    explicit CommandResources(const ResourceContext& resources) : context(resources) {}

    void set(Commands& carrier, const OfferBook& book);
    void create(const CallPtr& call) const;
    void read(const CallPtr& call) const;
    Answer workers(const Call& call) const;

private:
    Result<CommandAsk> askOf(const Call& call, const RequestBody& body) const;
    std::string tenantFor(const Call& call, std::string given) const;
    void answerAtEnd(const CallPtr& call, const MessageId& id, Instant until, Now now) const;

    ResourceContext context;
    Commands* commands = nullptr;
    const OfferBook* offers = nullptr;
};

}  // namespace mesh::aggregator
