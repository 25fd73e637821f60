#include "aggregator/core/trace_lookup.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/trace_order.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"
#include "tenants/policy.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr const char* traceQuestion = "mesh.trace";
constexpr std::size_t maxTraceQuestionBytes = 8192;
constexpr std::size_t maxTraceDepth = 4;
constexpr Duration tracePatience = 3 * limits::peerQuestionPatience;  // somebody looks for what is wrong: better late than without a node
constexpr unsigned traceRounds = 2;  // what belongs to it may be known elsewhere only
constexpr std::int64_t traceTurn = 1000;  // microseconds: a node reads its clock once in a turn of its loop

std::int64_t microsOf(WallTime time)
{
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

json idList(const std::vector<MessageId>& ids)
{
    json list = json::array();
    for (const MessageId& id : ids) {
        list.push_back(id.hex());
    }
    return list;
}

std::vector<MessageId> idsIn(const json& list)
{
    std::vector<MessageId> ids;
    for (const json& entry : list.is_array() ? list : json::array()) {
        const Result<MessageId> id = entry.is_string() ? MessageId::fromHex(entry.get<std::string>()) : Error{};
        if (id && !id->isNil() && ids.size() < limits::maxTracedIds) {
            ids.push_back(*id);
        }
    }
    return ids;
}

json traceQuestionOf(const TraceKey& key, const std::string& tenant)
{
    return {{"ids", idList(key.ids)},          {"connector", key.connector}, {"epoch", key.event.epoch}, {"sequence", key.event.sequence},
            {"version", key.version}, {"tenant", tenant}};
}

struct TraceWish {
    TraceKey key;
    std::string tenant;
};

std::optional<TraceWish> traceWishIn(std::string_view body)
{
    if (!shoset::checkJsonBounds(body, maxTraceQuestionBytes, maxTraceDepth)) {
        return std::nullopt;
    }
    const json document = json::parse(body, nullptr, false);
    if (!document.is_object()) {
        return std::nullopt;
    }
    const auto number = [&document](const char* name) {
        const json value = document.value(name, json());
        return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
    };
    const auto text = [&document](const char* name) {
        const json value = document.value(name, json());
        return value.is_string() ? value.get<std::string>() : std::string();
    };
    return TraceWish{{idsIn(document.value("ids", json())), text("connector"), {number("epoch"), number("sequence")}, number("version")},
                     text("tenant")};
}

// What the connector says of its configuration is no reply; the same fates have other names there.
const char* wordOf(const Hop& hop)
{
    if (hop.kind != shoset::Kind::configured) {
        return fateName(hop.fate);
    }
    return hop.fate == HopFate::succeeded ? "applied" : hop.fate == HopFate::failed ? "refused" : "pending";
}

json hopDocument(const Hop& hop)
{
    json out{{"at_us", microsOf(hop.at)}, {"tenant", hop.tenant},          {"kind", shoset::kindName(hop.kind)},
             {"what", wordOf(hop)},       {"from", hop.from},              {"to", hop.to}};
    if (hop.kind == shoset::Kind::command || hop.kind == shoset::Kind::reply) {
        out["message"] = hop.id.hex();
    }
    if (hop.code != Code::ok) {
        out["code"] = codeName(hop.code);
    }
    if (!hop.over.empty()) {
        out["over"] = hop.over;
    }
    if (hop.left != WallTime{}) {
        out["left_us"] = microsOf(hop.left);
    }
    return out;
}

json answerOf(const FoundHops& found, Now now)
{
    json hops = json::array();
    for (const Hop& hop : found.hops) {
        hops.push_back(hopDocument(hop));
    }
    return {{"now_us", microsOf(now.wall)}, {"others", idList(found.others)}, {"more", found.more}, {"hops", std::move(hops)}};
}

}  // namespace

struct TraceLookup::Trace {
    std::string id;
    TraceKey key;
    std::string tenant;
    Done done;
    std::vector<TracedHop> hops;
    std::set<std::string> had;  // of these, as text
    std::set<MessageId> known;
    std::vector<MessageId> fresh;  // that another node named, to be asked for
    std::map<std::string, NodeClock> clocks;
    bool more = false;
    unsigned rounds = 0;

    void take(const std::string& node, const json& answer);
    std::string document(const std::string& self, const std::set<shoset::Address>& silent);
};

// What belongs to another tenant is dropped once more here.
void TraceLookup::Trace::take(const std::string& node, const json& answer)
{
    const json cut = answer.value("more", json());
    more = more || (cut.is_boolean() && cut.get<bool>());
    for (const MessageId& other : idsIn(answer.value("others", json()))) {
        if (known.size() < limits::maxTracedIds && known.insert(other).second) {
            fresh.push_back(other);
        }
    }
    const json list = answer.value("hops", json());
    for (const json& hop : list.is_array() ? list : json::array()) {
        std::optional<TracedHop> read = readTracedHop(node, hop);
        const bool reached = read && tenants::mayReach(tenant, read->tenant);
        if (!reached || !had.insert(node + " " + jsonText(hop)).second) {
            continue;
        }
        more = more || hops.size() >= limits::maxTracedHops;
        if (hops.size() < limits::maxTracedHops) {
            hops.push_back(std::move(*read));
        }
    }
}

