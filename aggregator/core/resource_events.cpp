#include "aggregator/core/resource_events.hpp"

#include "aggregator/core/hop_notes.hpp"
#include "aggregator/core/json_text.hpp"
#include "aggregator/core/query_options.hpp"
#include "aggregator/core/resource_body.hpp"
#include "aggregator/core/resource_history.hpp"
#include "cluster/history/core/syslog.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t usualEvents = 200;
constexpr Duration lookAgain = 100ms;  // where too many read, or something was stored meanwhile

struct EventWish {
    history::EventQuery query;
    Duration wait{};
};

bool isNameOrOwn(std::string_view name)
{
    return isValidName(name.starts_with('@') ? name.substr(1) : name);
}

// Who asks which node. Another node's order of events is another one.
struct Reader {
    const NodeView& node;
    const std::string& tenant;  // empty: he belongs to none

    std::string begin() const { return node.nodeName() + "."; }
};

// False: it is none.
bool takePlace(const std::string& value, const Reader& reader, history::EventQuery& query)
{
    query.fromEnd = value == "now";
    const std::optional<std::uint64_t> id =
        value.starts_with(reader.begin())
            ? reader.node.pagePlaces().read(Paged::events, reader.tenant, std::string_view(value).substr(reader.begin().size()))
            : std::nullopt;
    query.after = id.value_or(0);
    return query.fromEnd || id;
}

// False: nobody can mean that.
bool takeEventOption(const std::string& name, const std::string& value, const Reader& reader, EventWish& wish)
{
    history::EventQuery& query = wish.query;
    const std::optional<std::uint64_t> number = wholeNumber(value);
    const auto within = [&number](std::uint64_t least, std::uint64_t most) { return number && *number >= least && *number <= most; };
    if (name == "tenant") {
        query.tenant = value;
        return value.empty() || isValidName(value);
    }
    if (name == "connector") {
        query.connector = value;
        return isNameOrOwn(value);
    }
    if (name == "topic") {
        query.topic = value;
        return shoset::isTopicPattern(value);
    }
    if (name == "after") {
        return takePlace(value, reader, query);
    }
    if (name == "since" || name == "until") {
        (name == "since" ? query.since : query.until) = WallTime(std::chrono::seconds(number.value_or(0)));
        return within(0, latestSecond);
    }
    if (name == "limit") {
        query.limit = number.value_or(0);
        return within(1, limits::maxHistoryPage);
    }
    const auto most = std::chrono::duration_cast<std::chrono::seconds>(limits::maxEventWait).count();
    wish.wait = std::chrono::seconds(number.value_or(0));
    return name == "wait" && within(0, static_cast<std::uint64_t>(most));
}

std::variant<EventWish, Answer> readWish(std::string_view text, const Reader& reader)
{
    EventWish wish;
    wish.query.limit = usualEvents;
    for (const auto& [name, value] : queryOptions(text)) {
        if (takeEventOption(name, value, reader, wish)) {
            continue;
        }
        return name != "after" ? wrongOption(name, value)
                               : errorAnswer(400, {"QueryParameterValueFormatError", {value, name}, {}},
                                             "This is no place in the events of " + reader.node.nodeName() +
                                                 " that you were given. Another node's order is another one: begin with `since`.");
    }
    return wish;
}

std::string eventText(const history::StoredEvent& stored)
{
    const history::EventRecord& record = stored.record;
    json head{{"tenant", record.tenant}, {"connector", record.connector}, {"epoch", record.epoch}, {"sequence", record.sequence},
              {"time", history::preciseTime(record.time)}, {"stored", history::preciseTime(stored.stored)}};
    if (!record.tenant.empty()) {
        head["id"] = eventId(record.tenant, record.connector, {record.epoch, record.sequence});
    }
    if (record.lostTo != 0) {
        head["lost_to"] = record.lostTo;
    } else {
        head["topic"] = record.topic;
        head["name"] = record.name;
    }
    if (record.payload.empty()) {
        return jsonText(head);
    }
    // What a connector told goes out as it is, if it can do no harm among the rest.
    if (shoset::nestingOfJson(record.payload) <= limits::maxPayloadDepth && json::accept(record.payload)) {
        std::string text = jsonText(head);
        text.pop_back();
        return text + ",\"payload\":" + record.payload + "}";
    }
    head["payload_text"] = record.payload;
    return jsonText(head);
}

Answer eventsAnswer(const history::EventPage& page, const std::string& next, const std::vector<std::string>& elsewhere)
{
    std::string text = "{\"events\":[";
    for (const history::StoredEvent& stored : page.records) {
        text += (text.back() == '[' ? "" : ",") + eventText(stored);
    }
    text += "],\"next\":\"" + next + "\",\"more\":" + (page.more ? "true" : "false");
    text += elsewhere.empty() ? "}" : ",\"elsewhere\":" + json(elsewhere).dump() + "}";
    return documentAnswer(200, "application/json", std::move(text));
}

}  // namespace

struct EventResources::Ask {
    CallPtr call;
    history::EventQuery query;
    Instant until{};
    std::uint64_t revision = 0;  // of what was stored, when it was read
};

void EventResources::read(const CallPtr& call) const
{
    if (flow == nullptr || !flow->isOn()) {
        return call->answer(adminRefusal({Code::preconditionFailed, "this node stores no events: history.audit is off"}));
    }
    auto read = readWish(call->request.query, {context.node, call->tenant()});
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    auto& wish = std::get<EventWish>(read);
    if (!call->tenant().empty()) {
        if (wish.query.tenant && *wish.query.tenant != call->tenant()) {
            return call->answer(forbidden());
        }
        wish.query.tenant = call->tenant();
    }
    ask(std::make_shared<Ask>(Ask{call, std::move(wish.query), call->now.mono + wish.wait, 0}), call->now);
}

void EventResources::ask(const std::shared_ptr<Ask>& one, Now) const
{
    one->revision = flow->waiters().revision();
    flow->store().readEvents(one->query, [this, one](const Result<history::EventPage>& page, Now now) { onPage(one, page, now); });
}

void EventResources::onPage(const std::shared_ptr<Ask>& one, const Result<history::EventPage>& page, Now now) const
{
    const CallPtr& call = one->call;
    call->now = now;
    const bool full = !page && page.error().code == Code::full;
    const bool empty = page && page->records.empty() && !one->query.fromEnd;
    if (now.mono < one->until && (full || empty)) {
        one->query.after = empty ? page->end : one->query.after;
        const bool soon = full || one->revision != flow->waiters().revision();
        const auto again = [this, one](Now then) { ask(one, then); };
        if (flow->waiters().await(one->query.tenant.value_or(""), one->until, soon ? now.mono + lookAgain : never, again)) {
            return;
        }
    }
    if (full) {
        return call->answer(temporarilyUnavailable(page.error().message));
    }
    if (!page && page.error().code == Code::refused) {  // it moved since the page before
        const std::string place = queryOptions(call->request.query)["after"];
        return call->answer(errorAnswer(400, {"QueryParameterValueFormatError", {place, "after"}, {}}, page.error().message));
    }
    if (!page) {
        return call->answer(temporarilyUnavailable("What was stored cannot be read now; this node's log says why."));
    }
    const std::string next =
        context.node.nodeName() + "." + context.node.pagePlaces().text(Paged::events, call->tenant(), page->end, context.rng);
    call->answer(eventsAnswer(*page, next, tenantsElsewhere(context.node, one->query.tenant)));
}

}  // namespace mesh::aggregator
