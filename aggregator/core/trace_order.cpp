#include "aggregator/core/trace_order.hpp"

#include "cluster/history/core/syslog.hpp"
#include "shoset/base/time.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

// What comes first where the times are the same.
int rankOf(const TracedHop& hop)
{
    if (hop.kind == "reply" || hop.kind == "configured") {
        return hop.what == "forwarded" ? 6 : hop.what == "sent" ? 9 : 7;
    }
    constexpr const char* order[] = {"delivered", "recorded", "taken", "stored", "sent", "forwarded"};
    for (int rank = 0; rank < 6; ++rank) {
        if (hop.what == order[rank]) {
            return rank;
        }
    }
    return 8;
}

bool isBefore(const TracedHop& a, const TracedHop& b)
{
    return a.at != b.at ? a.at < b.at : rankOf(a) < rankOf(b);
}

bool isSameMessage(const TracedHop& a, const TracedHop& b)
{
    return a.kind == b.kind && a.message == b.message && a.from == b.from && a.to == b.to;
}

// By how much the first of these, which are in order, came too early for what led to it.
std::int64_t lateness(const std::vector<TracedHop>& hops, std::size_t at)
{
    const TracedHop& there = hops[at];
    std::size_t earlier = 0;  // of the same message at the same node: each has its own that led to it
    for (std::size_t i = 0; i < at; ++i) {
        earlier += hops[i].node == there.node && isSameMessage(hops[i], there) ? 1 : 0;
    }
    for (const TracedHop& hop : hops) {
        if (hop.over == there.node && hop.node != there.node && isSameMessage(hop, there)) {
            if (earlier == 0) {
                return hop.at - there.at;
            }
            --earlier;
        }
    }
    return 0;
}

}  // namespace

std::optional<TracedHop> readTracedHop(const std::string& node, const json& told)
{
    if (!told.is_object()) {
        return std::nullopt;
    }
    const auto text = [&told](const char* name) {
        const json value = told.value(name, json());
        return value.is_string() ? value.get<std::string>() : std::string();
    };
    const auto number = [&told](const char* name) {
        const json value = told.value(name, json());
        return value.is_number_integer() ? value.get<std::int64_t>() : 0;
    };
    TracedHop hop{node,         text("tenant"), text("message"), text("kind"),    text("what"),     text("code"),
                  text("from"), text("to"),     text("over"),    number("at_us"), number("left_us")};
    return hop.tenant.empty() || hop.kind.empty() || hop.at <= 0 ? std::nullopt : std::optional(std::move(hop));
}

json tracedHopDocument(const TracedHop& hop)
{
    json out{{"time", history::preciseTime(WallTime(std::chrono::microseconds(hop.at)))},
             {"at_us", hop.at},
             {"node", hop.node},
             {"tenant", hop.tenant},
             {"kind", hop.kind},
             {"what", hop.what},
             {"from", hop.from},
             {"to", hop.to}};
    for (const auto& [name, value] : {std::pair{"message", &hop.message}, std::pair{"code", &hop.code}, std::pair{"over", &hop.over}}) {
        if (!value->empty()) {
            out[name] = *value;
        }
    }
    if (hop.left != 0) {
        out["left_us"] = hop.left;
    }
    return out;
}

void putInOrder(std::vector<TracedHop>& hops, const std::map<std::string, NodeClock>& clocks, const std::string& self)
{
    for (TracedHop& hop : hops) {
        const auto clock = clocks.find(hop.node);
        const std::int64_t wrong = clock != clocks.end() && clock->second.corrects() ? clock->second.offset : 0;
        hop.at -= wrong;
        // An event's is by its connector's clock.
        hop.left -= hop.left == 0 || hop.kind == "event" ? 0 : wrong;
    }
    std::stable_sort(hops.begin(), hops.end(), isBefore);
    for (std::size_t at = 0; at < hops.size(); ++at) {
        const std::int64_t late = lateness(hops, at);
        if (late <= 0) {
            continue;
        }
        const std::string node = hops[at].node;
        for (TracedHop& hop : hops) {
            const bool moves = node == self ? &hop == &hops[at] : hop.node == node;
            hop.at += moves ? late : 0;
            hop.left += moves && hop.left != 0 && hop.kind != "event" ? late : 0;
        }
        std::stable_sort(hops.begin(), hops.end(), isBefore);
    }
}

}  // namespace mesh::aggregator
