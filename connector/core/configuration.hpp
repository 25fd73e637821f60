#pragma once

#include "shoset/base/result.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::connector {

// What a connector was told of its configuration.
struct WorkerConfiguration {
    std::string type;                                       // connector type, also of the contracts
    std::map<std::uint32_t, std::vector<std::string>> contracts;  // by major version, the commands that its pivot asks for
    std::uint32_t major = 1;     // this and what follows: of the component
    std::uint64_t version = 0;   // 0: there is none
    std::uint64_t document = 0;  // which one it is, for life
    std::string values = "{}";   // JSON
    std::string resources = "{}";
};

// The configuration in force and how far this connector has come with it; both survive a restart (StateFile::configuration).
class Configuration {
public:
    // An error leaves it without one, until an aggregator tells it.
    Result<void> load(std::string_view content);
    std::string content() const;

    // Known: it says what is there already. Older: another aggregator was faster.
    enum class Taken : std::uint8_t { newer, known, older, malformed };
    Taken take(const shoset::Configure& told, std::string_view body);

    const WorkerConfiguration& wanted() const { return parsed; }
    // Of the component that is wanted; false: that is what was said before.
    bool judge(shoset::ConfiguredState state, std::string reason);
    // What was said does not hold any more.
    void reopen();
    bool isJudged() const { return judged; }
    shoset::ConfiguredState state() const { return verdict; }
    // To be told; without incarnation and sequence.
    shoset::Configured acknowledgement() const;
    // Nobody has told one, so that nobody needs to be told of it.
    bool isEmpty() const { return head.generation == 0; }

private:
    Result<WorkerConfiguration> parse(const shoset::Configure& told, std::string_view text) const;

    shoset::Configure head;
    std::string body;
    WorkerConfiguration parsed;
    bool judged = false;
    shoset::ConfiguredState verdict = shoset::ConfiguredState::pending;
    std::string reason;
};

}  // namespace mesh::connector
