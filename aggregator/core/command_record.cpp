#include "aggregator/core/command_record.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_answer.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"
#include "shoset/core/outcome.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;
using shoset::ReplyState;

// What a worker wrote, as JSON if it is some.
json payloadOf(const std::string& text)
{
    if (shoset::nestingOfJson(text) <= limits::maxPayloadDepth) {
        json parsed(nlohmann::json::parse(text, nullptr, false));  // by the parser that is fast also with many names
        if (!parsed.is_discarded()) {
            return parsed;
        }
    }
    return text;
}

json partDocument(const CommandPart& part, bool withPayload)
{
    json out{{"connector", std::string(shoset::nameOf(part.connector))},
             {"state", shoset::stateName(part.state)},
             {"progress", part.progress},
             {"text", part.text}};
    if (part.state == ReplyState::fail) {
        out["code"] = codeName(part.code);
        out["failure"] = part.failure;
    }
    if (part.state != ReplyState::onGoing) {
        out["executed"] = shoset::executedWord(part.state, part.code, !part.failure.empty());
    }
    if (withPayload && !part.payload.empty()) {
        out["payload"] = payloadOf(part.payload);
    } else if (part.payloadDropped || !part.payload.empty()) {
        out["payload_dropped"] = true;
    }
    for (const shoset::Address& before : part.tried) {
        out["not_executed_by"].push_back(std::string(shoset::nameOf(before)));
    }
    return out;
}

json target(const shoset::Target& to)
{
    return to.name.empty() ? json{{"type", to.type}, {"all", to.all}} : json{{"connector", to.name}};
}

}  // namespace

ReplyState CommandRecord::state() const
{
    const auto is = [](ReplyState other) { return [other](const CommandPart& part) { return part.state == other; }; };
    if (std::any_of(parts.begin(), parts.end(), is(ReplyState::onGoing))) {
        return ReplyState::onGoing;
    }
    return std::all_of(parts.begin(), parts.end(), is(ReplyState::success)) ? ReplyState::success : ReplyState::fail;
}

std::string commandDocument(const CommandRecord& record, bool withPayloads)
{
    json replies = json::array();
    std::size_t succeeded = 0;
    for (const CommandPart& part : record.parts) {
        succeeded += part.state == ReplyState::success ? 1 : 0;
        replies.push_back(partDocument(part, withPayloads));
    }
    json out{{"id", record.id.hex()},
             {"tenant", record.tenant},
             {"command", record.wanted.command},
             {"target", target(record.to)},
             {"user", record.user},
             {"state", shoset::stateName(record.state())},
             {"revision", record.revision},
             {"begun", dateTime(record.begun)},
             {"ended", record.ended ? json(dateTime(*record.ended)) : json(nullptr)},
             {"succeeded", succeeded},
             {"replies", std::move(replies)}};
    return jsonText(out);
}

}  // namespace mesh::aggregator
