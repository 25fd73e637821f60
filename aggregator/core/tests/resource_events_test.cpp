#include "aggregator/core/tests/event_fixture.hpp"
#include "aggregator/core/tests/facade_resources_fixture.hpp"

namespace mesh::aggregator {

class ResourceEvents : public Resources {
protected:
    void SetUp() override
    {
        resources.setEvents(flow);
        while (flow.nextDeadline() <= now.mono) {
            flow.onTimer(now);
            store.finish(now);
        }
    }
    static history::StoredEvent stored(std::uint64_t id, const std::string& payload = R"({"on": true})")
    {
        return {id, {WallTime(1s), "acme", "sled1", 3, id, "power", "off", payload}, WallTime(2s)};
    }
    // Begins a request; its answer is in `asked` when `answers` is one more.
    void start(const std::string& user, const std::string& target)
    {
        OwnRequest request;
        const std::size_t question = target.find('?');
        request.head = {"GET", target, {}};
        request.path = target.substr(0, question);
        request.query = question == std::string::npos ? std::string() : target.substr(question + 1);
        request.who = as(user);
        resources.handle(std::move(request), now, [this](Answer answer, Now) {
            ++answers;
            asked = {answer.head.status, answer.head.headers, nlohmann::json::parse(answer.body, nullptr, false), answer.body};
        });
    }
    void finish(const Result<history::EventPage>& page)
    {
        ASSERT_FALSE(store.pages.empty());
        const EventStorePort::Page done = std::move(store.pages.front());
        store.pages.pop_front();
        done(page, now);
    }
    std::string placeOf(const std::string& tenant, std::uint64_t id) { return "agg-a." + node.pages.text(Paged::events, tenant, id, rng); }
    void happen(const shoset::Address& source)
    {
        flow.waiters().onStored(std::string(shoset::tenantOf(source)));
        flow.onTimer(now);
    }
    int status(const std::string& user, const std::string& target)
    {
        const int before = answers;
        start(user, target);
        if (answers == before) {
            finish(history::EventPage{{}, false, 7});
        }
        return asked.status;
    }

