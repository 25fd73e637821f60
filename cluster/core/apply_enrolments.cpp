#include "cluster/core/apply_support.hpp"
#include "cluster/core/enrolments.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <sodium/utils.h>

#include <algorithm>

namespace mesh::cluster {

namespace {

constexpr std::size_t secretHashBytes = 32;
constexpr auto clockTolerance = std::chrono::minutes(5);  // between the nodes that made and that use a secret

Error clockNotSet()
{
    return Error{Code::preconditionFailed, "this node's clock was never set, and enrolment depends on the time: set it"};
}

Error unknownSecret()
{
    return Error{Code::refused, "this secret is not known, or no longer valid"};
}

Result<void> check(const State& state, const AddEnrolment& op, WallTime now)
{
    if (!isPlausible(now)) {
        return clockNotSet();
    }
    if (!isValidName(op.id) || op.secretHash.size() != secretHashBytes) {
        return Error{Code::invalidArgument, "an enrolment needs an id and the SHA-256 of its secret"};
    }
    if (op.expiresAt <= now) {
        return Error{Code::invalidArgument, "this secret would have expired already"};
    }
    if (state.enrolments.contains(op.id) || state.enrolmentIdBySecretHash.contains(op.secretHash)) {
        return Error{Code::alreadyExists, "there is an enrolment with this id or secret already"};
    }
    if (!isValidName(op.name)) {
        return Error{Code::invalidArgument, "\"" + op.name + "\" is not the name of a connector or node"};
    }
    if (op.role == EnrolmentRole::node && !op.tenant.empty()) {
        return Error{Code::invalidArgument, "a node belongs to no tenant"};
    }
    if (op.role == EnrolmentRole::connector && !state.registry.hasTenant(op.tenant)) {
        return Error{Code::notFound, "there is no tenant \"" + op.tenant + "\""};
    }
    const bool isNew = op.role == EnrolmentRole::connector && state.registry.find(op.tenant, op.name) == nullptr;
    return isNew ? state.registry.mayHaveAnother(op.tenant) : Result<void>();
}

}  // namespace

StateMachine::Outcome StateMachine::run(const AddEnrolment& op, Entry& entry)
{
    if (auto valid = check(current, op, entry.stamp); !valid) {
        return valid.error();
    }
    Enrolment enrolment{op.id,      op.secretHash, op.role,     op.tenant,    op.name,      op.prefix,
                        op.product, op.type,       entry.stamp, op.expiresAt, std::string()};
    const std::size_t size = sizeOf(enrolment);
    makeEnrolmentRoom(size, entry);  // may drop what nobody needs, even if it is refused then
    if (!enrolmentFits(size)) {
        return tooMany(current.enrolments.size(), "secrets outstanding");
    }
    used.enrolments += size;
    current.enrolmentIdBySecretHash.emplace(op.secretHash, op.id);
    current.enrolments.emplace(op.id, std::move(enrolment));
    entry.changed(ChangeKind::enrolment, op.id);
    return std::string();
}

StateMachine::Outcome StateMachine::run(const CancelEnrolment& op, Entry& entry)
{
    if (!current.enrolments.contains(op.id)) {
        return Error{Code::notFound, "there is no enrolment " + op.id};
    }
    dropEnrolments([&op](const Enrolment& enrolment) { return enrolment.id == op.id; }, entry);
    return std::string();
}

// The look-up is by the secret's hash, and the hashes are compared in constant time: how long it takes tells nothing.
StateMachine::Outcome StateMachine::run(const ConsumeEnrolment& op, Entry& entry)
{
    if (!isPlausible(entry.stamp)) {
        return clockNotSet();
    }
    const auto id = current.enrolmentIdBySecretHash.find(op.secretHash);
    if (op.secretHash.size() != secretHashBytes || id == current.enrolmentIdBySecretHash.end()) {
        return unknownSecret();
    }
    Enrolment& enrolment = current.enrolments.at(id->second);
    if (sodium_memcmp(enrolment.secretHash.data(), op.secretHash.data(), secretHashBytes) != 0) {
        return unknownSecret();
    }
    const std::string name = changeKey({enrolment.tenant, enrolment.name});
    if (enrolment.usedKey == op.publicKey && !op.publicKey.empty()) {
        return name;
    }
    if (entry.stamp >= enrolment.expiresAt) {
        return unknownSecret();
    }
    if (entry.stamp < enrolment.createdAt - clockTolerance) {
        return clockNotSet();
    }
    if (!enrolment.usedKey.empty()) {
        return Error{Code::refused, "this secret was used already, by another key: if it was not yours, revoke that"};
    }
    if (auto enrolled = enrol(enrolment, op.publicKey, entry); !enrolled) {
        return enrolled.error();
    }
    used.enrolments -= sizeOf(enrolment);
    enrolment.usedKey = op.publicKey;
    used.enrolments += sizeOf(enrolment);
    entry.changed(ChangeKind::enrolment, enrolment.id);
    return name;
}

Result<void> StateMachine::enrol(const Enrolment& enrolment, const std::string& key, Entry& entry)
{
    if (enrolment.role == EnrolmentRole::node) {
        const Node* known = findNodeByName(current, enrolment.name);
        Node node = known == nullptr ? Node{} : *known;
        node.name = enrolment.name;
        node.key = key;
        node.featureLevel = std::max(node.featureLevel, current.featureLevel);
        const Outcome put = run(PutNode{node, anyRevision}, entry);
        return put.ok() ? Result<void>() : Result<void>(put.error());
    }
    const tenants::Connector* known = current.registry.find(enrolment.tenant, enrolment.name);
    tenants::Connector connector = known == nullptr ? tenants::Connector{} : *known;
    connector.tenant = enrolment.tenant;
    connector.name = enrolment.name;
    connector.key = key;
    connector.revoked = false;
    connector.prefix = enrolment.prefix.empty() ? connector.prefix : enrolment.prefix;
    connector.product = enrolment.product.empty() ? connector.product : enrolment.product;
    connector.type = enrolment.type.empty() ? connector.type : enrolment.type;
    return putConnector(std::move(connector), entry);
}

bool StateMachine::enrolmentFits(std::size_t size) const
{
    return current.enrolments.size() < limits::maxEnrolments && fits(Table::enrolments, 0, size).ok();
}

// What has expired goes first, then what was used, the oldest first: its user's answer has long arrived.
void StateMachine::makeEnrolmentRoom(std::size_t size, Entry& entry)
{
    if (!enrolmentFits(size)) {
        dropEnrolments([&entry](const Enrolment& old) { return old.expiresAt <= entry.stamp; }, entry);
    }
    while (!enrolmentFits(size)) {
        const Enrolment* oldest = nullptr;
        for (const auto& [id, enrolment] : current.enrolments) {
            const bool older = oldest == nullptr || enrolment.createdAt < oldest->createdAt;
            oldest = !enrolment.usedKey.empty() && older ? &enrolment : oldest;
        }
        if (oldest == nullptr) {
            return;
        }
        dropEnrolments([id = oldest->id](const Enrolment& enrolment) { return enrolment.id == id; }, entry);
    }
}

void StateMachine::dropEnrolmentsFor(const tenants::ConnectorName& name, Entry& entry)
{
    const auto same = [&name](const Enrolment& enrolment) {
        return enrolment.role == EnrolmentRole::connector && enrolment.tenant == name.tenant &&
               enrolment.name == name.name;
    };
    dropEnrolments(same, entry);
}

void StateMachine::dropEnrolments(const std::function<bool(const Enrolment&)>& which, Entry& entry)
{
    for (auto next = current.enrolments.begin(); next != current.enrolments.end();) {
        const auto enrolment = next++;
        if (which(enrolment->second)) {
            used.enrolments -= sizeOf(enrolment->second);
            current.enrolmentIdBySecretHash.erase(enrolment->second.secretHash);
            entry.changed(ChangeKind::enrolment, enrolment->first);
            current.enrolments.erase(enrolment);
        }
    }
}

}  // namespace mesh::cluster
