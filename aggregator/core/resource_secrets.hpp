#pragma once

#include "aggregator/core/resource_answer.hpp"

#include <string>

namespace mesh::aggregator {

// /mesh/v1/secrets: sealed secrets, which are made and opened on operators' machines and at connectors only. For who may
// configure managers and belongs to no tenant; writes are recorded.
//
//   GET secrets                                    all without their boxes, and the sealing keys of connectors and nodes
//   GET, DELETE secrets/TENANT:NAME
//   POST secrets/TENANT:NAME {envelope, revision}  201; `revision` as it was read, without it the secret is new
//
// A change has the version after the one that is there, or 409: somebody else was faster.
class SecretResources {
public:
    explicit SecretResources(const ResourceContext& resources) : context(resources) {}

    Answer list() const;
    void handle(const CallPtr& call) const;

private:
    Answer read(const std::string& tenant, const std::string& name, const std::string& path) const;
    void put(const CallPtr& call, const std::string& tenant, const std::string& name) const;
    void remove(const CallPtr& call, const std::string& tenant, const std::string& name) const;

    ResourceContext context;
};

}  // namespace mesh::aggregator
