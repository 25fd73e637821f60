#include "connector/core/worker_event_parsing.hpp"

#include "shoset/base/date_time.hpp"
#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace mesh::connector {

namespace {

using nlohmann::json;

Error eventError(const std::string& sentence)
{
    return {Code::invalidArgument, sentence};
}

std::string eventTextIn(const json& object, const char* name)
{
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool takeCount(const json& object, const char* name, std::uint64_t& out)
{
    const auto found = object.find(name);
    if (found == object.end() || !found->is_number_unsigned()) {
        return false;
    }
    out = found->get<std::uint64_t>();
    return true;
}

Result<std::string> subscriptionIn(const json& document)
{
    std::string name = eventTextIn(document, "subscription");
    if (!isValidName(name)) {
        return eventError("expected a 'subscription' of letters, digits, '.', '_' and '-', at most 63");
    }
    return name;
}

std::string cursorText(std::uint64_t epoch, std::uint64_t sequence)
{
    return std::to_string(epoch) + ":" + std::to_string(sequence);
}

bool readCursor(const std::string& text, shoset::EventCursor& out)
{
    const char* const end = text.data() + text.size();
    const auto [colon, error] = std::from_chars(text.data(), end, out.epoch);
    if (error != std::errc() || colon == end || *colon != ':') {
        return false;
    }
    const auto [after, problem] = std::from_chars(colon + 1, end, out.sequence);
    return problem == std::errc() && after == end;
}

Result<std::vector<shoset::EventCursor>> cursorsIn(const json& document)
{
    const json object = document.value("cursor", json());
    const Error unreadable = eventError("expected a 'cursor' as connectors give it: texts by source");
    if (!object.is_object()) {  // of as many sources as the frame holds: a worker may have heard of all there are
        return unreadable;
    }
    std::vector<shoset::EventCursor> cursors;
    for (const auto& [source, text] : object.items()) {
        shoset::EventCursor& cursor = cursors.emplace_back(shoset::EventCursor{source, 0, 0});
        if (!shoset::isConnector(source) || !text.is_string() || !readCursor(text.get<std::string>(), cursor)) {
            return unreadable;
        }
    }
    return cursors;
}

std::string spelt(const json& document)
{
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

// With its microseconds.
std::string timeText(WallTime time)
{
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    const std::string fraction = std::to_string(1000000 + (micros % 1000000 + 1000000) % 1000000).substr(1);
    std::string text = dateTime(std::chrono::floor<std::chrono::seconds>(time));
    return text.insert(text.size() - 1, "." + fraction);
}

}  // namespace

Result<WorkerEmit> parseEmit(const json& document)
{
    WorkerEmit out;
    if (!takeCount(document, "ref", out.ref)) {
        return eventError("expected a number as 'ref' of an event");
    }
    out.topic = eventTextIn(document, "topic");
    out.name = eventTextIn(document, "name");
    out.payload = document.value("payload", json::object()).dump();
    return out;
}

Result<WorkerSubscribe> parseSubscribe(const json& document)
{
    Result<std::string> name = subscriptionIn(document);
    if (!name) {
        return name.error();
    }
    WorkerSubscribe out;
    out.subscription = std::move(*name);
    const json topics = document.value("topics", json());
    if (!topics.is_array() || topics.empty() || topics.size() > limits::maxSubscriptionTopics) {
        return eventError("expected 1 to " + std::to_string(limits::maxSubscriptionTopics) + " 'topics'");
    }
    for (const json& topic : topics) {
        if (!topic.is_string() || !shoset::isTopicPattern(topic.get<std::string>())) {
            return eventError("expected 'topics' like sensor.fan, sensor.* or *");
        }
        out.topics.push_back(topic.get<std::string>());
    }
    const std::string from = document.contains("from") ? eventTextIn(document, "from") : "now";
    out.fromNow = from == "now";
    if (from == "cursor") {
        Result<std::vector<shoset::EventCursor>> cursors = cursorsIn(document);
        if (!cursors) {
            return cursors.error();
        }
        out.cursors = std::move(*cursors);
    } else if (from != "now" && from != "start") {
        return eventError("expected 'from' as now, start or cursor");
    }
    return out;
}

Result<WorkerUnsubscribe> parseUnsubscribe(const json& document)
{
    Result<std::string> name = subscriptionIn(document);
    return name ? Result<WorkerUnsubscribe>(WorkerUnsubscribe{std::move(*name)}) : name.error();
}

Result<WorkerTaken> parseTaken(const json& document)
{
    Result<std::string> name = subscriptionIn(document);
    if (!name) {
        return name.error();
    }
    WorkerTaken out{std::move(*name), 0};
    if (!takeCount(document, "total", out.total)) {
        return eventError("expected a number as 'total' of what was taken");
    }
    return out;
}

std::string acceptedWord(std::uint64_t ref, std::uint64_t epoch, std::uint64_t sequence)
{
    return spelt({{"message", "accepted"}, {"ref", ref}, {"epoch", epoch}, {"sequence", sequence}});
}

std::string notAcceptedWord(std::uint64_t ref, std::string_view code, std::string_view reason)
{
    return spelt({{"message", "not_accepted"}, {"ref", ref}, {"code", code}, {"reason", reason}});
}

std::string subscribedWord(std::string_view subscription)
{
    return spelt({{"message", "subscribed"}, {"subscription", subscription}});
}

std::string notSubscribedWord(std::string_view subscription, std::string_view code, std::string_view reason)
{
    return spelt({{"message", "not_subscribed"}, {"subscription", subscription}, {"code", code}, {"reason", reason}});
}

std::string cursorWord(std::string_view subscription, const std::vector<shoset::EventCursor>& cursors)
{
    json texts = json::object();
    for (const shoset::EventCursor& cursor : cursors) {
        texts[cursor.source] = cursorText(cursor.epoch, cursor.sequence);
    }
    return spelt({{"message", "cursor"}, {"subscription", subscription}, {"cursor", std::move(texts)}});
}

std::string eventWord(std::string_view subscription, const shoset::Address& source, const shoset::Event& event,
                      std::string_view payload)
{
    const std::uint64_t last = event.lostTo != 0 ? event.lostTo : event.sequence;
    json document{{"subscription", subscription}, {"source", source}, {"cursor", cursorText(event.epoch, last)},
                  {"time", timeText(event.time)}};
    if (event.lostTo != 0) {
        document["message"] = "gap";
        document["lost"] = event.lostTo - event.sequence + 1;
        return spelt(document);
    }
    document["message"] = "event";
    document["topic"] = event.topic;
    document["name"] = event.name;
    std::string text = spelt(document);
    return text.insert(text.size() - 1, ",\"payload\":" + std::string(payload.empty() ? "{}" : payload));
}

}  // namespace mesh::connector
