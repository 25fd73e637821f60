#include "tests/simulation/disks.hpp"

#include <algorithm>

namespace mesh::simulation {

using aggregator::EventPlace;
using shoset::Address;

namespace {

constexpr Duration fastestSync = 500us;
constexpr Duration slowestSync = 8ms;
constexpr Duration lateSync = 2s;  // of a disk that had said it was done
constexpr unsigned failingPercent = 2;

}  // namespace

void OutboxDisk::add(Job job, Duration time, std::function<void()> done)
{
    jobs.push_back(std::move(job));
    idleAt = std::max(idleAt, world.now().mono + time);
    world.at(idleAt, [this, before = power, done = std::move(done)] {
        if (power == before) {
            apply(jobs.front());
            jobs.pop_front();
            if (done) {
                done();
            }
        }
    });
}

void OutboxDisk::apply(const Job& job)
{
    if (job.removes) {
        files.erase(job.segment);
    } else if (job.fresh) {
        files[job.segment] = job.bytes;
    } else {
        files[job.segment] += job.bytes;
    }
}

void OutboxDisk::write(std::uint64_t segment, std::string bytes, bool fresh, std::function<void()> written)
{
    if (fault == Fault::outboxNotSynced) {
        add({segment, std::move(bytes), fresh, false}, lateSync, {});
        world.after(0ns, [this, before = power, written = std::move(written)] {
            if (power == before) {
                written();
            }
        });
        return;
    }
    add({segment, std::move(bytes), fresh, false}, world.between(fastestSync, slowestSync), std::move(written));
}

void OutboxDisk::remove(std::uint64_t segment)
{
    add({segment, {}, false, true}, 0ns, {});
}

void OutboxDisk::crash()
{
    ++power;
    if (!jobs.empty() && world.chance(50)) {
        Job& torn = jobs.front();
        if (!torn.fresh) {
            torn.bytes.resize(world.rng().below(torn.bytes.size() + 1));
        }
        apply(torn);
    }
    jobs.clear();
    idleAt = {};
}

std::vector<shoset::Outbox::Segment> OutboxDisk::content() const
{
    std::vector<shoset::Outbox::Segment> out;
    for (const auto& [number, bytes] : files) {
        out.push_back({number, bytes});
    }
    return out;
}

bool OutboxDisk::has(std::string_view text) const
{
    return std::any_of(files.begin(), files.end(), [text](const auto& file) { return file.second.find(text) != std::string::npos; });
}

void SimEventStore::start(std::function<void()> afterAnswers)
{
    turn = std::move(afterAnswers);
}

void SimEventStore::crash()
{
    ++power;
}

void SimEventStore::later(Duration delay, std::function<void()> step)
{
    world.after(delay, [this, before = power, step = std::move(step)] {
        if (power == before) {
            step();
            turn();
        }
    });
}

void SimEventStore::put(const std::vector<history::EventRecord>& events)
{
    for (const history::EventRecord& event : events) {
        Rows& ofOne = rows[shoset::connectorAddress(event.tenant, event.connector)];
        if (ofOne.try_emplace({event.epoch, event.sequence}, event).second) {
            byTime.push_back({byTime.size() + 1, event, world.now().wall});
        }
    }
}

// One that failed may be on disk all the same, as only its answer was lost.
void SimEventStore::appendEvents(aggregator::EventBatch events, Stored done)
{
    if (fault == Fault::storeNotSynced) {
        later(0ns, [this, done] { done({}, world.now()); });
        later(lateSync, [this, events] { put(*events); });
        return;
    }
    const bool fails = world.chance(failingPercent);
    const bool stored = !fails || world.chance(50);
    later(world.between(fastestSync, slowestSync), [this, events, done, fails, stored] {
        if (stored) {
            put(*events);
        }
        done(fails ? Result<void>(Error{Code::ioError, "the disk is full"}) : Result<void>(), world.now());
    });
}

EventPlace SimEventStore::head(const Address& connector) const
{
    const auto found = rows.find(connector);
    return found == rows.end() || found->second.empty() ? EventPlace{} : aggregator::placeBehind(found->second.rbegin()->second);
}

void SimEventStore::readHeads(const Address& connector, Heads done)
{
    later(world.between(fastestSync, slowestSync), [this, connector, done] {
        std::vector<history::EventHead> heads;
        for (const auto& [source, ofOne] : rows) {
            const bool ofTenant = connector.ends_with('/') && source.starts_with(connector);
            if (connector.empty() || connector == source || ofTenant) {
                const EventPlace last = head(source);
                heads.push_back({std::string(shoset::tenantOf(source)), std::string(shoset::nameOf(source)), last.epoch, last.sequence});
            }
        }
        done(heads, world.now());
    });
}

void SimEventStore::readSource(history::SourceQuery query, Source done)
{
    later(world.between(fastestSync, slowestSync), [this, query = std::move(query), done] {
        Rows found;
        for (const auto& [source, ofOne] : rows) {
            const bool sameTenant = shoset::tenantOf(source) == query.tenant || fault == Fault::mixTenants;
            if (sameTenant && shoset::nameOf(source) == query.connector) {
                found.insert(ofOne.begin(), ofOne.end());
            }
        }
        history::SourcePage page;
        std::size_t bytes = 0;
        for (const auto& [place, record] : found) {
            if (aggregator::placeBehind(record) <= EventPlace{query.epoch, query.sequence}) {
                continue;
            }
            page.more = page.records.size() >= query.limit || (bytes > 0 && bytes + record.payload.size() > query.maxBytes);
            if (page.more) {
                break;
            }
            bytes += record.payload.size();
            page.records.push_back(record);
        }
        done(page, world.now());
    });
}

void SimEventStore::readEvents(history::EventQuery query, Page done)
{
    later(world.between(fastestSync, slowestSync), [this, query = std::move(query), done] {
        history::EventPage page;
        page.end = query.fromEnd ? byTime.size() : query.after;
        for (std::size_t at = page.end; at < byTime.size() && !page.more; ++at) {
            const history::EventRecord& record = byTime[at].record;
            const bool wanted = (!query.tenant || *query.tenant == record.tenant) &&
                                (query.connector.empty() || query.connector == record.connector) &&
                                (query.topic.empty() || shoset::topicMatches(query.topic, record.topic));
            page.more = wanted && page.records.size() >= query.limit;
            if (!page.more) {
                page.end = at + 1;
            }
            if (wanted && !page.more) {
                page.records.push_back(byTime[at]);
            }
        }
        done(page, world.now());
    });
}

}  // namespace mesh::simulation
