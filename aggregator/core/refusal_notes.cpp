#include "aggregator/core/refusal_notes.hpp"

#include "aggregator/core/json_text.hpp"
#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

namespace mesh::aggregator {

std::string_view refusalName(Code code)
{
    switch (code) {
        case Code::notFound: return "unknown_destination";
        case Code::permissionDenied: return "not_permitted";
        case Code::invalidArgument: return "malformed";
        case Code::tooLarge: return "too_large";
        case Code::unsupported: return "unsupported_version";
        case Code::deadlineExceeded: return "expired";
        default: return {};
    }
}

void RefusalNotes::note(std::string_view tenant, std::string_view name, const Refusal& refusal, Now now)
{
    const std::pair<std::string, std::string> key{tenant, name};
    if (!kinds.contains(key) && kinds.size() >= limits::maxRefusalKinds) {
        std::erase_if(kinds, [&now](const auto& entry) { return entry.second.until <= now.mono; });
    }
    if (!kinds.contains(key) && kinds.size() >= limits::maxRefusalKinds) {
        ++leftOut;
        return;
    }
    Kind& kind = kinds[key];
    if (now.mono < kind.until) {
        ++kind.leftOut;
        ++leftOut;
        return;
    }
    nlohmann::ordered_json payload = nlohmann::ordered_json::object();
    for (const auto& [member, value] : {std::pair{"connector", refusal.connector}, std::pair{"account", refusal.account},
                                        std::pair{"reason", refusal.reason.substr(0, limits::maxReasonBytes)}}) {
        if (!value.empty()) {
            payload[member] = std::string(value);
        }
    }
    if (!refusal.message.isNil()) {
        payload["message"] = refusal.message.hex();
    }
    if (kind.leftOut != 0) {
        payload["left_out"] = kind.leftOut;
    }
    kind = {now.mono + limits::refusalPause, 0};
    ++told;
    teller(key.first, name, jsonText(payload), now);
}

void RefusalNotes::addMetrics(std::vector<Counter>& out) const
{
    out.push_back({"bmcmesh_refusals_noted_total", "Refused messages of which an event tells", told, false});
    out.push_back({"bmcmesh_refusals_left_out_total", "Those of which none does, as one of their kind just did", leftOut, false});
}

}  // namespace mesh::aggregator
