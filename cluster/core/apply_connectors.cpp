#include "cluster/core/apply_support.hpp"

#include <utility>

// The life of a connector's key after it was registered.
namespace mesh::cluster {

namespace {

Error noConnector(const std::string& tenant, const std::string& name)
{
    return Error{Code::notFound, "there is no connector " + tenants::describe(tenant, name)};
}

}  // namespace

// Changes the record of a connector that is there and not revoked.
StateMachine::Outcome StateMachine::changeConnector(const std::string& tenant, const std::string& name,
                                                    const std::function<Result<void>(tenants::Connector&)>& change,
                                                    Entry& entry)
{
    const tenants::Connector* old = current.registry.find(tenant, name);
    if (old == nullptr) {
        return noConnector(tenant, name);
    }
    if (old->revoked) {
        return Error{Code::refused, "connector " + tenants::describe(tenant, name) +
                                        " is revoked: it has to be enrolled again"};
    }
    tenants::Connector connector = *old;
    if (auto changed = change(connector); !changed) {
        return changed.error();
    }
    if (connector == *old) {
        return std::string();
    }
    if (auto replaced = replaceConnector(std::move(connector), entry); !replaced) {
        return replaced.error();
    }
    return std::string();
}

StateMachine::Outcome StateMachine::run(const RevokeConnector& op, Entry& entry)
{
    const tenants::Connector* old = current.registry.find(op.tenant, op.name);
    if (old != nullptr && old->revoked) {
        return std::string();
    }
    const auto revoke = [](tenants::Connector& connector) {
        connector.revoked = true;
        connector.rotating = false;
        connector.pendingKey.clear();
        return Result<void>();
    };
    const Outcome revoked = changeConnector(op.tenant, op.name, revoke, entry);
    if (revoked.ok()) {
        dropEnrolmentsFor({op.tenant, op.name}, entry);
    }
    return revoked;
}

StateMachine::Outcome StateMachine::run(const BeginRotation& op, Entry& entry)
{
    const auto begin = [](tenants::Connector& connector) -> Result<void> {
        if (connector.agentless) {
            return Error{Code::preconditionFailed, "it has no agent of its own: its key is another one with every node that "
                                                   "comes to run it"};
        }
        connector.rotating = true;
        connector.pendingKey.clear();
        return {};
    };
    return changeConnector(op.tenant, op.name, begin, entry);
}

StateMachine::Outcome StateMachine::run(const CancelRotation& op, Entry& entry)
{
    const auto cancel = [](tenants::Connector& connector) {
        connector.rotating = false;
        connector.pendingKey.clear();
        return Result<void>();
    };
    return changeConnector(op.tenant, op.name, cancel, entry);
}

StateMachine::Outcome StateMachine::run(const OfferKey& op, Entry& entry)
{
    const auto offer = [this, &op](tenants::Connector& connector) -> Result<void> {
        if (!connector.rotating) {
            return Error{Code::preconditionFailed, "no new key was asked for"};
        }
        if (op.key == connector.key || op.key.empty()) {
            return Error{Code::invalidArgument, "the key that is offered is no new one"};
        }
        if (findNodeByKey(current, op.key) != nullptr) {
            return Error{Code::alreadyExists, "the key that is offered belongs to a node"};
        }
        connector.pendingKey = op.key;
        return {};
    };
    return changeConnector(op.tenant, op.name, offer, entry);
}

StateMachine::Outcome StateMachine::run(const CompleteRotation& op, Entry& entry)
{
    const auto complete = [&op](tenants::Connector& connector) -> Result<void> {
        if (connector.key == op.key) {
            return {};
        }
        if (!tenants::isPendingKey(connector, op.key)) {
            return Error{Code::preconditionFailed, "no rotation waits for this key"};
        }
        connector.key = std::exchange(connector.pendingKey, "");
        connector.rotating = false;
        return {};
    };
    return changeConnector(op.tenant, op.name, complete, entry);
}

}  // namespace mesh::cluster