std::string TraceLookup::Trace::document(const std::string& self, const std::set<shoset::Address>& silent)
{
    putInOrder(hops, clocks, self);
    json list = json::array();
    for (const TracedHop& hop : hops) {
        list.push_back(tracedHopDocument(hop));
    }
    json out{{"id", id}, {"node", self}, {"hops", std::move(list)}, {"clocks", json::array()}, {"silent", json::array()}, {"more", more}};
    for (const auto& [node, clock] : clocks) {
        out["clocks"].push_back({{"node", node}, {"offset_us", clock.offset}, {"uncertainty_us", clock.uncertainty}, {"corrected", clock.corrects()}});
    }
    for (const shoset::Address& node : silent) {
        out["silent"].push_back(node);
    }
    return jsonText(out);
}

TraceLookup::TraceLookup(std::string name, const HopNotes& hopNotes, PeerQuestions& toOthers)
    : self(std::move(name)), notes(hopNotes), questions(toOthers)
{
    questions.handle(traceQuestion, [this](const shoset::Address& from, const MessageId& id, std::string_view body, Now now) {
        onAsked(from, id, body, now);
    });
}

void TraceLookup::ask(const std::string& id, TraceKey key, std::string tenant, Done done, Now now)
{
    const auto trace = std::make_shared<Trace>();
    trace->id = id;
    trace->known.insert(key.ids.begin(), key.ids.end());
    trace->key = std::move(key);
    trace->tenant = std::move(tenant);
    trace->done = std::move(done);
    askAll(trace, trace->key, now);
}

void TraceLookup::askAll(const TracePtr& trace, const TraceKey& key, Now now)
{
    ++trace->rounds;
    trace->take(self, answerOf(notes.find(key, trace->tenant), now));
    TraceKey wider = key;
    const std::vector<MessageId> own = std::exchange(trace->fresh, {});
    wider.ids.insert(wider.ids.end(), own.begin(), own.end());
    const auto hear = [trace, sent = now](const shoset::Address& node, const Result<std::string>& text, Now then) {
        const json answer = text ? json::parse(*text, nullptr, false) : json();
        if (!answer.is_object()) {
            return !text && text.error().code == Code::notFound ? PeerQuestions::Heard::goOn : PeerQuestions::Heard::noHelp;
        }
        if (const json clock = answer.value("now_us", json()); clock.is_number_integer()) {
            const std::int64_t middle = (microsOf(sent.wall) + microsOf(then.wall)) / 2;
            const std::int64_t way = std::chrono::duration_cast<std::chrono::microseconds>(then.mono - sent.mono).count();
            trace->clocks[node] = {clock.get<std::int64_t>() - middle, way / 2 + traceTurn};
        }
        trace->take(node, answer);
        return PeerQuestions::Heard::goOn;
    };
    const auto end = [this, trace](const std::set<shoset::Address>& silent, Now then) { onEnd(trace, silent, then); };
    const Result<void> asked = questions.ask(traceQuestion, traceQuestionOf(wider, trace->tenant).dump(), tracePatience, hear, end, now);
    if (!asked) {
        trace->done(asked.error(), now);
    }
}

void TraceLookup::onEnd(const TracePtr& trace, const std::set<shoset::Address>& silent, Now now)
{
    if (!trace->fresh.empty() && trace->rounds < traceRounds) {
        TraceKey key;
        key.ids = std::exchange(trace->fresh, {});
        return askAll(trace, key, now);
    }
    if (!trace->hops.empty()) {
        return trace->done(trace->document(self, silent), now);
    }
    trace->done(Error{Code::notFound, silent.empty() ? "No node knows where such a message has been, or it was long ago."
                                                     : "No node that can be asked knows where such a message has been; who does may be " +
                                                           listOf(silent) + "."},
                now);
}

void TraceLookup::onAsked(const shoset::Address& from, const MessageId& id, std::string_view body, Now now)
{
    const std::optional<TraceWish> wish = traceWishIn(body);
    FoundHops found = wish ? notes.find(wish->key, wish->tenant) : FoundHops{};
    if (found.hops.empty()) {
        return questions.answer(from, id, Error{Code::notFound, {}}, now);
    }
    std::string text = jsonText(answerOf(found, now));
    while (text.size() > limits::maxPayloadBytes) {
        found.more = true;
        found.hops.resize(found.hops.size() / 2);
        text = jsonText(answerOf(found, now));
    }
    questions.answer(from, id, text, now);
}

}  // namespace mesh::aggregator
