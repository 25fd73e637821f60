#pragma once

#include "aggregator/core/credentials.hpp"
#include "aggregator/core/node_view.hpp"
#include "aggregator/core/own_resources.hpp"
#include "aggregator/core/satellites.hpp"
#include "cluster/core/state_engine.hpp"
#include "shoset/base/rng.hpp"

namespace mesh::aggregator {

// The resources that the facade owns, from the table in facade_table.cpp and the state.
class FacadeResources final : public OwnResources {
public:
    FacadeResources(cluster::StateEngine& engine, Credentials& credentials, PasswordPort& passwords,
                    const Satellites& satellites, const NodeView& node, Rng& rng);

    bool isOpen(const std::string& method, const std::string& path) const override;
    bool ownsCollection(const std::string& collection) const override;
    void handle(OwnRequest request, Now now, Done done) override;
    std::vector<std::string> ownMembers(const std::string& collection, const Principal& who) const override;

private:
    cluster::StateEngine& engine;
    Credentials& credentials;
    PasswordPort& passwords;
    const Satellites& satellites;
    const NodeView& node;
    Rng& rng;
};

}  // namespace mesh::aggregator
