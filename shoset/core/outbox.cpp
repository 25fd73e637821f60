#include "shoset/core/outbox.hpp"

#include "shoset/core/outbox_records.hpp"

#include <algorithm>
#include <utility>

namespace mesh::shoset {

namespace {

constexpr Duration day = 24h;

}  // namespace

Outbox::Outbox(OutboxSettings given, OutboxPort& files_, OutboxEvents& owner) : settings(given), port(files_), events(owner) {}

// As flash counts it: whole pages, and one more for the file's own data.
std::uint64_t Outbox::flashBytes(std::size_t written)
{
    return (written / limits::flashPageBytes + 2) * limits::flashPageBytes;
}

void Outbox::add(const Entry& entry)
{
    if (entry.event.lostTo == 0) {
        ++count.events;
        count.bytes += entry.bytes;
        Share& share = topics[entry.event.topic];
        ++share.events;
        share.bytes += entry.bytes;
    }
}

void Outbox::remove(const Entry& entry)
{
    if (entry.event.lostTo == 0) {
        --count.events;
        count.bytes -= entry.bytes;
        const auto share = topics.find(entry.event.topic);
        share->second.bytes -= entry.bytes;
        if (--share->second.events == 0) {
            topics.erase(share);
        }
    }
}

std::optional<NotAccepted> Outbox::whyNot(const std::string& topic, std::size_t bytes, Now now)
{
    if (count.events >= limits::maxOutboxEvents || count.bytes + bytes > settings.maxBytes) {
        ++counted.refusedFull;
        return NotAccepted{"outbox_full", std::to_string(count.events) + " events with " + std::to_string(count.bytes) +
                                              " bytes wait for a majority of the aggregators"};
    }
    const auto share = topics.find(topic);
    if (share != topics.end() && (share->second.events >= limits::maxOutboxEvents / limits::outboxTopicParts ||
                                  share->second.bytes + bytes > settings.maxBytes / limits::outboxTopicParts)) {
        ++counted.refusedTopicFull;
        return NotAccepted{"outbox_full", "this topic has its part of the outbox: " + std::to_string(share->second.events) +
                                              " events with " + std::to_string(share->second.bytes) + " bytes"};
    }
    earn(now);
    if (spent >= settings.dailyBytes) {
        ++counted.refusedBudget;
        return NotAccepted{"write_budget", "what may be written to the flash on a day is spent: " +
                                               std::to_string(settings.dailyBytes) + " bytes; some are earned every second"};
    }
    return std::nullopt;
}

std::optional<NotAccepted> Outbox::emit(std::uint64_t ticket, std::string topic, std::string name, std::string payload, Now now)
{
    const std::size_t bytes = outboxItemBytes(topic, name, payload);
    if (std::optional<NotAccepted> why = whyNot(topic, bytes, now)) {
        return why;
    }
    Entry entry;
    entry.event.topic = std::move(topic);
    entry.event.name = std::move(name);
    entry.event.time = WallTime(std::chrono::duration_cast<std::chrono::microseconds>(now.wall.time_since_epoch()));
    entry.payload = std::move(payload);
    entry.ticket = ticket;
    entry.bytes = bytes;
    entry.since = now.mono;
    add(entry);
    waiting.push_back(std::move(entry));
    startWrite(now);
    return std::nullopt;
}

const Outbox::Entry* Outbox::from(std::uint64_t sequence) const
{
    const auto found = std::lower_bound(entries.begin(), entries.end(), sequence,
                                        [](const Entry& entry, std::uint64_t wanted) { return entry.end() < wanted; });
    return ownEpoch == 0 || renewTo != 0 || found == entries.end() || !found->durable ? nullptr : &*found;
}

void Outbox::dropFront(std::uint64_t to)
{
    while (!entries.empty() && entries.front().durable && entries.front().end() <= to) {
        remove(entries.front());
        entries.pop_front();
    }
}

void Outbox::trim(std::uint64_t sequence, bool keepsLast)
{
    if (renewTo != 0 && writing == Writing::all) {
        return;
    }
    const std::size_t before = count.events;
    majorityTo = std::max(majorityTo, std::min(sequence, durableTo));
    dropFront(std::min(sequence, keepsLast && durableTo > 0 ? durableTo - 1 : durableTo));
    if (count.events != before) {
        counted.trimmed += before - count.events;
        removeFiles();
    }
}

// The last file that is on disk stays: it says where the sequence goes on. A gap that is on disk stands in a file behind those of what was lost.
void Outbox::removeFiles()
{
    std::uint64_t unneeded = durableTo;
    if (!entries.empty() && entries.front().durable) {
        unneeded = entries.front().event.lostTo != 0 ? entries.front().event.lostTo : entries.front().event.sequence - 1;
    }
    const std::size_t needed = writing != Writing::nothing && writingFresh ? 2 : 1;
    while (files.size() > needed && files.front().last <= unneeded) {
        port.removeOutbox(files.front().number);
        files.pop_front();
    }
}

void Outbox::dropOldOfMajority(Now now)
{
    const std::size_t before = count.events;
    while (!entries.empty() && entries.front().end() <= majorityTo &&
           (entries.front().since + settings.maxAge <= now.mono || (entries.front().event.lostTo != 0 && entries.size() > 1))) {
        remove(entries.front());
        entries.pop_front();
    }
    if (count.events != before) {
        counted.trimmed += before - count.events;
        removeFiles();
    }
}

void Outbox::dropOld(Now now)
{
    if (settings.maxAge == Duration{0} || renewTo != 0 || writing != Writing::nothing) {
        return;
    }
    dropOldOfMajority(now);
    const std::size_t gaps = !entries.empty() && entries.front().event.lostTo != 0 ? 1 : 0;
    std::size_t old = gaps;
    while (old < entries.size() && entries[old].since + settings.maxAge <= now.mono) {
        ++old;
    }
    if (old == gaps) {
        return;
    }
    Entry gap;
    gap.event.epoch = ownEpoch;
    gap.event.sequence = entries.front().event.sequence;
    gap.event.lostTo = entries[old - 1].end();
    gap.event.time = now.wall;
    gap.since = now.mono;
    for (; old > 0; --old) {
        counted.lostByAge += entries.front().event.lostTo == 0 ? 1 : 0;
        remove(entries.front());
        entries.pop_front();
    }
    entries.push_front(std::move(gap));
}

void Outbox::renew(std::uint64_t told, Now now)
{
    if (renewTo != 0 || (told > ownEpoch && !isCredibleEpoch(told, now.wall))) {
        return;
    }
    const auto wall = static_cast<std::uint64_t>(std::max<std::int64_t>(toMillis(now.wall), 1));
    renewTo = std::max({told + 1, wall, ownEpoch + 1});
    startWrite(now);
}

void Outbox::earn(Now now)
{
    const double share = std::chrono::duration<double>(now.mono - earnedAt) / std::chrono::duration<double>(day);
    const auto earned = static_cast<std::uint64_t>(static_cast<double>(settings.dailyBytes) * std::clamp(share, 0.0, 1.0));
    if (earned > 0 || spent == 0) {
        spent -= std::min(spent, earned);
        earnedAt = now.mono;
    }
}

Duration Outbox::pause() const
{
    if (spent / 3 < settings.dailyBytes / 4) {
        return limits::outboxPause;
    }
    const auto smallOnes = static_cast<std::int64_t>(settings.dailyBytes / flashBytes(0));
    return std::clamp<Duration>(day / std::max<std::int64_t>(smallOnes, 1), limits::outboxPause, limits::outboxSlowPauseMax);
}

bool Outbox::isWorkWaiting() const
{
    const bool gapWaits = !entries.empty() && entries.front().event.lostTo != 0 && !entries.front().durable;
    return renewTo != 0 || rewriteWanted || tailIsDoubtful || !waiting.empty() || gapWaits;
}

void Outbox::onTimer(Now now)
{
    dropOld(now);
    startWrite(now);
}

Instant Outbox::nextDeadline() const
{
    Instant next = writing == Writing::nothing && isWorkWaiting() ? writeAt : never;
    if (settings.maxAge != Duration{0} && writing == Writing::nothing) {
        const std::size_t oldest = !entries.empty() && entries.front().event.lostTo != 0 ? 1 : 0;
        if (oldest < entries.size()) {
            next = std::min(next, entries[oldest].since + settings.maxAge);
        }
    }
    return next;
}

Duration Outbox::age(Now now) const
{
    return entries.empty() ? Duration{0} : now.mono - entries.front().since;
}

void Outbox::startWrite(Now now)
{
    if (writing != Writing::nothing || now.mono < writeAt || !isWorkWaiting()) {
        return;
    }
    earn(now);
    if (renewTo != 0 || rewriteWanted) {
        writeAll(now);
    } else {
        writeBatch(now);
    }
}

// Before they are written, so that what is written says it.
void Outbox::spend(std::size_t bytes, bool fresh)
{
    spent += flashBytes(bytes) + (fresh ? flashBytes(0) : 0);
}

void Outbox::write(std::string bytes, bool fresh, Now now)
{
    ++counted.writes;
    counted.bytesWritten += bytes.size();
    writeAt = now.mono + pause();
    writingFresh = fresh;
    writingHeader = false;
    if (fresh) {
        files.push_back({nextFile++, durableTo, 0});
        fileClosed = false;
    }
    files.back().bytes += bytes.size();
    port.writeOutbox(files.back().number, std::move(bytes), fresh);
}

void Outbox::writeBatch(Now now)
{
    writing = Writing::batch;
    const bool fresh = fileClosed || files.back().bytes >= limits::outboxSegmentBytes;
    const bool gapFirst = !entries.empty() && entries.front().event.lostTo != 0 && !entries.front().durable;
    const std::size_t before = entries.size();
    std::size_t bytes = 0;
    std::uint64_t sequence = durableTo;
    while (!waiting.empty() && (bytes == 0 || bytes + waiting.front().bytes <= limits::outboxBatchBytes)) {
        Entry& entry = entries.emplace_back(std::move(waiting.front()));
        waiting.pop_front();
        entry.event.epoch = ownEpoch;
        entry.event.sequence = ++sequence;
        bytes += entry.bytes;
    }
    spend(bytes, fresh);
    std::string out;
    if (fresh) {
        appendOutboxHeader(out, {ownEpoch, durableTo + 1, spent, toMillis(now.wall)});
    }
    if (gapFirst) {
        appendOutboxItem(out, entries.front().event, {}, durableTo, spent);
    }
    for (std::size_t at = before; at < entries.size(); ++at) {
        appendOutboxItem(out, entries[at].event, entries[at].payload, durableTo, spent);
    }
    const bool isHeader = fresh && !gapFirst && entries.size() == before;
    write(std::move(out), fresh, now);
    writingHeader = isHeader;
    files.back().last = sequence;
}

// All that is here, in one file: under new names if another epoch begins. Nothing else is being written.
void Outbox::writeAll(Now now)
{
    writing = Writing::all;
    const bool renames = renewTo != 0;
    std::uint64_t sequence = renames || entries.empty() ? 0 : entries.front().event.sequence - 1;
    sequence = !renames && entries.empty() ? durableTo : sequence;
    spend(count.bytes, true);
    std::string out;
    appendOutboxHeader(out, {renames ? renewTo : ownEpoch, sequence + 1, spent, toMillis(now.wall)});
    for (const Entry& entry : entries) {
        Event event = entry.event;
        event.sequence = sequence + 1;
        sequence += entry.end() - entry.event.sequence + 1;
        event.lostTo = entry.event.lostTo != 0 ? sequence : 0;
        appendOutboxItem(out, event, entry.payload, 0, spent);
    }
    write(std::move(out), true, now);
    files.back().last = sequence;
}

void Outbox::onWritten(Result<void> result, Now now)
{
    const Writing was = std::exchange(writing, Writing::nothing);
    if (!result) {
        ++counted.failedWrites;
        fileClosed = true;  // it may end in half a record
        writeAt = now.mono + limits::outboxRetryPause;
        if (writingFresh && !files.empty()) {
            port.removeOutbox(files.back().number);
            files.pop_back();
        }
        if (writingHeader) {  // it is tried again and again, and a disk that fails must not use up what it may be written
            spent -= std::min(spent, 2 * flashBytes(0));
        }
    }
    tailIsDoubtful = result ? tailIsDoubtful && !writingFresh : tailIsDoubtful || was == Writing::batch;
    if (was == Writing::batch) {
        batchWritten(result.ok(), result ? std::string() : result.error().message, now);
    } else if (was == Writing::all && result) {
        allWritten();
    }
    dropOld(now);
    startWrite(now);
}

void Outbox::batchWritten(bool done, const std::string& why, Now now)
{
    std::vector<std::pair<std::uint64_t, std::uint64_t>> accepted;
    std::vector<std::uint64_t> refused;
    if (done) {
        for (auto entry = entries.rbegin(); entry != entries.rend() && !entry->durable; ++entry) {
            entry->durable = true;
            if (entry->event.lostTo == 0) {
                accepted.emplace_back(entry->ticket, entry->event.sequence);
                durableTo = std::max(durableTo, entry->event.sequence);
            }
        }
        if (!entries.empty()) {
            entries.front().durable = true;  // a gap
        }
        std::reverse(accepted.begin(), accepted.end());
        counted.accepted += accepted.size();
        removeFiles();
    } else {
        while (!entries.empty() && !entries.back().durable && entries.back().event.lostTo == 0) {
            refused.push_back(entries.back().ticket);
            remove(entries.back());
            entries.pop_back();
        }
        std::reverse(refused.begin(), refused.end());
        counted.notStored += refused.size();
        if (!files.empty()) {
            files.back().last = durableTo;
        }
    }
    for (const auto& [ticket, sequence] : accepted) {
        events.onAccepted(ticket, ownEpoch, sequence, now);
    }
    for (const std::uint64_t ticket : refused) {
        events.onNotAccepted(ticket, {"not_stored", "it could not be written: " + why}, now);
    }
}

void Outbox::allWritten()
{
    rewriteWanted = false;
    if (renewTo != 0) {
        ++counted.epochs;
        ownEpoch = std::exchange(renewTo, 0);
        durableTo = majorityTo = 0;
        for (Entry& entry : entries) {
            const std::uint64_t last = durableTo + entry.end() - entry.event.sequence + 1;
            entry.event.epoch = ownEpoch;
            entry.event.sequence = durableTo + 1;
            entry.event.lostTo = entry.event.lostTo != 0 ? last : 0;
            durableTo = last;
        }
    }
    if (!entries.empty()) {
        entries.front().durable = true;  // a gap
    }
    while (files.size() > 1) {
        port.removeOutbox(files.front().number);
        files.pop_front();
    }
}

}  // namespace mesh::shoset
