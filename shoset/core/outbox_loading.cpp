// What the outbox finds in its files.
#include "shoset/core/outbox.hpp"
#include "shoset/core/outbox_records.hpp"

#include <algorithm>

namespace mesh::shoset {

namespace {

std::optional<OutboxHeader> headerOf(std::string_view content)
{
    OutboxReader reader(content);
    const std::optional<OutboxRecord> first = reader.next();
    const OutboxHeader* header = first ? std::get_if<OutboxHeader>(&*first) : nullptr;
    return header != nullptr ? std::optional(*header) : std::nullopt;
}

// Passes over what is no record, to one of which it is known that more was on disk when it was written than `durable`: so
// that something between was accepted, and is damaged. False: what is there is the rest of a write that never ended.
bool findConfirmed(OutboxReader& reader, std::uint64_t durable)
{
    while (reader.skip()) {
        OutboxReader ahead = reader;
        const std::optional<OutboxRecord> record = ahead.next();
        const OutboxItem* item = record ? std::get_if<OutboxItem>(&*record) : nullptr;
        if (item != nullptr && item->synced > durable) {
            return true;
        }
    }
    return false;
}

}  // namespace

Result<void> Outbox::load(const std::vector<Segment>& found, Now now)
{
    std::optional<OutboxHeader> newest;
    for (const Segment& file : found) {
        nextFile = std::max(nextFile, file.number + 1);
        const std::optional<OutboxHeader> header = headerOf(file.content);
        newest = header && (!newest || header->epoch >= newest->epoch) ? header : newest;
    }
    earnedAt = now.mono;
    if (newest) {
        ownEpoch = newest->epoch;
        spent = newest->spent;
        earnedWall = newest->wallMs;
    }
    std::string lost;
    for (const Segment& file : found) {
        const std::optional<OutboxHeader> header = headerOf(file.content);
        if (header && header->epoch != ownEpoch) {
            port.removeOutbox(file.number);  // all that is in it was written anew
            continue;
        }
        loadSegment(file, now, lost);
    }
    removeFiles();
    rewriteWanted = !lost.empty();
    if (newest) {
        const Duration passed = std::chrono::milliseconds(toMillis(now.wall) - earnedWall);
        earnedAt = now.mono - std::clamp<Duration>(passed, Duration{0}, 24h);
    }
    return lost.empty() ? Result<void>() : Result<void>(Error{Code::corrupt, lost});
}

void Outbox::loadSegment(const Segment& file, Now now, std::string& lost)
{
    OutboxReader reader(file.content);
    std::optional<OutboxRecord> record = reader.next();
    const OutboxHeader* header = record ? std::get_if<OutboxHeader>(&*record) : nullptr;
    if (header == nullptr) {
        lost += (lost.empty() ? "" : ", ") + ("file " + std::to_string(file.number) + " has no beginning");
    } else if (files.empty()) {
        durableTo = header->next - 1;
    } else if (header->next > durableTo + 1) {
        noteDamage(header->next - 1, now.mono, lost);
    } else {
        goBackTo(header->next);
    }
    while (header != nullptr) {
        const std::size_t unread = reader.unread().size();
        record = reader.next();
        if (record && std::holds_alternative<OutboxItem>(*record)) {
            OutboxItem& item = std::get<OutboxItem>(*record);
            spent = std::max(spent, item.spent);
            earnedWall = std::max(earnedWall, toMillis(item.event.time));
            Entry entry;
            entry.event = std::move(item.event);
            entry.event.epoch = ownEpoch;
            entry.payload = std::move(item.payload);
            entry.since = now.mono;
            entry.durable = true;
            loadItem(std::move(entry), lost);
        } else if (!record && !findConfirmed(reader, durableTo)) {
            counted.tornBytes += unread;
            break;
        }
    }
    files.push_back({file.number, durableTo, file.content.size()});
}

void Outbox::loadItem(Entry entry, std::string& lost)
{
    if (entry.event.sequence > durableTo + 1) {
        noteDamage(entry.event.sequence - 1, entry.since, lost);
    }
    if (entry.event.lostTo != 0 && entry.event.sequence > durableTo) {  // in its place
        durableTo = entry.event.lostTo;
        entries.push_back(std::move(entry));
        return;
    }
    if (entry.event.lostTo != 0) {  // of age, behind those that it stands for
        while (!entries.empty() && entries.front().end() <= entry.event.lostTo) {
            entry.event.sequence = std::min(entry.event.sequence, entries.front().event.sequence);
            remove(entries.front());
            entries.pop_front();
        }
        durableTo = std::max(durableTo, entry.event.lostTo);
        entries.push_front(std::move(entry));
        return;
    }
    goBackTo(entry.event.sequence);
    entry.bytes = outboxItemBytes(entry.event.topic, entry.event.name, entry.payload);
    durableTo = entry.event.sequence;
    add(entry);
    entries.push_back(std::move(entry));
}

// What follows up to `to` was accepted once, and is not there.
void Outbox::noteDamage(std::uint64_t to, Instant since, std::string& lost)
{
    Entry gap;
    gap.event.epoch = ownEpoch;
    gap.event.sequence = durableTo + 1;
    gap.event.lostTo = to;
    gap.since = since;
    gap.durable = true;
    counted.lostByDamage += to - durableTo;
    lost += (lost.empty() ? "events " : ", events ") + std::to_string(durableTo + 1) + " to " + std::to_string(to);
    durableTo = to;
    entries.push_back(std::move(gap));
}

// What stands there from `next` on was refused, as it could not be synced: these sequences were given away again.
void Outbox::goBackTo(std::uint64_t next)
{
    while (!entries.empty() && entries.back().event.sequence >= next) {
        remove(entries.back());
        entries.pop_back();
    }
    durableTo = std::min(durableTo, next - 1);
}

}  // namespace mesh::shoset
