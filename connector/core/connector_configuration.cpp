// What the connector is configured as, and what the aggregators are told of that.
#include "connector/core/connector.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::connector {

using shoset::ConfiguredState;
using shoset::Link;

Result<void> Connector::loadConfiguration(std::string_view content)
{
    return configuration.load(content);
}

// From the aggregator itself only, as lists of aggregators.
void Connector::takeConfiguration(const Link& from, const shoset::Message& message, std::string_view body, Now now)
{
    if (message.source != from.peer()) {
        ++count.configurationsForeign;
        return;
    }
    switch (configuration.take(std::get<shoset::Configure>(message.content), body)) {
        case Configuration::Taken::newer:
            ++count.configurationsTaken;
            configurationUnsaved = true;
            tellAllConfigured(now);
            break;
        case Configuration::Taken::known: tellConfigured(from, now); break;
        case Configuration::Taken::older: ++count.configurationsOlder; return;
        case Configuration::Taken::malformed: ++count.configurationsMalformed; return;
    }
    saveConfiguration();
}

void Connector::saveConfiguration()
{
    if (configurationUnsaved && !configurationBeingSaved) {
        configurationUnsaved = false;
        configurationBeingSaved = true;
        state.save(StateFile::configuration, configuration.content());
    }
}

// Workers are given what is on disk, so that a restart does not take them back.
void Connector::onConfigurationSaved(const Result<void>& result, Now now)
{
    configurationBeingSaved = false;
    if (!result) {
        ++count.configurationsNotSaved;
        configurationUnsaved = configurationNotStored = true;  // tried again when it is told again
        if (configuration.judge(ConfiguredState::refused, "the connector could not store it: " + result.error().message)) {
            tellAllConfigured(now);
        }
        return;
    }
    if (configurationUnsaved) {
        return saveConfiguration();
    }
    if (std::exchange(configurationNotStored, false)) {
        configuration.reopen();
    }
    workers.configure(configuration.wanted(), now);
    judgeConfiguration(now);
}

// Who refuses is not asked again; his word stands until the next version, or until a worker that has begun anew takes it.
void Connector::judgeConfiguration(Now now)
{
    if (configuration.isEmpty() || configurationUnsaved || configurationBeingSaved) {
        return;  // what the workers have is not yet what is wanted, or that is judged when it is on disk
    }
    const Workers::ConfiguredBy by = workers.configured();
    bool changed = false;
    switch (by.workers) {
        case Workers::ConfiguredBy::nobody:
            changed = !configuration.isJudged() && configuration.judge(ConfiguredState::applied, "");
            break;
        case Workers::ConfiguredBy::waiting:
            changed = configuration.state() != ConfiguredState::refused && configuration.judge(ConfiguredState::pending, "");
            break;
        case Workers::ConfiguredBy::all: changed = configuration.judge(ConfiguredState::applied, ""); break;
        case Workers::ConfiguredBy::refused: changed = configuration.judge(ConfiguredState::refused, by.reason); break;
    }
    if (changed) {
        configurationUnsaved = true;
        tellAllConfigured(now);
        saveConfiguration();
    }
}

void Connector::onConfigurationAnswered(Now now)
{
    judgeConfiguration(now);
}

void Connector::tellAllConfigured(Now now)
{
    for (const auto& [id, link] : links) {
        tellConfigured(*link, now);
    }
}

void Connector::tellConfigured(const Link& destination, Now now)
{
    Link* way = configuration.isEmpty() ? nullptr : wayTo(destination, shoset::capabilityConfig, now);
    if (way == nullptr) {
        return;
    }
    shoset::Configured told = configuration.acknowledgement();
    told.incarnation = self.incarnation;
    told.sequence = ++configuredTold;
    way->append({{}, way->assignedName(), destination.peer(), std::move(told)}, {}, 0, never, now, limits::maxHops);
}

}  // namespace mesh::connector
