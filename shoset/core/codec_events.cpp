// The codec of events and of who wants them.
#include "shoset/core/codec_parts.hpp"

#include "shoset/base/limits.hpp"

#include "proto/mesh.pb.h"

#include <algorithm>
#include <iterator>

namespace mesh::shoset {

void put(wire::Header& to, const Event& from)
{
    wire::Event& out = *to.mutable_event();
    out.set_epoch(from.epoch);
    out.set_sequence(from.sequence);
    out.set_topic(from.topic);
    out.set_name(from.name);
    out.set_time(std::chrono::duration_cast<std::chrono::microseconds>(from.time.time_since_epoch()).count());
    out.set_lost_to(from.lostTo);
    out.set_subscription(from.subscription);
}

Result<Event> takeEvent(wire::Event& from)
{
    const bool isGap = from.lost_to() != 0;
    if (from.epoch() == 0 || from.sequence() == 0 || (isGap && from.lost_to() < from.sequence())) {
        return Error{Code::corrupt, "an event without a place in its connector's sequence"};
    }
    if (from.time() > lastMicros || from.time() < -lastMicros) {
        return Error{Code::corrupt, "an event of a time that there is not"};
    }
    if (isGap ? !from.topic().empty() || !from.name().empty() : !isTopic(from.topic()) || !isTopic(from.name())) {
        return Error{Code::corrupt, "an event whose topic or name is none"};
    }
    return Event{from.epoch(),
                 from.sequence(),
                 std::move(*from.mutable_topic()),
                 std::move(*from.mutable_name()),
                 WallTime(std::chrono::microseconds(from.time())),
                 from.lost_to(),
                 from.subscription()};
}

void put(wire::Header& to, const EventsStored& from)
{
    to.mutable_events_stored()->set_epoch(from.epoch);
    to.mutable_events_stored()->set_sequence(from.sequence);
}

EventsStored takeEventsStored(const wire::EventsStored& from)
{
    return {from.epoch(), from.sequence()};
}

void put(wire::Header& to, const Subscribe& from)
{
    wire::Subscribe& out = *to.mutable_subscribe();
    out.set_subscription(from.subscription);
    out.mutable_topics()->Add(from.topics.begin(), from.topics.end());
    for (const EventCursor& cursor : from.cursors) {
        wire::EventCursor* entry = out.add_cursors();
        entry->set_source(cursor.source);
        entry->set_epoch(cursor.epoch);
        entry->set_sequence(cursor.sequence);
    }
    out.set_from_now(from.fromNow);
    out.set_credit(from.credit);
    out.set_refused(from.refused);
    out.set_more(from.more);
}

Result<Subscribe> takeSubscribe(wire::Subscribe& from)
{
    const auto& topics = from.topics();
    if (static_cast<std::size_t>(topics.size()) > limits::maxSubscriptionTopics ||
        !std::all_of(topics.begin(), topics.end(), [](const std::string& topic) { return isTopicPattern(topic); })) {
        return Error{Code::corrupt, "a subscription to what are no topics"};
    }
    if (static_cast<std::size_t>(from.cursors_size()) > limits::maxEventCursors) {
        return Error{Code::corrupt, "a subscription that begins at too many places"};
    }
    if (from.refused().size() > limits::maxRefusalBytes) {
        return Error{Code::corrupt, "a subscription that is refused at too great length"};
    }
    Subscribe out;
    out.subscription = from.subscription();
    auto& wanted = *from.mutable_topics();
    out.topics.assign(std::make_move_iterator(wanted.begin()), std::make_move_iterator(wanted.end()));
    for (wire::EventCursor& cursor : *from.mutable_cursors()) {
        if (!isConnector(cursor.source())) {
            return Error{Code::corrupt, "a cursor of what is no connector"};
        }
        out.cursors.push_back({std::move(*cursor.mutable_source()), cursor.epoch(), cursor.sequence()});
    }
    out.fromNow = from.from_now();
    out.credit = from.credit();
    out.refused = std::move(*from.mutable_refused());
    out.more = from.more();
    return out;
}

void put(wire::Header& to, const EventsTaken& from)
{
    to.mutable_events_taken()->set_subscription(from.subscription);
    to.mutable_events_taken()->set_total(from.total);
}

EventsTaken takeEventsTaken(const wire::EventsTaken& from)
{
    return {from.subscription(), from.total()};
}

void put(wire::Header& to, const EventsWanted& from)
{
    wire::EventsWanted& out = *to.mutable_events_wanted();
    out.set_connector(from.connector);
    out.set_epoch(from.epoch);
    out.set_from(from.from);
    out.set_to(from.to);
    out.set_done(from.done);
    out.set_next_epoch(from.nextEpoch);
}

Result<EventsWanted> takeEventsWanted(wire::EventsWanted& from)
{
    if (!isConnector(from.connector()) || from.epoch() == 0 || from.from() == 0 || from.to() < from.from()) {
        return Error{Code::corrupt, "events wanted of no connector, or none of them"};
    }
    return EventsWanted{std::move(*from.mutable_connector()), from.epoch(), from.from(), from.to(), from.done(), from.next_epoch()};
}

}  // namespace mesh::shoset
