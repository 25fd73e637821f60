#pragma once

#include "aggregator/core/facade.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace mesh::aggregator {

// A facade with a real broker and mesh; connectors acme/s1 (prefix A1), acme/s2 (B1) and zeta/s3 (C1) are played by the test
// at links 1, 2 and 3. The Authorization header names the tenant of who asks ("root": all); "nobody" may do
// nothing, and "reader" read; they are of acme.
class FacadeRig : public testing::Test,
                  protected shoset::FramePort,
                  protected HttpPort,
                  protected Access,
                  protected OwnResources,
                  protected MeshEvents {
protected:
    struct Given {
        int status = 0;
        Headers headers;
        std::string body;
        bool whole = false;
        bool aborted = false;
        std::size_t pieces = {};  // after the head
        nlohmann::json json() const { return nlohmann::json::parse(body); }
    };
    struct Sent {
        MessageId id;
        shoset::Command command;
        std::string body = {};
    };

    void SetUp() override
    {
        facade.setBroker(broker);
        tenants::Registry registry;
        ASSERT_TRUE(registry.addTenant("acme"));
        ASSERT_TRUE(registry.addTenant("zeta"));
        ASSERT_TRUE(registry.put({"acme", "s1", std::string(39, '0') + '1', "A1", "", ""}));
        ASSERT_TRUE(registry.put({"acme", "s2", std::string(39, '0') + '2', "B1", "", ""}));
        ASSERT_TRUE(registry.put({"zeta", "s3", std::string(39, '0') + '3', "C1", "", ""}));
        satellites.setRegistry(registry);
        for (shoset::LinkId link = 1; link <= names.size(); ++link) {
            greet(link);
        }
        facade.setNow(now);
    }

    // What a connector tells: its collections by path and their members.
    void announce(shoset::LinkId link, const std::map<std::string, std::vector<std::string>>& collections, bool reachable = true)
    {
        satellites.setLinked(name(link), true);
        shoset::Announce said;
        said.complete = true;
        said.bmcReachable = reachable;
        said.bmcReason = reachable ? "" : "refused";
        for (const auto& [path, members] : collections) {
            said.collections.push_back({path, shoset::CollectionState::known, {}, "", false});
            for (const std::string& member : members) {
                said.collections.back().members.push_back("/redfish/v1/" + path + "/" + member);
            }
        }
        satellites.onAnnounce(name(link), std::move(said));
    }

    ExchangeId ask(const std::string& method, const std::string& target, const std::string& tenant = "acme", Headers headers = {})
    {
        headers.push_back({"Authorization", tenant});
        facade.setNow(now);
        facade.onRequest(++exchanges, {{method, target, std::move(headers)}, "client", false, {}, 0});
        return exchanges;
    }
    ExchangeId get(const std::string& target, const std::string& tenant = "acme", Headers headers = {})
    {
        return ask("GET", target, tenant, std::move(headers));
    }

    // Its body is given to onRequestBody().
    ExchangeId post(const std::string& target, const std::string& tenant = "acme")
    {
        facade.setNow(now);
        facade.onRequest(++exchanges, {{"POST", target, {{"Authorization", tenant}}}, "client", true, {}, 0});
        return exchanges;
    }

    // Commands that have reached the connector at this link and were not taken yet.
    std::deque<Sent>& commands(shoset::LinkId link)
    {
        while (facade.nextDeadline() <= now.mono) {
            facade.onTimer(now);  // turns of the loop
        }
        mesh.flush();
        for (const std::string& frame : std::exchange(frames[link], {})) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record && record->has_value(); record = reader.next()) {
                const auto message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
                if (message && (*record)->prelude.kind == shoset::Kind::command) {
                    arrived[link].push_back({message->id, std::get<shoset::Command>(message->content), std::string((*record)->body)});
                } else if (message && (*record)->prelude.kind == shoset::Kind::cancel) {
                    cancelled.push_back(message->id);
                }
            }
        }
        return arrived[link];
    }
    Sent take(shoset::LinkId link)
    {
        if (commands(link).empty()) {
            ADD_FAILURE() << "nothing was asked of " << name(link);
            return {};
        }
        Sent first = commands(link).front();
        commands(link).pop_front();
        return first;
    }
    void reply(shoset::LinkId link, const Sent& to, int status, const std::string& body, bool last = true,
               const std::string& type = "application/json")
    {
        shoset::Reply said;
        said.http = {status, {{"Content-Type", type}}};
        said.undisturbed = undisturbed;
        say(link, {to.id, name(link), "agg", said}, body, last);
    }
    void chunk(shoset::LinkId link, const Sent& to, std::uint64_t offset, const std::string& body, bool last)
    {
        say(link, {to.id, name(link), "agg", shoset::Chunk{offset, Code::ok, {}}}, body, last);
    }
    void fail(shoset::LinkId link, const Sent& to, Code code, const std::string& why)
    {
        shoset::Reply said;
        said.state = shoset::ReplyState::fail;
        said.code = code;
        said.message = why;
        say(link, {to.id, name(link), "agg", said}, {}, true);
    }
    void say(shoset::LinkId link, const shoset::Message& message, const std::string& body, bool last)
    {
        std::string frame;
        const std::uint8_t flags = last ? static_cast<std::uint8_t>(shoset::flagLast) : std::uint8_t{0};
        shoset::appendRecord(frame, {shoset::kindOf(message.content), flags, 3,
                                     shoset::noDeadline, toMicros(now.mono - underWay)},
                             shoset::encodeHeader(message), body);
        mesh.onFrame(link, frame, now);
    }
    void link(shoset::LinkId link) { greet(link); }
    std::vector<std::string>& sentTo(shoset::LinkId link) { return frames[link]; }  // frames that commands() has not taken
    void pass(Duration time)
    {
        now.mono += time;
        facade.onTimer(now);
        broker.onTimer(now);
    }

    static const shoset::Address& name(shoset::LinkId link) { return names.at(link - 1); }
    inline static const std::vector<shoset::Address> names{"acme/s1", "acme/s2", "zeta/s3"};

    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    SeededRng rng{3};
    Satellites satellites{"service"};
    Mesh mesh{{"agg", 1, 0, "test"}, *this, *this};
    Facade facade{{"service", 2s}, *this, *this, *this, satellites};
    Broker broker{mesh, facade, satellites, rng};
    std::map<ExchangeId, Given> given;
    std::set<ExchangeId> granted;
    std::size_t grantedBytes = 0;  // the last time
    Answer refusal = errorAnswer(404, {"ResourceMissingAtURI", {}, {}});  // of own resources
    std::vector<MessageId> cancelled;
    std::set<std::string> expelled;  // whose accounts are gone
    bool undisturbed = true;  // what replies say
    Duration underWay{};      // how long what connectors say takes to arrive

