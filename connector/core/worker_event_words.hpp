#pragma once

#include "shoset/core/message.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What a worker and its connector say to each other about events; worker_messages.hpp has the rest.
namespace mesh::connector {

// It has happened. What is wrong with it is answered under its number.
struct WorkerEmit {
    std::uint64_t ref = 0;  // by the worker's choice
    std::string topic;
    std::string name;
    std::string payload;  // JSON in its shortest form
};

// Another one of the same name replaces it.
struct WorkerSubscribe {
    std::string subscription;
    std::vector<std::string> topics;
    bool fromNow = false;
    std::vector<shoset::EventCursor> cursors;
};

struct WorkerUnsubscribe {
    std::string subscription;
};

// How many words `event` and `gap` of the subscription it has done with, counted from its start.
struct WorkerTaken {
    std::string subscription;
    std::uint64_t total = 0;
};

std::string acceptedWord(std::uint64_t ref, std::uint64_t epoch, std::uint64_t sequence);
std::string notAcceptedWord(std::uint64_t ref, std::string_view code, std::string_view reason);
std::string subscribedWord(std::string_view subscription);
std::string notSubscribedWord(std::string_view subscription, std::string_view code, std::string_view reason);
// Where it stands at these sources.
std::string cursorWord(std::string_view subscription, const std::vector<shoset::EventCursor>& cursors);
// An event, or a gap in the place of some. The payload is JSON that was checked before, and stands in it as it is.
std::string eventWord(std::string_view subscription, const shoset::Address& source, const shoset::Event& event,
                      std::string_view payload);

}  // namespace mesh::connector
