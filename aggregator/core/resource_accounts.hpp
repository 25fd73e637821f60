#pragma once

#include "aggregator/core/resource_answer.hpp"
#include "aggregator/core/resource_body.hpp"

#include <string>
#include <vector>

namespace mesh::aggregator {

// AccountService/Accounts. An asker sees the accounts of its tenant, one that manages neither users nor the service only its
// own; an account of the system sees all. The routes have already checked the privileges, but for what PATCH of one's own
// account may change. An account's ETag is its revision, and whether it is locked.
class AccountResources {
public:
    explicit AccountResources(const ResourceContext& resources) : context(resources) {}

    OwnCollection list(const Call& call) const;
    void create(const CallPtr& call);
    // GET, HEAD, PATCH and DELETE of one.
    void handle(const CallPtr& call);

private:
    const cluster::Account* find(const Call& call) const;
    Answer get(const Call& call, const cluster::Account& account, int status, const std::vector<RedfishMessage>& info,
               Headers extra = {}) const;
    void patch(const CallPtr& call, const cluster::Account& account);
    void update(const CallPtr& call, cluster::UpdateAccount change, std::vector<RedfishMessage> info);
    void remove(const CallPtr& call, const cluster::Account& account);
    std::vector<RedfishMessage> check(const RequestBody& body, const std::string& userName) const;
    // False, and it is answered: limits::maxWaitingPasswordChanges are waiting.
    bool takePasswordPlace(const CallPtr& call);
    // Goes on with the hash, or answers that there is none.
    void hash(const CallPtr& call, const std::string& password, std::function<void(std::string)> then);

    ResourceContext context;
    std::size_t passwordsWaiting = 0;  // for the PasswordPort
};

}  // namespace mesh::aggregator
