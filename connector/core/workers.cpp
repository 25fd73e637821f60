#include "connector/core/workers.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"

#include <sodium/crypto_hash_sha256.h>

#include <algorithm>
#include <utility>

namespace mesh::connector {

namespace {

std::string digestOf(const std::string& schema)
{
    std::string digest(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                       reinterpret_cast<const unsigned char*>(schema.data()), schema.size());
    return digest;
}

bool isOf(const WorkerVersion& version, const shoset::Command& wanted)
{
    return (wanted.major == 0 || version.major == wanted.major) && (wanted.major == 0 || version.minor >= wanted.minor);
}

}  // namespace

Workers::Workers(WorkerRules given, WorkerPort& socket, WorkerEvents& owner)
    : rules(std::move(given)), port(socket), events(owner)
{
}

void Workers::onMessage(WorkerId id, const LocalPeer& peer, std::string_view frame, Now now)
{
    Result<WorkerMessage> message = parseWorkerMessage(frame);
    const auto known = workers.find(id);
    if (!message) {
        ++count.malformed;
        refuse(id, message.error().message);
        if (known != workers.end()) {
            lose(id, "it said what is no message", now);
        }
        return;
    }
    if (auto* word = std::get_if<WorkerRegister>(&*message)) {
        takeRegister(id, peer, std::move(*word), now);
        return;
    }
    if (known == workers.end()) {
        ++count.strangers;
        if (!std::holds_alternative<WorkerBye>(*message)) {
            port.sendToWorker(id, strangerWord());
        }
        return;
    }
    known->second.heardAt = now.mono;
    if (auto* reply = std::get_if<WorkerReply>(&*message)) {
        takeReply(id, std::move(*reply), now);
    } else if (auto* configured = std::get_if<WorkerConfigured>(&*message)) {
        takeConfigured(id, std::move(*configured), now);
    } else if (auto* send = std::get_if<WorkerSend>(&*message)) {
        takeSend(id, std::move(*send), now);
    } else if (std::holds_alternative<WorkerDrain>(*message)) {
        drain(id, now);
    } else if (auto* ask = std::get_if<WorkerSecretAsk>(&*message)) {
        takeSecretAsk(id, std::move(*ask), now);
    } else if (auto* emit = std::get_if<WorkerEmit>(&*message)) {
        takeEmit(id, peer, std::move(*emit), now);
    } else if (auto* subscribe = std::get_if<WorkerSubscribe>(&*message)) {
        takeSubscribe(id, peer, std::move(*subscribe), now);
    } else if (const auto* unsubscribe = std::get_if<WorkerUnsubscribe>(&*message)) {
        events.onWorkerUnsubscribe(id, *unsubscribe, now);
    } else if (const auto* taken = std::get_if<WorkerTaken>(&*message)) {
        events.onWorkerTaken(id, *taken, now);
    } else if (const auto* bye = std::get_if<WorkerBye>(&*message)) {
        lose(id, "it left" + (bye->reason.empty() ? "" : ": " + bye->reason), now);
    } else {
        port.sendToWorker(id, pongWord());
    }
}

void Workers::refuse(WorkerId id, const std::string& reason)
{
    ++count.refused;
    port.sendToWorker(id, refusedWord(reason));
}

void Workers::takeRegister(WorkerId id, const LocalPeer& peer, WorkerRegister word, Now now)
{
    if (const auto known = workers.find(id); known != workers.end()) {
        Worker& same = known->second;
        if (same.name != word.worker || same.type != word.type || same.version != word.version) {
            refuse(id, "this connection is registered already");
            return;
        }
        // Two words of it were answered `stranger`, and it has obeyed both.
        same.heardAt = now.mono;
        port.sendToWorker(id, registeredWord(missingIn(same.type, same.version)));
        return;
    }
    Result<Worker> worker = admit(peer, word);
    if (const Result<void> fits = worker ? fitsBesideOthers(*worker) : Result<void>(worker.error()); !fits) {
        refuse(id, fits.error().message);
        return;
    }
    worker->heardAt = now.mono;
    workers.emplace(id, std::move(*worker));
    ++count.registered;
    const std::vector<std::string> missing = missingIn(word.type, word.version);
    port.sendToWorker(id, registeredWord(missing));
    askToConfigure(id);
    if (missing.empty()) {
        drainPredecessors(id, now);
    }
    events.onOffersChanged(now);
    events.onConfigurationAnswered(now);
}

Result<Workers::Worker> Workers::admit(const LocalPeer& peer, const WorkerRegister& word) const
{
    if (word.commands.empty() && !word.configuration && !rules.mayDoMoreThanServe(peer)) {
        return Error{Code::permissionDenied, "it serves nothing, and the connector's configuration (workers.allow) lets user id " +
                                                 std::to_string(peer.uid) + " do nothing else"};
    }
    if (isReservedCommand(word.type)) {
        return Error{Code::permissionDenied, "the type " + word.type + " is the connector's own"};
    }
    Worker worker;
    worker.name = word.worker;
    worker.type = word.type;
    worker.version = word.version;
    worker.peer = peer;
    worker.takesConfiguration = word.configuration;
    for (const WorkerRegister::Command& command : word.commands) {
        if (isReservedCommand(command.name)) {
            return Error{Code::permissionDenied, command.name + ": names that begin with redfish. and mesh. are reserved"};
        }
        if (!rules.mayServe(peer, command.name)) {
            return Error{Code::permissionDenied, "the connector's configuration (workers.allow) does not let user id " +
                                                     std::to_string(peer.uid) + " serve " + command.name};
        }
        Served served;
        if (!command.schema.empty()) {
            Result<shoset::JsonSchema> schema = shoset::JsonSchema::compile(command.schema);
            if (!schema) {
                return Error{schema.error().code, command.name + ": " + schema.error().message};
            }
            served.schema.emplace(std::move(*schema));
            served.digest = digestOf(command.schema);
        }
        if (!worker.commands.emplace(command.name, std::move(served)).second) {
            return Error{Code::invalidArgument, command.name + " stands twice in 'commands'"};
        }
    }
    return worker;
}

Result<void> Workers::fitsBesideOthers(const Worker& fresh) const
{
    if (workers.size() >= limits::maxWorkers) {
        return Error{Code::full, "expected at most " + std::to_string(limits::maxWorkers) + " workers at one connector"};
    }
    shoset::Offer alone{fresh.type, fresh.version.major, fresh.version.minor, {}};
    for (const auto& [name, served] : fresh.commands) {
        alone.commands.push_back({name, served.digest});
    }
    std::vector<shoset::Offer> all = allOffers();
    if (!alone.commands.empty()) {
        all.push_back(std::move(alone));
    }
    std::size_t commands = 0;  // counted as if nobody offered the same
    for (const shoset::Offer& offer : all) {
        commands += offer.commands.size();
    }
    if (all.size() > limits::maxWorkerOffers || commands > limits::maxOfferedByWorkers) {
        return Error{Code::full, "expected at most " + std::to_string(limits::maxWorkerOffers) + " types and versions and " +
                                     std::to_string(limits::maxOfferedByWorkers) + " commands at one connector"};
    }
    for (const auto& [id, other] : workers) {
        if (other.type != fresh.type || other.version != fresh.version || other.draining) {
            continue;
        }
        for (const auto& [name, served] : other.commands) {
            const auto same = fresh.commands.find(name);
            if (same != fresh.commands.end() && same->second.digest != served.digest) {
                return Error{Code::alreadyExists, "another worker offers " + name + " of " + fresh.type + " " +
                                                      versionText(fresh.version) + " with another schema; raise the version"};
            }
        }
    }
    return {};
}

void Workers::drainPredecessors(WorkerId successor, Now now)
{
    const Worker& fresh = workers.at(successor);
    std::vector<WorkerId> older;
    for (const auto& [id, worker] : workers) {
        const bool replaced = worker.name == fresh.name && worker.type == fresh.type &&
                              worker.version.major == fresh.version.major && worker.version < fresh.version &&
                              std::all_of(worker.commands.begin(), worker.commands.end(),
                                          [&fresh](const auto& command) { return fresh.commands.contains(command.first); });
        if (replaced && !worker.draining) {
            older.push_back(id);
        }
    }
    for (const WorkerId id : older) {
        port.sendToWorker(id, drainWord());
        drain(id, now);
    }
}

void Workers::drain(WorkerId id, Now now)
{
    Worker& worker = workers.at(id);
    if (!std::exchange(worker.draining, true)) {
        ++count.drained;
        endIfDrained(id, now);
        events.onOffersChanged(now);
    }
}

void Workers::endIfDrained(WorkerId id, Now now)
{
    const auto found = workers.find(id);
    if (found != workers.end() && found->second.draining && found->second.running == 0) {
        port.sendToWorker(id, drainedWord());
        workers.erase(found);
        events.onWorkerEnded(id, now);
    }
}

void Workers::takeReply(WorkerId id, WorkerReply reply, Now now)
{
    const auto task = tasks.find(reply.id);
    if (task == tasks.end() || task->second != id) {
        ++count.lateReplies;
        return;
    }
    if (reply.state != shoset::ReplyState::onGoing) {
        tasks.erase(task);
        --workers.at(id).running;
        endIfDrained(id, now);
    }
    events.onWorkerReply(std::move(reply), now);
}

void Workers::onGone(WorkerId id, Now now)
{
    if (workers.contains(id)) {
        lose(id, "it ended", now);
    }
}

// Its commands may have been executed, in whole or in part.
void Workers::lose(WorkerId id, const std::string& how, Now now)
{
    const auto found = workers.find(id);
    const std::string name = found->second.name + " " + versionText(found->second.version);
    const bool wasOffered = !found->second.draining;
    workers.erase(found);
    ++count.gone;
    events.onWorkerEnded(id, now);
    std::vector<MessageId> lost;
    std::erase_if(tasks, [&](const auto& task) {
        if (task.second == id) {
            lost.push_back(task.first);
        }
        return task.second == id;
    });
    std::sort(lost.begin(), lost.end());
    for (const MessageId& each : lost) {
        events.onWorkerLost(each, {Code::outcomeUnknown, "the worker " + name + " had it when " + how}, now);
    }
    if (wasOffered) {
        events.onOffersChanged(now);
    }
    events.onConfigurationAnswered(now);
}

void Workers::onTimer(Now now)
{
    std::vector<WorkerId> silent;
    for (const auto& [id, worker] : workers) {
        if (worker.heardAt + limits::workerPatience <= now.mono) {
            silent.push_back(id);
        }
    }
    for (const WorkerId id : silent) {
        ++count.silent;
        port.sendToWorker(id, byeWord("nothing was heard of it"));
        lose(id, "it fell silent", now);
    }
}

Instant Workers::nextDeadline() const
{
    Instant next = never;
    for (const auto& [id, worker] : workers) {
        next = std::min(next, worker.heardAt + limits::workerPatience);
    }
    return next;
}

const Workers::Entry* Workers::pick(const shoset::Command& command) const
{
    const Entry* best = nullptr;
    for (const Entry& entry : workers) {
        const Worker& worker = entry.second;
        if (worker.draining || (!command.type.empty() && worker.type != command.type) || !isOf(worker.version, command) ||
            !worker.commands.contains(command.name) || !missingIn(worker.type, worker.version).empty()) {
            continue;
        }
        const bool better = best == nullptr || worker.version > best->second.version ||
                            (worker.version == best->second.version && worker.running <= best->second.running);
        best = better ? &entry : best;
    }
    return best;
}

Error Workers::whyNobody(const shoset::Command& command) const
{
    for (const auto& [id, worker] : workers) {
        const bool fits = !worker.draining && (command.type.empty() || worker.type == command.type) && isOf(worker.version, command) &&
                          worker.commands.contains(command.name);
        if (const auto missing = fits ? missingIn(worker.type, worker.version) : std::vector<std::string>(); !missing.empty()) {
            return Error{Code::unsupported, worker.type + " " + versionText(worker.version) + " is not offered here, because its pivot asks for " +
                                                missing.front() + ", too; not executed"};
        }
    }
    const bool otherVersion = std::any_of(workers.begin(), workers.end(), [&](const Entry& entry) {
        return !entry.second.draining && (command.type.empty() || entry.second.type == command.type) &&
               entry.second.commands.contains(command.name);
    });
    return otherVersion ? Error{Code::unsupported, "no worker here offers " + command.name + " in version " +
                                                       std::to_string(command.major) + "." + std::to_string(command.minor) +
                                                       "; not executed"}
                        : Error{Code::notFound, "no worker here offers " + command.name +
                                                    (command.type.empty() ? "" : " of " + command.type) + "; not executed"};
}

Result<Workers::Checked> Workers::check(const shoset::Command& command, std::string_view payload) const
{
    const Entry* worker = pick(command);
    if (worker == nullptr) {
        return whyNobody(command);
    }
    const Served& served = worker->second.commands.find(command.name)->second;
    const std::string_view given = payload.empty() ? std::string_view("{}") : payload;
    Result<std::string> taken = served.schema
                                    ? served.schema->check(given)
                                    : shoset::compactJson(given, limits::maxPayloadBytes, limits::maxPayloadDepth);
    if (!taken) {
        return Error{taken.error().code, command.name + ": " + taken.error().message};
    }
    return Checked{std::move(*taken), served.digest};
}

Result<void> Workers::give(const shoset::Command& command, WorkerTask task, const std::string& checkedAgainst, Now now)
{
    while (const Entry* worker = pick(command)) {
        const WorkerId id = worker->first;
        const Served& served = worker->second.commands.find(command.name)->second;
        if (served.schema && served.digest != checkedAgainst) {
            if (const Result<std::string> again = served.schema->check(task.payload); !again) {
                return Error{again.error().code, command.name + ": " + again.error().message};
            }
        }
        if (worker->second.running >= limits::maxCommandsAtWorker) {
            return Error{Code::full, "too many commands wait for the worker " + worker->second.name + "; not executed"};
        }
        const Code sent = port.sendToWorker(id, commandFor(task, now));
        if (sent == Code::ok) {
            ++count.given;
            ++workers.at(id).running;
            tasks.emplace(task.id, id);
            return {};
        }
        ++count.notDelivered;
        if (sent == Code::full) {
            return Error{Code::full, "the worker " + worker->second.name + " does not take what waits for it; not executed"};
        }
        lose(id, "it ended", now);
    }
    return Error{Code::notSent, whyNobody(command).message};
}

void Workers::bye(const std::string& reason)
{
    for (const auto& [id, worker] : workers) {
        port.sendToWorker(id, byeWord(reason));
    }
}

std::vector<shoset::Offer> Workers::allOffers() const
{
    std::map<std::pair<std::string, WorkerVersion>, std::map<std::string, std::string>> merged;
    for (const auto& [id, worker] : workers) {
        for (const auto& [name, served] : worker.commands) {
            if (!worker.draining) {
                merged[{worker.type, worker.version}].emplace(name, served.digest);
            }
        }
    }
    std::vector<shoset::Offer> all;
    for (const auto& [of, commands] : merged) {
        shoset::Offer& offer = all.emplace_back(shoset::Offer{of.first, of.second.major, of.second.minor, {}});
        for (const auto& [name, digest] : commands) {
            offer.commands.push_back({name, digest});
        }
    }
    return all;
}

}  // namespace mesh::connector
