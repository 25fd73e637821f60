#pragma once

#include "aggregator/core/offer_book.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mesh::aggregator {

// What one connector made of a command.
struct CommandPart {
    shoset::Address connector;  // the one that has it now
    shoset::ReplyState state = shoset::ReplyState::onGoing;
    std::uint32_t progress = 0;  // percent
    std::string text;            // what is being done; of a FAIL the reason
    Code code = Code::ok;        // of a FAIL
    std::string failure;         // of a FAIL that the worker reported: its own code
    std::string payload;         // JSON as the worker wrote it, or empty
    bool payloadDropped = false;  // over limits::maxCommandResultBytes
    std::vector<shoset::Address> tried;  // before it, which have not executed it
};

// A command to workers, under way or ended.
struct CommandRecord {
    MessageId id;
    std::string tenant;
    std::string user;
    shoset::Target to;
    Wanted wanted;
    WallTime begun{};
    std::optional<WallTime> ended;
    std::vector<CommandPart> parts;  // one, or of a command to all of a type one for each, by name
    std::uint64_t revision = 1;      // raised by every change

    // ON_GOING until all have ended; SUCCESS where all have succeeded.
    shoset::ReplyState state() const;
};

// The record as JSON text. What a worker wrote stands in it as JSON where it is some, no deeper than limits::maxPayloadDepth,
// else as a text.
std::string commandDocument(const CommandRecord& record, bool withPayloads = true);

}  // namespace mesh::aggregator
