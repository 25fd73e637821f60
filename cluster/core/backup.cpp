#include "cluster/core/backup.hpp"

#include "cluster/core/codec.hpp"
#include "cluster/core/state_machine.hpp"
#include "shoset/base/date_time.hpp"
#include "shoset/base/ids.hpp"

#include <sodium/crypto_hash_sha256.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace mesh::cluster {

namespace {

constexpr std::string_view backupMark = "bmcmesh backup ";
constexpr std::uint64_t backupFormat = 1;
constexpr std::size_t digestDigits = 2 * crypto_hash_sha256_BYTES;
constexpr const char* tasksReason = "The cluster was restored from a backup; how far this came is not known.";

std::string digestOf(std::string_view head, std::string_view content)
{
    crypto_hash_sha256_state hash;
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_init(&hash);
    for (const std::string_view part : {head, content}) {
        crypto_hash_sha256_update(&hash, reinterpret_cast<const unsigned char*>(part.data()), part.size());
    }
    crypto_hash_sha256_final(&hash, digest);
    return toHex({reinterpret_cast<const char*>(digest), sizeof digest});
}

void voidSecrets(State& state)
{
    state.sessions.clear();
    state.sessionIdByTokenHash.clear();
    state.enrolments.clear();
    state.enrolmentIdBySecretHash.clear();
}

// The lines of the head, one after the other.
struct HeadReader {
    std::string_view rest;

    std::optional<std::string_view> text(std::string_view key)
    {
        const std::size_t end = rest.find('\n');
        const std::string_view line = rest.substr(0, end);
        if (end == std::string_view::npos || !line.starts_with(key) || line.substr(key.size(), 1) != " ") {
            return std::nullopt;
        }
        rest.remove_prefix(end + 1);
        return line.substr(key.size() + 1);
    }
    std::optional<std::uint64_t> number(std::string_view key)
    {
        const std::optional<std::string_view> digits = text(key);
        std::uint64_t value = 0;
        if (!digits) {
            return std::nullopt;
        }
        const auto [end, error] = std::from_chars(digits->data(), digits->data() + digits->size(), value);
        return error == std::errc{} && end == digits->data() + digits->size() ? std::optional(value) : std::nullopt;
    }
};

Error damagedHead()
{
    return {Code::corrupt, "its head is damaged or cut off"};
}

// Of whom the founder is again.
const Node* sameNode(const State& state, const Node& node)
{
    const Node* known = findNodeByKey(state, node.key);
    return known != nullptr && known->name == node.name ? known : nullptr;
}

// What makes the old cluster's state that of the new one.
std::vector<Operation> operationsFor(const State& state, const Founder& founder)
{
    std::vector<Operation> out;
    for (const auto& [id, source] : state.sources) {
        out.push_back(AssignHost{source.tenant, source.connector, 0, founder.generation, 0});
    }
    std::set<std::uint64_t> running;
    for (const auto& [id, task] : state.tasks) {
        if (task.node != 0 && !isFinished(task.state)) {
            running.insert(task.node);
        }
    }
    for (const std::uint64_t id : running) {
        out.push_back(FailRunningTasks{id, tasksReason});
    }
    const Node* known = sameNode(state, founder.node);
    for (const auto& [id, node] : state.nodes) {
        if (known == nullptr || id != known->id) {
            out.push_back(RemoveNode{id});
        }
    }
    Node self = known == nullptr ? founder.node : *known;
    self.id = known == nullptr ? 0 : known->id;
    self.storage = founder.node.storage;
    self.featureLevel = std::max(self.featureLevel, state.featureLevel);
    out.push_back(PutNode{std::move(self)});
    return out;
}

}  // namespace