    FakeEventStore store;
    FakeEventLinks links;
    EventFlow flow{{"agg-a", [](const shoset::Address&) { return true; }, [] { return std::vector<shoset::Address>{}; }}, &store, links};
    Asked asked;
    int answers = 0;
    const std::string uri = "/mesh/v1/events";
};

TEST_F(ResourceEvents, WhatIsStoredIsShownWithThePlaceToGoOnFrom)
{
    start("root", uri + "?tenant=acme&connector=sled1&topic=power.*&since=5&until=9&after=agg-a.4&limit=2");
    ASSERT_EQ(store.queries.size(), 1U);
    const history::EventQuery& query = store.queries[0];
    EXPECT_EQ(query.tenant, "acme");
    EXPECT_EQ(query.connector, "sled1");
    EXPECT_EQ(query.topic, "power.*");
    EXPECT_EQ(query.since, WallTime(5s));
    EXPECT_EQ(query.until, WallTime(9s));
    EXPECT_EQ(query.after, 4U);
    EXPECT_EQ(query.limit, 2U);
    history::StoredEvent loss = stored(9, "");
    loss.record.lostTo = 12;
    finish(history::EventPage{{stored(8), loss}, true, 9});
    EXPECT_EQ(asked.status, 200);
    EXPECT_EQ(asked.text,
              R"({"events":[{"tenant":"acme","connector":"sled1","epoch":3,"sequence":8,"time":"1970-01-01T00:00:01.000000Z",)"
              R"("stored":"1970-01-01T00:00:02.000000Z","id":"acme:sled1:3:8","topic":"power","name":"off","payload":{"on": true}},)"
              R"({"tenant":"acme","connector":"sled1","epoch":3,"sequence":9,"time":"1970-01-01T00:00:01.000000Z",)"
              R"("stored":"1970-01-01T00:00:02.000000Z","id":"acme:sled1:3:9","lost_to":12}],"next":"agg-a.9","more":true})");
}

TEST_F(ResourceEvents, APayloadCannotEndTheDocumentItStandsIn)
{
    start("root", uri);
    finish(history::EventPage{{stored(1, "{}]}{\"x\":["), stored(2, std::string(200, '[') + std::string(200, ']')), stored(3, "\xff"), stored(4, "")}, false, 4});
    ASSERT_EQ(asked.body["events"].size(), 4U) << asked.text;
    EXPECT_EQ(asked.body["events"][0]["payload_text"], "{}]}{\"x\":[");
    EXPECT_FALSE(asked.body["events"][1].contains("payload")) << "it nests too deep";
    EXPECT_EQ(asked.body["events"][2]["payload_text"], "\uFFFD");
    EXPECT_FALSE(asked.body["events"][3].contains("payload_text"));
}

TEST_F(ResourceEvents, TenantsSeeTheirOwnAndReadersNone)
{
    EXPECT_EQ(status("op", uri), 200);
    EXPECT_EQ(store.queries.back().tenant, "acme");
    EXPECT_EQ(status("op", uri + "?tenant=acme"), 200);
    EXPECT_EQ(status("op", uri + "?tenant=beta"), 403);
    EXPECT_EQ(status("reader", uri), 403);
    EXPECT_EQ(status("root", uri), 200);
    EXPECT_EQ(store.queries.back().tenant, std::nullopt);
    EXPECT_EQ(status("root", uri + "?tenant="), 200);
    EXPECT_EQ(store.queries.back().tenant, "");
}

TEST_F(ResourceEvents, WhatNobodyCanMeanIsRefused)
{
    for (const std::string wrong : {"topic=a*b", "topic=", "connector=a/b", "tenant=a%00", "since=x", "limit=0", "limit=1001", "wait=31", "wait=-1",
                                    "after=5", "after=agg-b.5", "after=agg-a.", "other=1"}) {
        EXPECT_EQ(status("root", uri + "?" + wrong), 400) << wrong;
    }
    for (const std::string right : {"topic=*", "connector=@agg-a", "after=now", "after=agg-a.5", "wait=0"}) {
        EXPECT_EQ(status("root", uri + "?" + right), 200) << right;
    }
}

TEST_F(ResourceEvents, ARequestWaitsForAnEventOfItsTenant)
{
    start("op", uri + "?after=" + placeOf("acme", 7) + "&wait=30");
    finish(history::EventPage{{}, false, 9});
    EXPECT_EQ(answers, 0);
    happen("beta/sled2");
    EXPECT_TRUE(store.pages.empty());
    happen("acme/sled1");
    ASSERT_EQ(store.queries.size(), 2U);
    EXPECT_EQ(store.queries[1].after, 9U) << "what it has looked at it need not look at again";
    finish(history::EventPage{{stored(10)}, false, 10});
    EXPECT_EQ(answers, 1);
    EXPECT_EQ(asked.body["events"].size(), 1U);
    EXPECT_EQ(status("op", uri + "?after=" + asked.body["next"].get<std::string>()), 200);
    EXPECT_EQ(store.queries.back().after, 10U);
}

TEST_F(ResourceEvents, APlaceTellsATenantsReaderNothingOfOthers)
{
    const auto next = [this](std::uint64_t end) {
        start("op", uri);
        finish(history::EventPage{{}, false, end});
        return asked.body["next"].get<std::string>();
    };
    const std::string place = next(7);
    EXPECT_NE(place, next(7)) << "not even whether anything was stored meanwhile";
    EXPECT_EQ(place.size(), next(123456789).size());
    EXPECT_EQ(status("op", uri + "?after=" + place), 200);
    EXPECT_EQ(store.queries.back().after, 7U);
    EXPECT_EQ(status("op", uri + "?after=agg-a.7"), 400) << "he was given no such place";
    EXPECT_EQ(status("op", uri + "?after=" + placeOf("beta", 7)), 400);
    EXPECT_EQ(status("root", uri + "?after=" + place), 400);
}

TEST_F(ResourceEvents, WhatIsStoredWhileItReadsIsNotMissed)
{
    start("op", uri + "?wait=30");
    happen("acme/sled1");
    finish(history::EventPage{{}, false, 0});
    EXPECT_EQ(answers, 0);
    EXPECT_LE(flow.nextDeadline(), now.mono + 100ms);
    now.mono += 100ms;
    flow.onTimer(now);
    finish(history::EventPage{{stored(1)}, false, 1});
    EXPECT_EQ(answers, 1);
}

TEST_F(ResourceEvents, ItWaitsNoLongerThanItWantedTo)
{
    start("op", uri + "?wait=5");
    finish(history::EventPage{{}, false, 0});
    EXPECT_EQ(flow.nextDeadline(), now.mono + 5s);
    now.mono += 5s;
    flow.onTimer(now);
    finish(history::EventPage{{}, false, 0});
    EXPECT_EQ(answers, 1);
    EXPECT_EQ(asked.status, 200);
}

TEST_F(ResourceEvents, ADatabaseThatFailsIsSaid)
{
    start("root", uri + "?wait=30");
    finish(Error{Code::ioError, "postgresql://mesh@10.0.0.5/history: it is gone"});
    EXPECT_EQ(asked.status, 503);
    EXPECT_EQ(asked.text.find("10.0.0.5"), std::string::npos);
    start("root", uri);
    finish(Error{Code::full, "too many read the history at once; ask again"});
    EXPECT_EQ(asked.status, 503);
    start("root", uri + "?wait=30");
    finish(Error{Code::full, "too many read the history at once; ask again"});
    EXPECT_EQ(answers, 2) << "it waits for its turn";
}

TEST_F(ResourceEvents, WaitersAreBoundedAndNoTenantTakesMoreThanHalf)
{
    const auto wait = [this](const std::string& user, std::size_t times) {
        for (std::size_t i = 0; i < times; ++i) {
            start(user, uri + "?wait=30");
            finish(history::EventPage{{}, false, 0});
        }
    };
    wait("op", limits::maxEventWaiters / 2 + 2);
    EXPECT_EQ(answers, 2);
    EXPECT_EQ(asked.status, 200);
    wait("root", limits::maxEventWaiters / 2);
    EXPECT_EQ(answers, 2) << "there is room for others";
    wait("root", 1);
    EXPECT_EQ(answers, 3);
    EXPECT_EQ(flow.waiters().refused(), 3U);
}

TEST_F(ResourceEvents, ANodeThatStoresNoneSaysSo)
{
    EventFlow off({"agg-a", [](const shoset::Address&) { return true; }, [] { return std::nullopt; }}, nullptr, links);
    resources.setEvents(off);
    EXPECT_EQ(status("root", uri), 409);
}

}  // namespace mesh::aggregator
