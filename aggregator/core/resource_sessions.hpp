#pragma once

#include "aggregator/core/resource_services.hpp"

namespace mesh::aggregator {

// SessionService and its Sessions (DSP0266, "Redfish session login authentication"). An asker sees its own sessions, one that
// may ConfigureManager all of its tenant. A token is told once, in the answer that made the session.
class SessionResources {
public:
    SessionResources(const ResourceContext& resources, const ServiceResources& all) : context(resources), services(all) {}

    // The service itself: GET, HEAD, and PATCH of SessionTimeout, which holds for sessions made from then on. Only accounts
    // of the system change it.
    void service(const CallPtr& call);

    OwnCollection list(const Call& call) const;
    // POST with UserName and Password; the asker need not be authenticated.
    void create(const CallPtr& call);
    // GET, HEAD and DELETE of one.
    void handle(const CallPtr& call);

    // The session exists and is this principal's.
    bool isOwn(const std::string& id, const Principal& who) const;

private:
    void patchService(const CallPtr& call);
    void open(const CallPtr& call, const Principal& who);
    Answer get(const Call& call, const cluster::Session& session, int status, const std::vector<RedfishMessage>& info,
               Headers extra = {}) const;
    // That has not expired and that the asker may know of.
    const cluster::Session* find(const Call& call) const;

    ResourceContext context;
    const ServiceResources& services;
};

}  // namespace mesh::aggregator