std::string makeBackup(const State& state, const BackupOrigin& origin)
{
    State kept = state;
    voidSecrets(kept);
    const std::string content = encodeSnapshot(kept, {});
    std::string head(backupMark);
    head += std::to_string(backupFormat) + "\nservice " + state.serviceUuid + "\ngeneration " +
            std::to_string(state.generation) + "\nrevision " + std::to_string(state.revision) + "\nfeature-level " +
            std::to_string(state.featureLevel) + "\ncreated " + dateTime(origin.created) + "\nnode " + origin.node +
            "\nsoftware " + origin.software + "\nbytes " + std::to_string(content.size()) + "\n";
    const std::string digest = digestOf(head, content);
    return head + "sha256 " + digest + "\n\n" + content;
}

Result<Backup> readBackup(std::string_view file)
{
    if (!file.starts_with(backupMark)) {
        return Error{Code::corrupt, "it is not a backup of a cluster"};
    }
    HeadReader head{file};
    const auto format = head.number("bmcmesh backup");
    if (!format) {
        return damagedHead();
    }
    if (*format != backupFormat) {
        return Error{Code::unsupported, "it is in format " + std::to_string(*format) + ", which a newer program wrote; this one knows " +
                                            std::to_string(backupFormat) + ". Upgrade meshctl and this node"};
    }
    const bool numbers = head.text("service") && head.number("generation") && head.number("revision") && head.number("feature-level");
    const auto created = numbers ? head.text("created") : std::nullopt;
    const auto node = created ? head.text("node") : std::nullopt;
    const auto software = node ? head.text("software") : std::nullopt;
    const auto bytes = software ? head.number("bytes") : std::nullopt;
    const std::string_view hashed = file.substr(0, file.size() - head.rest.size());
    const auto digest = bytes ? head.text("sha256") : std::nullopt;
    if (!digest || digest->size() != digestDigits || !head.rest.starts_with('\n')) {
        return damagedHead();
    }
    const std::string_view content = head.rest.substr(1);
    if (content.size() != *bytes) {
        return Error{Code::corrupt, (content.size() < *bytes ? "it is cut off: " : "something was appended to it: ") +
                                        std::to_string(content.size()) + " bytes are there of " + std::to_string(*bytes)};
    }
    if (digestOf(hashed, content) != *digest) {
        return Error{Code::corrupt, "it is damaged: its checksum is not that of its content"};
    }
    StateMachine machine;
    if (auto restored = machine.restore(content); !restored) {
        return restored.error();
    }
    if (machine.state().serviceUuid.empty() || machine.state().featureLevel < clusterFeatureLevel) {
        return Error{Code::corrupt, "it is of a cluster that had not begun"};
    }
    return Backup{std::string(*node), std::string(*software), std::string(*created), machine.state()};
}

Result<Founding> foundFrom(const State& backup, Founder founder, Rng& rng)
{
    if (founder.generation <= backup.generation) {
        return Error{Code::invalidArgument, "the new generation must be higher than the backup's, " + std::to_string(backup.generation)};
    }
    const std::vector<Operation> operations = operationsFor(backup, founder);
    State state = backup;
    voidSecrets(state);
    state.generation = founder.generation;
    state.revision += restoredRevisionGap;
    if (const Node* known = sameNode(state, founder.node)) {
        state.nodes.at(known->id).storage.clear();  // its old data are of another cluster now
    }
    StateMachine machine;
    if (auto restored = machine.restore(encodeSnapshot(state, {})); !restored) {
        return restored.error();
    }
    Founding out;
    std::vector<Change> changes;
    for (const Operation& operation : operations) {
        const auto entry = encodeCommand({MessageId::make(founder.now, rng), founder.now, operation});
        const auto applied = entry ? machine.apply(*entry, changes) : Result<Applied>(entry.error());
        if (!applied || !applied->ok()) {
            return applied ? applied->error : applied.error();
        }
        if (std::holds_alternative<PutNode>(operation)) {
            std::from_chars(applied->value.data(), applied->value.data() + applied->value.size(), out.self);
        }
    }
    out.snapshot = machine.snapshot();
    return out;
}

}  // namespace mesh::cluster
