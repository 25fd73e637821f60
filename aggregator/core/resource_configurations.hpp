#pragma once

#include "aggregator/core/configuration_rules.hpp"
#include "aggregator/core/configurations.hpp"
#include "aggregator/core/resource_answer.hpp"
#include "cluster/core/state.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace mesh::aggregator {

// /mesh/v1/config: pivots, products and components (configuration_rules.hpp), for who may configure managers: of his own tenant,
// or of any if he belongs to none.
//
//   GET config                                        {documents: [{tenant, kind, name, version, at, by, acknowledged}]}
//   POST config {document, tenant, follows}           201 with {tenant, kind, name, version}; 200 where it says that already;
//                                                     400 with the place in it and what is wrong. `tenant`: by default his own;
//                                                     `follows`: only if that version is in force (0: none), else 409; 409 also
//                                                     where there is no room, with the sizes
//   GET config/TENANT:KIND:NAME                       as in the list, with {document, history: [{version, at, by, document}]}
//   DELETE config/TENANT:KIND:NAME                    204; 409 while another document needs it
//
// `acknowledged` is of components: {state, version, reason}, with the state "applied", "refused", "pending" (stored, a worker has not
// answered), "behind" (it has another version) or "unknown" (it has not told, since this node or it began).
//
// What a document has to fit is looked at behind a barrier, and the change is made only while that is as it was
// (cluster::PutConfiguration); else it is looked at again, limits::maxConfigurationChecks times at most.
class ConfigurationResources {
public:
    explicit ConfigurationResources(const ResourceContext& resources) : context(resources) {}
    // What connectors have acknowledged; it outlives this. Set once before the first request.
    void set(const Configurations& acknowledgements) { layers = &acknowledgements; }

    Answer list(const Call& call) const;
    void put(const CallPtr& call) const;
    Answer get(const Call& call) const;
    void remove(const CallPtr& call) const;

private:
    std::optional<cluster::DocumentName> named(const Call& call) const;
    std::string tenantFor(const Call& call, const std::string& given) const;
    Result<std::string> connectorType(const cluster::DocumentName& name) const;
    struct Upload {
        ConfigurationDocument document;
        std::optional<std::uint64_t> follows;  // as asked, else what was there when it was first looked at
        std::string author;
        std::size_t checks = 0;
    };
    void store(const CallPtr& call, Upload upload) const;
    bool isOvertaken(const cluster::Applied& applied, const Upload& upload) const;
    void removeUnused(const CallPtr& call, const cluster::DocumentName& name, std::size_t checks) const;
    void whenCaughtUp(const CallPtr& call, std::function<void()> then) const;

    ResourceContext context;
    const Configurations* layers = nullptr;
};

}  // namespace mesh::aggregator
