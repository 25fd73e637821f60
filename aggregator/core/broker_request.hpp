#pragma once

#include "aggregator/core/broker.hpp"
#include "shoset/base/limits.hpp"

#include <optional>
#include <string>

namespace mesh::aggregator {

// A request or command in flight; of the broker's own files.
struct Broker::Request {
    MessageId id;
    Ticket ticket = 0;
    shoset::Address connector;
    shoset::Command command;
    Instant begun{};
    Instant deadline = never;
    Instant timer = never;
    Instant retryAt = never;
    std::string body;  // kept for another try while no answer has come, at most limits::inlineBodyBytes
    bool bodyFollows = false;
    std::optional<shoset::LinkId> link;    // over which it was sent, and its body follows
    std::optional<shoset::LinkId> repeat;  // and once more, as that one stayed silent; both are up
    unsigned attempts = 0;
    bool started = false;  // the answer's head has come
    CommandEvents* asker = nullptr;  // of a command to a worker
    MessageId about;                 // the message that it belongs to
    bool toldOnGoing = false;

    shoset::SendWindow outgoing{0, limits::inlineBodyBytes};
    std::string waiting;  // of the request's body, for credit
    bool bodyComplete = false;
    shoset::ReceiveWindow incoming;
};

}  // namespace mesh::aggregator
