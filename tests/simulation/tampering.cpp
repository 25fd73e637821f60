#include "tests/simulation/tampering.hpp"

#include "shoset/core/frame.hpp"
#include "shoset/core/message.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace mesh::simulation {

namespace {

using namespace mesh::shoset;

constexpr std::array ours{Fault::repeatUnderNewId, Fault::claimNotSent, Fault::dropPiece, Fault::hideWrites, Fault::stampLate};

void append(std::string& out, const Record& record, const Message& message)
{
    appendRecord(out, record.prelude, encodeHeader(message), record.body);
}

// One record as the faulty sender makes it; true: `out` has it.
bool rewrite(Fault fault, const Record& record, Message& message, std::string& out, Rng& rng)
{
    if (auto* command = std::get_if<Command>(&message.content); command != nullptr && fault == Fault::repeatUnderNewId) {
        append(out, record, message);
        if (command->http.method == "POST" && rng.below(10) == 0) {
            message.id = MessageId::make(WallTime{} + std::chrono::milliseconds(message.id.millis()), rng);
            append(out, record, message);
        }
        return true;
    }
    if (auto* reply = std::get_if<Reply>(&message.content); reply != nullptr && fault == Fault::claimNotSent) {
        if (reply->state == ReplyState::success && rng.below(10) == 0) {
            reply->state = ReplyState::fail;
            reply->code = Code::notSent;
        }
        append(out, record, message);
        return true;
    }
    if (auto* reply = std::get_if<Reply>(&message.content); reply != nullptr && fault == Fault::hideWrites) {
        reply->undisturbed = true;
        append(out, record, message);
        return true;
    }
    if (std::holds_alternative<Reply>(message.content) && fault == Fault::stampLate) {
        Prelude prelude = record.prelude;
        prelude.sentMicros += 10'000'000;
        appendRecord(out, prelude, record.header, record.body);
        return true;
    }
    if (auto* chunk = std::get_if<Chunk>(&message.content); chunk != nullptr && fault == Fault::dropPiece) {
        if (!record.body.empty() && (record.prelude.flags & flagLast) != 0) {
            const std::string_view cut = record.body.substr(0, record.body.size() - 1);
            appendRecord(out, record.prelude, encodeHeader(message), cut);
            return true;
        }
        append(out, record, message);
        return true;
    }
    return false;
}

// Two events for one subscription that follow each other.
std::string swapTwoEvents(std::string frame)
{
    std::vector<Record> records;
    FrameReader reader(frame);
    for (auto next = reader.next(); next && next->has_value(); next = reader.next()) {
        records.push_back(**next);
    }
    const auto isEvent = [](const Record& record) { return record.prelude.kind == Kind::event; };
    const auto pair = std::adjacent_find(records.begin(), records.end(),
                                         [&](const Record& a, const Record& b) { return isEvent(a) && isEvent(b); });
    if (pair == records.end()) {
        return frame;
    }
    std::iter_swap(pair, pair + 1);
    std::string out;
    for (const Record& record : records) {
        out.append(record.whole);
    }
    return out;
}

}  // namespace

std::string storedAsToldBy(const std::string& aggregator, std::string_view frame)
{
    std::string out;
    FrameReader reader(frame);
    for (auto next = reader.next(); next && next->has_value(); next = reader.next()) {
        const Record& record = **next;
        if (record.prelude.kind != Kind::eventsStored) {
            continue;
        }
        if (Result<Message> message = decodeHeader(record.prelude.kind, record.header)) {
            message->source = aggregator;
            append(out, record, *message);
        }
    }
    return out;
}

std::string tamper(Fault fault, std::string frame, Rng& rng)
{
    if (fault == Fault::swapEvents && rng.below(4) == 0) {
        return swapTwoEvents(std::move(frame));
    }
    if (std::find(ours.begin(), ours.end(), fault) == ours.end()) {
        return frame;
    }
    std::string out;
    shoset::FrameReader reader(frame);
    for (auto next = reader.next(); next && next->has_value(); next = reader.next()) {
        const Record& record = **next;
        Result<Message> message = decodeHeader(record.prelude.kind, record.header);
        if (!message || !rewrite(fault, record, *message, out, rng)) {
            out.append(record.whole);
        }
    }
    return out;
}

}  // namespace mesh::simulation
