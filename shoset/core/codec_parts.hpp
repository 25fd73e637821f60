#pragma once

#include "shoset/base/result.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>

namespace mesh::wire {
class Command;
class Header;
class Offers;
class Event;
class EventsStored;
class Subscribe;
class EventsTaken;
class EventsWanted;
class Reply;
}  // namespace mesh::wire

// Between the codec's files. `take…` leaves what it read empty; an error is Code::corrupt with a sentence.
namespace mesh::shoset {

void put(wire::Header& to, const Command& from);
void put(wire::Header& to, const Reply& from);
void put(wire::Header& to, const Offers& from);
void put(wire::Header& to, const Event& from);
void put(wire::Header& to, const EventsStored& from);
void put(wire::Header& to, const Subscribe& from);
void put(wire::Header& to, const EventsTaken& from);
void put(wire::Header& to, const EventsWanted& from);
Result<Command> takeCommand(wire::Command& from);
Result<Reply> takeReply(wire::Reply& from);
Result<Offers> takeOffers(wire::Offers& from);
Result<Event> takeEvent(wire::Event& from);
EventsStored takeEventsStored(const wire::EventsStored& from);
Result<Subscribe> takeSubscribe(wire::Subscribe& from);
EventsTaken takeEventsTaken(const wire::EventsTaken& from);
Result<EventsWanted> takeEventsWanted(wire::EventsWanted& from);
Result<Code> codeFrom(std::uint32_t value);

}  // namespace mesh::shoset
