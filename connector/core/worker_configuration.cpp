// Workers and the connector's configuration: who is given it, and what its contracts keep from being offered.
#include "connector/core/workers.hpp"

#include <algorithm>
#include <utility>

namespace mesh::connector {

namespace {

bool serves(const shoset::Offer& offer, const std::string& command)
{
    return std::any_of(offer.commands.begin(), offer.commands.end(),
                       [&command](const shoset::OfferedCommand& each) { return each.name == command; });
}

}  // namespace

void Workers::configure(const WorkerConfiguration& wanted, Now now)
{
    const std::vector<shoset::Offer> before = offers();
    const bool another = wanted.document != configuration.document;
    configuration = wanted;
    for (auto& [id, worker] : workers) {
        if (another) {
            worker.answer = Worker::Answer::none;
            worker.refusal.clear();
            askToConfigure(id);
        }
    }
    if (offers() != before) {
        events.onOffersChanged(now);
    }
}

void Workers::askToConfigure(WorkerId id)
{
    Worker& worker = workers.at(id);
    if (configuration.document == 0 || !worker.takesConfiguration || worker.draining || worker.type != configuration.type ||
        worker.version.major != configuration.major) {
        return;
    }
    const Code sent = port.sendToWorker(id, configurationWord(configuration.version, configuration.values, configuration.resources));
    worker.answer = Worker::Answer::asked;
    if (sent == Code::full) {
        worker.answer = Worker::Answer::refused;
        worker.refusal = "it does not take what waits for it";
    }
}

void Workers::takeConfigured(WorkerId id, WorkerConfigured word, Now now)
{
    Worker& worker = workers.at(id);
    if (worker.answer != Worker::Answer::asked || word.version != configuration.version) {
        ++count.lateReplies;
        return;
    }
    worker.answer = word.applied ? Worker::Answer::applied : Worker::Answer::refused;
    worker.refusal = std::move(word.reason);
    events.onConfigurationAnswered(now);
}

Workers::ConfiguredBy Workers::configured() const
{
    ConfiguredBy out;
    for (const auto& [id, worker] : workers) {
        if (worker.draining) {
            continue;
        }
        if (worker.answer == Worker::Answer::refused) {
            const std::string who = "worker " + worker.name + " " + versionText(worker.version);
            return {ConfiguredBy::refused, who + (worker.refusal.empty() ? " gave no reason" : ": " + worker.refusal)};
        }
        if (worker.answer == Worker::Answer::asked) {
            out.workers = ConfiguredBy::waiting;
        } else if (worker.answer == Worker::Answer::applied && out.workers == ConfiguredBy::nobody) {
            out.workers = ConfiguredBy::all;
        }
    }
    return out;
}

// What the contract of that type and major version asks for, and no worker of this version that takes commands serves.
std::vector<std::string> Workers::missingIn(const std::string& type, const WorkerVersion& version) const
{
    std::vector<std::string> missing;
    const auto contract = configuration.contracts.find(version.major);
    if (type != configuration.type || contract == configuration.contracts.end()) {
        return missing;
    }
    for (const std::string& command : contract->second) {
        const bool served = std::any_of(workers.begin(), workers.end(), [&](const Entry& entry) {
            const Worker& worker = entry.second;
            return !worker.draining && worker.type == type && worker.version == version && worker.commands.contains(command);
        });
        if (!served) {
            missing.push_back(command);
        }
    }
    return missing;
}

std::vector<shoset::Offer> Workers::offers() const
{
    std::vector<shoset::Offer> all = allOffers();
    std::erase_if(all, [this](const shoset::Offer& offer) {
        const auto contract = configuration.contracts.find(offer.major);
        return offer.type == configuration.type && contract != configuration.contracts.end() &&
               !std::all_of(contract->second.begin(), contract->second.end(),
                            [&offer](const std::string& command) { return serves(offer, command); });
    });
    return all;
}

}  // namespace mesh::connector
