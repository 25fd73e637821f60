#include "cluster/core/state_machine.hpp"

#include "cluster/core/apply_support.hpp"
#include "shoset/base/http.hpp"
#include "shoset/base/limits.hpp"

#include <sodium/crypto_hash_sha256.h>

#include <algorithm>
#include <utility>

namespace mesh::cluster {

namespace {

constexpr std::size_t headBytes = 1024;  // of a snapshot: format, revision, generation, UUID and the tables' counts
static_assert(limits::accountTableBytes + limits::roleTableBytes + limits::sessionTableBytes +
                      limits::registryTableBytes + limits::prefixTableBytes + limits::propertyTableBytes +
                      limits::rememberedResultBytes + headBytes <=
                  limits::maxStateBytes,
              "a snapshot of full tables must be one that can be restored");

constexpr std::size_t maxMessageBytes = 512;

}  // namespace

std::string changeKey(const tenants::ConnectorName& name)
{
    return name.tenant + "/" + name.name;
}

bool matches(Revision ifRevision, Revision actual)
{
    return ifRevision == anyRevision || ifRevision == actual;
}

Error changedMeanwhile(const std::string& what)
{
    return Error{Code::preconditionFailed, what + " was changed meanwhile: read it again"};
}

Result<void> fits(std::size_t used, std::size_t before, std::size_t after, std::size_t budget, const char* table)
{
    if (after > before && used - before + after > budget) {
        return Error{Code::full,
                     std::string("the table of ") + table + " has reached its " + std::to_string(budget) + " bytes"};
    }
    return {};
}

Result<Applied> StateMachine::apply(std::string_view bytes, std::vector<Change>& changes)
{
    auto command = decodeCommand(bytes);
    if (!command) {
        return command.error();
    }
    Entry entry{++current.revision, command->stamp, changes};
    const auto answered = answers.find(command->requestId);
    if (answered != answers.end()) {
        return answered->second;
    }
    Applied applied;
    applied.revision = entry.revision;
    if (command->requestId.isNil()) {
        applied.error = Error{Code::invalidArgument, "a proposal needs a request id"};
        return applied;
    }
    Outcome outcome = std::visit([&](const auto& operation) { return run(operation, entry); }, command->operation);
    if (outcome.ok()) {
        applied.value = std::move(*outcome);
    } else {
        applied.error = outcome.error();
        applied.error.message.resize(std::min(applied.error.message.size(), maxMessageBytes));
    }
    remember({command->requestId, applied});
    return applied;
}

void StateMachine::remember(Remembered result)
{
    used.remembered += encodedSize(result);
    answers.emplace(result.requestId, result.applied);
    remembered.push_back(std::move(result));
    while (remembered.size() > limits::maxRememberedResults || used.remembered > limits::rememberedResultBytes) {
        used.remembered -= encodedSize(remembered.front());
        answers.erase(remembered.front().requestId);
        remembered.pop_front();
    }
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
    auto snapshot = decodeSnapshot(bytes);
    if (!snapshot) {
        return snapshot.error();
    }
    StateMachine fresh;
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
        used.accounts += encodedSize(account);
        consistent &= current.accountIdByLowerName.emplace(toLower(account.userName), id).second;
    }
    for (const auto& [id, role] : current.roles) {
        used.roles += encodedSize(role);
    }
    for (const auto& [id, session] : current.sessions) {
        used.sessions += encodedSize(session);
        consistent &= current.accounts.contains(session.accountId);
        consistent &= current.sessionIdByTokenHash.emplace(session.tokenHash, id).second;
    }
    for (const std::string& tenant : current.registry.tenants()) {
        used.registry += tenant.size() + 1;
    }
    for (const auto& [name, connector] : current.registry.connectors()) {
        used.registry += encodedSize(connector);
    }
    for (const auto& [name, assignment] : current.prefixes) {
        used.prefixes += encodedSize(name, assignment);
        consistent &= current.connectorByLowerPrefix.emplace(toLower(assignment.prefix), name).second;
    }
    for (const auto& [uri, property] : current.properties) {
        used.properties += encodedSize(uri, property);
    }
    if (!consistent) {
        return Error{Code::corrupt, "a snapshot contradicts itself"};
    }
    return {};
}

std::string StateMachine::hash() const
{
    const std::string bytes = snapshot();
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    return toHex({reinterpret_cast<const char*>(digest), sizeof(digest)});
}

}  // namespace mesh::cluster
