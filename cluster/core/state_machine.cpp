#include "cluster/core/state_machine.hpp"

#include "cluster/core/apply_support.hpp"
#include "shoset/base/http.hpp"
#include "shoset/base/limits.hpp"

#include <sodium/crypto_hash_sha256.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace mesh::cluster {

namespace {

constexpr std::size_t headBytes = 2048;  // of a snapshot: what is no table, and the tables' counts

constexpr std::size_t sum(const limits::TableBytes& bytes)
{
    return bytes.accounts + bytes.roles + bytes.sessions + bytes.registry + bytes.prefixes + bytes.properties +
           bytes.remembered + bytes.nodes + bytes.enrolments + bytes.tasks + bytes.sources + bytes.documents +
           bytes.cursors;
}
static_assert(std::all_of(std::begin(limits::stateTableBytes), std::end(limits::stateTableBytes),
                          [](const auto& bytes) { return sum(bytes) + headBytes <= limits::maxStateBytes; }),
              "a snapshot of full tables must be one that can be restored");
static_assert(std::size(limits::stateTableBytes) <= newestFeatureLevel, "the last budgets are those of all later levels");

const limits::TableBytes& budgets(FeatureLevel level)
{
    return limits::stateTableBytes[std::min<std::size_t>(level, std::size(limits::stateTableBytes)) - firstFeatureLevel];
}

constexpr std::size_t maxMessageBytes = 512;

}  // namespace

using Bytes = limits::TableBytes;
const StateMachine::Table StateMachine::Table::accounts{&Bytes::accounts, "accounts"};
const StateMachine::Table StateMachine::Table::roles{&Bytes::roles, "roles"};
const StateMachine::Table StateMachine::Table::sessions{&Bytes::sessions, "sessions"};
const StateMachine::Table StateMachine::Table::registry{&Bytes::registry, "tenants and connectors"};
const StateMachine::Table StateMachine::Table::prefixes{&Bytes::prefixes, "prefixes"};
const StateMachine::Table StateMachine::Table::properties{&Bytes::properties, "properties"};
const StateMachine::Table StateMachine::Table::nodes{&Bytes::nodes, "nodes"};
const StateMachine::Table StateMachine::Table::enrolments{&Bytes::enrolments, "enrolments"};
const StateMachine::Table StateMachine::Table::tasks{&Bytes::tasks, "tasks"};
const StateMachine::Table StateMachine::Table::sources{&Bytes::sources, "sources"};
const StateMachine::Table StateMachine::Table::documents{&Bytes::documents, "documents"};
const StateMachine::Table StateMachine::Table::cursors{&Bytes::cursors, "cursors"};

const StateMachine::Table* const StateMachine::Table::all[] = {
    &accounts, &roles,      &sessions, &registry, &prefixes,  &properties,
    &nodes,    &enrolments, &tasks,    &sources,  &documents, &cursors};

Result<void> StateMachine::withinBudgets(const limits::TableBytes& bytes) const
{
    for (const Table* table : Table::all) {
        const std::size_t budget = budgets(current.featureLevel).*table->bytes;
        if (bytes.*table->bytes > budget) {
            return Error{Code::full, std::string("the table of ") + table->name + " takes " +
                                         std::to_string(bytes.*table->bytes) + " bytes, and feature level " +
                                         std::to_string(current.featureLevel) + " has room for " +
                                         std::to_string(budget) + ": remove some of it first"};
        }
    }
    return {};
}

Result<void> StateMachine::fits(const Table& table, std::size_t before, std::size_t after) const
{
    const std::size_t budget = budgets(current.featureLevel).*table.bytes;
    if (after > before && used.*table.bytes - before + after > budget) {
        return Error{Code::full, std::string("the table of ") + table.name + " has reached its " +
                                     std::to_string(budget) + " bytes"};
    }
    return {};
}

std::size_t StateMachine::documentTableBytes() const
{
    return budgets(current.featureLevel).documents;
}

Result<Applied> StateMachine::apply(std::string_view bytes, std::vector<Change>& changes)
{
    auto command = decodeCommand(bytes, knows);
    if (!command) {
        return command.error();
    }
    Entry entry{++current.revision, command->stamp, command->requestId, changes};
    const auto answered = answers.find(command->requestId);
    if (answered != answers.end()) {
        return answered->second;
    }
    Applied applied;
    applied.revision = entry.revision;
    if (command->since != 0 && command->since < forgottenUpTo()) {
        applied.error = Error{Code::outcomeUnknown, "so much has happened since this was asked first that whether it was done "
                                                    "then is not known any more"};
        return applied;
    }
    if (command->requestId.isNil()) {
        applied.error = Error{Code::invalidArgument, "a proposal needs a request id"};
        return applied;
    }
    Outcome outcome = runAtLevel(command->operation, entry);
    if (outcome.ok()) {
        applied.value = std::move(*outcome);
    } else {
        applied.error = outcome.error();
        applied.error.message.resize(std::min(applied.error.message.size(), maxMessageBytes));
    }
    remember({command->requestId, applied});
    return applied;
}

