#pragma once

#include "shoset/base/result.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>

namespace mesh::wire {
class Command;
class Header;
class Offers;
class Reply;
}  // namespace mesh::wire

// Between the codec's files. `take…` leaves what it read empty; an error is Code::corrupt with a sentence.
namespace mesh::shoset {

void put(wire::Header& to, const Command& from);
void put(wire::Header& to, const Reply& from);
void put(wire::Header& to, const Offers& from);
Result<Command> takeCommand(wire::Command& from);
Result<Reply> takeReply(wire::Reply& from);
Result<Offers> takeOffers(wire::Offers& from);
Result<Code> codeFrom(std::uint32_t value);

}  // namespace mesh::shoset
