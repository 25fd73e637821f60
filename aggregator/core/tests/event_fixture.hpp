#pragma once

#include "aggregator/core/event_flow.hpp"
#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mesh::aggregator {

// A database that does what it is asked for when it is told to.
class FakeEventStore final : public EventStorePort {
public:
    std::string laneOf(std::string_view tenant) const override { return own.contains(std::string(tenant)) ? std::string(tenant) : ""; }
    std::vector<std::string> lanes() const override { return {own.begin(), own.end()}; }
    void appendEvents(EventBatch events, Stored done) override
    {
        batches.push_back(events->size());
        lastBatch = events;
        const bool hangs = std::any_of(events->begin(), events->end(),
                                       [this](const history::EventRecord& event) { return hangingTenants.contains(event.tenant); });
        (hangs ? hanging : jobs).push_back([this, events, done](Now now) {
            if (failing || failingTenants.contains(events->front().tenant)) {
                return done(Error{Code::ioError, "the disk is full"}, now);
            }
            for (const history::EventRecord& event : *events) {
                put(event);
            }
            done({}, now);
        });
    }
    void readHeads(const shoset::Address& connector, Heads done) override
    {
        jobs.push_back([this, connector, done](Now now) {
            if (failing || failingTenants.contains(std::string(connector.empty() ? "" : shoset::tenantOf(connector)))) {
                return done(Error{Code::ioError, "the disk is full"}, now);
            }
            std::vector<history::EventHead> out;
            for (const auto& [source, place] : heads) {
                if (connector.empty() || connector == source || (connector.ends_with('/') && source.starts_with(connector))) {
                    out.push_back({std::string(shoset::tenantOf(source)), std::string(shoset::nameOf(source)), place.epoch, place.sequence});
                }
            }
            done(out, now);
        });
    }
    void readSource(history::SourceQuery query, Source done) override
    {
        ++sourceReads;
        jobs.push_back([this, query, done](Now now) {
            if (failing) {
                return done(Error{Code::ioError, "the disk is full"}, now);
            }
            history::SourcePage page;
            for (const auto& [place, record] : rows[shoset::connectorAddress(query.tenant, query.connector)]) {
                if (placeBehind(record) > EventPlace{query.epoch, query.sequence}) {
                    page.more = page.records.size() == query.limit;
                    if (page.more) {
                        break;
                    }
                    page.records.push_back(record);
                }
            }
            done(page, now);
        });
    }
    void readEvents(history::EventQuery query, Page done) override
    {
        queries.push_back(query);
        pages.push_back(std::move(done));
    }

    // As if it had been stored by somebody.
    void put(const history::EventRecord& event)
    {
        const shoset::Address source = shoset::connectorAddress(event.tenant, event.connector);
        rows[source].try_emplace({event.epoch, event.sequence}, event);
        heads[source] = std::max(heads[source], placeBehind(event));
    }
    bool finish(Now now)
    {
        if (jobs.empty()) {
            return false;
        }
        const auto job = std::move(jobs.front());
        jobs.pop_front();
        job(now);
        return true;
    }

    bool failing = false;
    std::set<std::string> own;             // tenants with a database of their own
    std::set<std::string> failingTenants;  // whose database does not answer
    std::set<std::string> hangingTenants;  // what is to be written of these goes to `hanging`, which nobody does
    std::deque<std::function<void(Now)>> jobs;
    std::deque<std::function<void(Now)>> hanging;
    std::vector<std::size_t> batches;
    EventBatch lastBatch;
    std::map<shoset::Address, std::map<EventPlace, history::EventRecord>> rows;
    std::map<shoset::Address, EventPlace> heads;
    int sourceReads = 0;
    std::vector<history::EventQuery> queries;
    std::deque<Page> pages;
};

struct Told {
    shoset::Address to;
    shoset::Address source;
    shoset::Content content;
    std::string body;
};

class FakeEventLinks final : public EventLinks {
public:
    bool tellEvents(const shoset::Address& to, const shoset::Address& source, shoset::Content content, std::string_view body, Now) override
    {
        if (!up.contains(to)) {
            return false;
        }
        told.push_back({to, source, std::move(content), std::string(body)});
        return true;
    }
    bool takesEvents(const shoset::Address& peer) const override { return up.contains(peer); }
    bool creditsLosses(const shoset::Address& peer) const override { return newer.contains(peer); }

    std::set<shoset::Address> up;
    std::set<shoset::Address> newer;  // that count losses, and are told of refusals
    std::vector<Told> told;
};

// One node's events, with connectors and other nodes that the test plays.
struct EventsTest : testing::Test {
    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    FakeEventStore store;
    FakeEventLinks links;
    std::optional<std::vector<shoset::Address>> others{std::vector<shoset::Address>{}};
    std::set<shoset::Address> members{"acme/sled07", "acme/sled08", "beta/sled07"};
    int quota = 1'000'000;  // of events that are let in
    EventFlow flow{{"agg-a", [this](const shoset::Address& address) { return members.contains(address); }, [this] { return others; },
                    [this](std::string_view, std::size_t, Now) { return --quota >= 0; }},
                   &store,
                   links};