private:
    void greet(shoset::LinkId link)
    {
        mesh.addAccepted(link, name(link));
        shoset::Hello hello;
        hello.name = name(link);
        hello.incarnation = 5;
        hello.clock = toMicros(now.mono);
        say(link, {{}, name(link), "", hello}, {}, true);
        const std::int64_t clock = toMicros(now.mono);
        say(link, {{}, name(link), "", shoset::Heartbeat{clock, clock, clock}}, {}, true);
        frames[link].clear();
    }

    void sendFrame(shoset::LinkId link, std::string frame) override { frames[link].push_back(std::move(frame)); }
    void resetLink(shoset::LinkId) override {}

    void respond(ExchangeId id, ResponseHead head, std::string body, bool last) override
    {
        EXPECT_EQ(given.count(id), 0U) << "answered twice";
        given[id] = {head.status, std::move(head.headers), std::move(body), last, false};
    }
    void writeBody(ExchangeId id, std::string piece, bool last) override
    {
        given.at(id).body += piece;
        ++given.at(id).pieces;
        given.at(id).whole = last;
    }
    void abort(ExchangeId id) override { given[id].aborted = true; }
    void grant(ExchangeId id, std::size_t bytes) override
    {
        granted.insert(id);
        grantedBytes = bytes;
    }

    void identify(const Headers& headers, Now when, std::function<void(Identified, Now)> done) override
    {
        const std::string* who = findHeader(headers, "Authorization");
        Principal principal{*who, "1", "Administrator", *tenants::predefinedRole("Administrator"), *who == "root" ? "" : *who, "", false};
        if (*who == "nobody" || *who == "reader") {
            principal.privileges = tenants::predefinedRole(*who == "reader" ? "ReadOnly" : "").value_or(tenants::PrivilegeSet{});
            principal.tenant = "acme";
        }
        done(principal, when);
    }

    bool isCurrent(const Principal& who) const override { return !expelled.contains(who.user); }

    bool isOpen(const std::string&, const std::string&) const override { return false; }
    bool ownsCollection(const std::string&) const override { return false; }
    void handle(OwnRequest, Now when, Done done) override { done(refusal, when); }
    std::vector<std::string> ownMembers(const std::string&, const Principal&) const override { return {}; }

    void onReply(const shoset::Address& from, const MessageId& id, shoset::Reply said, std::string_view body, bool last, Instant sent,
                 Now when) override
    {
        broker.onReply(from, id, std::move(said), body, last, sent, when);
    }
    void onChunk(const shoset::Address& from, const MessageId& id, const shoset::Chunk& piece, std::string_view body, bool last, Now when) override
    {
        broker.onChunk(from, id, piece, body, last, when);
    }
    void onCredit(const shoset::Address& from, const MessageId& id, std::uint64_t total, Now when) override
    {
        broker.onCredit(from, id, total, when);
    }
    void onAnnounce(const shoset::Address&, shoset::Announce, Now) override {}
    void onConnectorUp(const shoset::Address&, const std::string&, Now) override {}
    void onKeyOffer(const shoset::Address&, const std::string&, const shoset::KeyOffer&, Now) override {}
    void onOffers(const shoset::Address&, shoset::Offers) override {}
    void onCommandAsked(const shoset::Address&, const MessageId&, shoset::Command, std::string_view, std::optional<Instant>, Now) override {}
    void onLinkLost(shoset::LinkId, Now) override {}
    void onRoutesChanged(const std::vector<shoset::Address>&, Now) override {}

    std::map<shoset::LinkId, std::vector<std::string>> frames;
    std::map<shoset::LinkId, std::deque<Sent>> arrived;
    ExchangeId exchanges = 0;
};

}  // namespace mesh::aggregator