// Not even an entry that was proposed too early may bring in what the state's format cannot hold.
StateMachine::Outcome StateMachine::runAtLevel(const Operation& operation, Entry& entry)
{
    if (featureLevelOf(operation) > current.featureLevel && !std::holds_alternative<RaiseFeatureLevel>(operation)) {
        return Error{Code::unsupported, "this needs feature level " + std::to_string(featureLevelOf(operation)) +
                                            ", and the cluster is at " + std::to_string(current.featureLevel)};
    }
    return std::visit([&](const auto& known) { return run(known, entry); }, operation);
}

void StateMachine::remember(Remembered result)
{
    used.remembered += sizeOf(result);
    answers.emplace(result.requestId, result.applied);
    remembered.push_back(std::move(result));
    while (remembered.size() > limits::maxRememberedResults || used.remembered > budgets(current.featureLevel).remembered) {
        used.remembered -= sizeOf(remembered.front());
        answers.erase(remembered.front().requestId);
        remembered.pop_front();
    }
}

// Results of entries up to here may be forgotten. Follows from what is remembered, so that a snapshot need not have it.
Revision StateMachine::forgottenUpTo() const
{
    return remembered.empty() ? 0 : remembered.front().applied.revision - 1;
}

const Applied* StateMachine::answerTo(const MessageId& requestId) const
{
    const auto answered = answers.find(requestId);
    return answered == answers.end() ? nullptr : &answered->second;
}

std::string StateMachine::snapshot() const
{
    return encodeSnapshot(current, remembered);
}

Result<void> StateMachine::restore(std::string_view bytes)
{
    auto snapshot = decodeSnapshot(bytes, knows);
    if (!snapshot) {
        return snapshot.error();
    }
    StateMachine fresh(knows);
    fresh.current = std::move(snapshot->state);
    for (Remembered& result : snapshot->remembered) {
        fresh.remember(std::move(result));
    }
    if (auto rebuilt = fresh.rebuildLookUps(); !rebuilt) {
        return rebuilt;
    }
    *this = std::move(fresh);
    return {};
}

// Derives what a snapshot leaves out: look-ups and budgets. Corrupt when records contradict each other.
Result<void> StateMachine::rebuildLookUps()
{
    bool consistent = true;
    for (const auto& [id, account] : current.accounts) {
        consistent &= current.accountIdByLowerName.emplace(toLower(account.userName), id).second;
    }
    for (const auto& [id, session] : current.sessions) {
        consistent &= current.accounts.contains(session.accountId);
        consistent &= current.sessionIdByTokenHash.emplace(session.tokenHash, id).second;
    }
    for (const auto& [name, assignment] : current.prefixes) {
        consistent &= current.connectorByLowerPrefix.emplace(toLower(assignment.prefix), name).second;
    }
    for (const auto& [id, node] : current.nodes) {
        consistent &= id < current.nextNodeId && !current.unusedNodeIds.contains(id);
    }
    for (const auto& [id, enrolment] : current.enrolments) {
        consistent &= current.enrolmentIdBySecretHash.emplace(enrolment.secretHash, id).second;
    }
    if (!consistent) {
        return Error{Code::corrupt, "a snapshot contradicts itself"};
    }
    used = measure();
    return {};
}

// What the tables take in the format of the level in force.
limits::TableBytes StateMachine::measure() const
{
    limits::TableBytes bytes;
    for (const auto& [id, account] : current.accounts) {
        bytes.accounts += sizeOf(account);
    }
    for (const auto& [id, role] : current.roles) {
        bytes.roles += sizeOf(role);
    }
    for (const auto& [id, session] : current.sessions) {
        bytes.sessions += sizeOf(session);
    }
    for (const std::string& tenant : current.registry.tenants()) {
        bytes.registry += sizeOf(TenantRecord{tenant, current.registry.quotaOf(tenant)});
    }
    for (const auto& [name, connector] : current.registry.connectors()) {
        bytes.registry += sizeOf(connector);
    }
    for (const auto& [name, assignment] : current.prefixes) {
        bytes.prefixes += sizeOf(name, assignment);
    }
    for (const auto& [uri, property] : current.properties) {
        bytes.properties += sizeOf(uri, property);
    }
    for (const Remembered& result : remembered) {
        bytes.remembered += sizeOf(result);
    }
    for (const auto& [id, node] : current.nodes) {
        bytes.nodes += sizeOf(node);
    }
    for (const auto& [id, enrolment] : current.enrolments) {
        bytes.enrolments += sizeOf(enrolment);
    }
    for (const auto& [id, task] : current.tasks) {
        bytes.tasks += sizeOf(task);
    }
    for (const auto& [id, source] : current.sources) {
        bytes.sources += sizeOf(source);
    }
    for (const auto& [name, document] : current.documents) {
        bytes.documents += sizeOf(name, document);
    }
    for (const auto& [name, cursor] : current.cursors) {
        bytes.cursors += sizeOf(name, cursor);
    }
    return bytes;
}

std::string StateMachine::hash() const
{
    const std::string bytes = snapshot();
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    return toHex({reinterpret_cast<const char*>(digest), sizeof(digest)});
}

}  // namespace mesh::cluster