    // Until nothing is to be done now.
    void run()
    {
        for (int i = 0; i < 10000; ++i) {
            if (flow.nextDeadline() <= now.mono) {
                flow.onTimer(now);
            } else if (!store.finish(now)) {
                return;
            }
        }
        ADD_FAILURE() << "it does not end";
    }
    void after(Duration time)
    {
        now.mono += time;
        now.wall += time;
        run();
    }
    void link(const shoset::Address& connector)
    {
        links.up.insert(connector);
        flow.onConnectorUp(connector, now);
        run();
    }
    void unlink(const shoset::Address& connector)
    {
        links.up.erase(connector);
        flow.onConnectorDown(connector);
    }
    void say(const shoset::Address& peer, const shoset::Address& source, shoset::Content content, std::string_view body = {})
    {
        flow.onRecord(peer, {{}, source, "agg-a", std::move(content)}, body, now);
    }
    static shoset::Event eventAt(std::uint64_t sequence, std::uint64_t epoch = 1, const std::string& topic = "power")
    {
        shoset::Event event;
        event.epoch = epoch;
        event.sequence = sequence;
        event.topic = topic;
        event.name = "off";
        return event;
    }
    void emit(const shoset::Address& connector, std::uint64_t from, std::uint64_t to, std::uint64_t epoch = 1, const std::string& topic = "power")
    {
        for (std::uint64_t sequence = from; sequence <= to; ++sequence) {
            say(connector, connector, eventAt(sequence, epoch, topic), "{}");
        }
    }
    // "EPOCH:SEQUENCE" of what it was told to be stored since the last time.
    std::vector<std::string> stored(const shoset::Address& connector)
    {
        return take<shoset::EventsStored>(connector, [](const Told&, const shoset::EventsStored& it) {
            return std::to_string(it.epoch) + ":" + std::to_string(it.sequence);
        });
    }
    // "SOURCE EPOCH:SEQUENCE[-LAST]" of the events it was told since the last time.
    std::vector<std::string> delivered(const shoset::Address& to)
    {
        return take<shoset::Event>(to, [](const Told& told, const shoset::Event& it) {
            return told.source + " " + std::to_string(it.epoch) + ":" + std::to_string(it.sequence) +
                   (it.lostTo == 0 ? std::string() : "-" + std::to_string(it.lostTo));
        });
    }
    // "CONNECTOR EPOCH:FROM-TO", "done" behind what is answered.
    std::vector<std::string> wanted(const shoset::Address& of)
    {
        return take<shoset::EventsWanted>(of, [](const Told&, const shoset::EventsWanted& it) {
            return it.connector + " " + std::to_string(it.epoch) + ":" + std::to_string(it.from) + "-" +
                   (it.to == limits::maxEventNumber ? "end" : std::to_string(it.to)) + (it.done ? " done" : "") +
                   (it.nextEpoch == 0 ? "" : ", then " + std::to_string(it.nextEpoch));
        });
    }
    // "SUBSCRIPTION CONNECTOR EPOCH:SEQUENCE" of each place where one begins.
    std::vector<std::string> begins(const shoset::Address& to)
    {
        std::vector<std::string> out;
        for (const std::string& text : take<shoset::Subscribe>(to, [](const Told&, const shoset::Subscribe& it) {
                 std::string line = it.topics.empty() ? "" : "topics ";
                 for (const shoset::EventCursor& at : it.cursors) {
                     line += std::to_string(it.subscription) + " " + at.source + " " + std::to_string(at.epoch) + ":" +
                             std::to_string(at.sequence) + "\n";
                 }
                 return it.cursors.empty() ? std::to_string(it.subscription) + "\n" : line;
             })) {
            for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
                out.push_back(text.substr(at, text.find('\n', at) - at));
            }
        }
        return out;
    }
    std::uint64_t metric(const std::string& name) const
    {
        std::vector<Counter> all;
        flow.addMetrics(all);
        const auto found = std::find_if(all.begin(), all.end(), [&](const Counter& each) { return each.name == "bmcmesh_" + name; });
        EXPECT_NE(found, all.end()) << name;
        return found == all.end() ? 0 : found->value;
    }

private:
    template <class Kind, class Text>
    std::vector<std::string> take(const shoset::Address& to, Text text)
    {
        std::vector<std::string> out;
        std::vector<Told> rest;
        for (Told& each : links.told) {
            if (const auto* it = std::get_if<Kind>(&each.content); it != nullptr && each.to == to) {
                out.push_back(text(each, *it));
            } else {
                rest.push_back(std::move(each));
            }
        }
        links.told = std::move(rest);
        return out;
    }
};

using Texts = std::vector<std::string>;
inline const std::string sled = "acme/sled07";

}  // namespace mesh::aggregator
