#pragma once

#include "aggregator/core/facade_resources.hpp"
#include "aggregator/core/tests/fake_members.hpp"
#include "cluster/core/memory_engine.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mesh::aggregator {

// Passwords whose hash is the password behind argon2id's mark; nothing happens until run().
class FakePasswords final : public PasswordPort {
public:
    void check(std::string password, std::string hash, std::function<void(Result<bool>, Now)> done) override
    {
        const bool right = hash == hashOf(password);
        jobs.push_back([this, right, done = std::move(done)](Now now) {
            done(fails ? Result<bool>(Error{Code::unavailable, "too much waits"}) : Result<bool>(right), now);
        });
    }
    void hash(std::string password, std::function<void(Result<std::string>, Now)> done) override
    {
        jobs.push_back([this, password = std::move(password), done = std::move(done)](Now now) {
            done(fails ? Result<std::string>(Error{Code::unavailable, "too much waits"}) : Result<std::string>(hashOf(password)), now);
        });
    }
    bool run(Now now)
    {
        if (jobs.empty()) {
            return false;
        }
        const auto job = std::move(jobs.front());
        jobs.pop_front();
        job(now);
        return true;
    }
    static std::string hashOf(const std::string& password) { return "$argon2id$" + password; }

    bool fails = false;

private:
    std::deque<std::function<void(Now)>> jobs;
};

// A box names its recipient: "<key>:<password>".
class FakeHosts final : public HostPort {
public:
    std::string sealingKey() const override { return {}; }
    Result<cluster::SealedPassword> seal(std::string_view password, const cluster::Source& source, const cluster::Node& node) override
    {
        sealedFor.push_back(source.tenant + "/" + source.id + " " + source.userName + "@" + source.hostName);
        const std::string& key = node.sealingKey.empty() ? node.key : node.sealingKey;
        return cluster::SealedPassword{node.id, key + ":" + std::string(password), cluster::sealingKeyId(node)};
    }
    Result<cluster::SealedPassword> reseal(const cluster::SealedPassword& known, const cluster::Source& source,
                                           const cluster::Node& node) override
    {
        return seal(known.box.substr(known.box.find(':') + 1), source, node);
    }
    std::vector<std::string> sealedFor;
    void prepare(const HostedConnector&, Prepared) override {}
    void run(const Hosted&) override {}
    void end(const Hosted&) override {}
    void keepOnly(const std::set<Hosted>&, cluster::Revision) override {}
};

class FakeNode final : public NodeView {
public:
    std::string nodeName() const override { return "agg-a"; }
    std::string serviceUuid() const override { return "7d7dd2a3-6a54-4d2b-8a22-3a3b0f1f8f10"; }
    std::string software() const override { return "bmcmesh 0.1.0"; }
    std::string notReady() const override { return reason; }
    NodeReport report() const override { return {"primary", 1, 4, 120, reason, {"agg-b"}}; }
    std::vector<PeerStatus> peers() const override { return others; }
    bool registryInCluster() const override { return inCluster; }
    std::vector<Counter> metrics() const override
    {
        return {{"bmcmesh_links_up", "Links\nthat are up", 3, true}, {"bmcmesh_http_requests_total", "Requests", 7, false}};
    }

    std::vector<PlaceStatus> historyPlaces() const override { return histories; }
    const PagePlaces& pagePlaces() const override { return pages; }

    std::vector<PlaceStatus> histories;
    PagePlaces pages{sealing::Seed()};
    std::string reason;
    std::vector<PeerStatus> others{{"agg-b", true}};
    bool inCluster = true;
};

struct Asked {
    int status = 0;
    Headers headers;
    nlohmann::json body;
    std::string text;

    std::string header(std::string_view name) const
    {
        const std::string* value = findHeader(headers, name);
        return value == nullptr ? std::string() : *value;
    }
    // MessageIds without the registry, of an error or an annotation.
    std::vector<std::string> messages() const
    {
        std::vector<std::string> ids;
        const nlohmann::json& holder = body.contains("error") ? body["error"] : body;
        for (const auto& entry : holder.value("@Message.ExtendedInfo", nlohmann::json::array())) {
            const std::string id = entry["MessageId"];
            ids.push_back(id.substr(id.find_last_of('.') + 1));
        }
        return ids;
    }
    std::vector<std::string> members() const
    {
        std::vector<std::string> uris;
        for (const auto& member : body.value("Members", nlohmann::json::array())) {
            uris.push_back(member["@odata.id"]);
        }
        return uris;
    }
};

// The facade's own resources over a state in memory, with accounts root (1, the system's administrator), boss (2,
// administrator of tenant acme), op (3, Operator) and reader (4, ReadOnly), all of the password "secret-of-<name>", and
// satellites acme/sled1 (prefix AAA) and beta/sled2 (prefix BBB).
class Resources : public testing::Test {
protected:
    Resources()
    {
        make("root", "Administrator", "");
        make("boss", "Administrator", "acme");
        make("op", "Operator", "acme");
        make("reader", "ReadOnly", "acme");
        tenants::Registry registry;
        EXPECT_TRUE(registry.addTenant("acme").ok());
        EXPECT_TRUE(registry.addTenant("beta").ok());
        EXPECT_TRUE(registry.put({"acme", "sled1", std::string(39, '0') + "1", "AAA", "", ""}).ok());
        EXPECT_TRUE(registry.put({"beta", "sled2", std::string(39, '0') + "2", "BBB", "", ""}).ok());
        EXPECT_TRUE(registry.put({"beta", "fresh", std::string(39, '0') + "3", "", "", ""}).ok());
        satellites.setRegistry(registry);
    }

    std::string make(const std::string& user, const std::string& role, const std::string& tenant, bool mustChange = false)
    {
        return change(cluster::CreateAccount{user, FakePasswords::hashOf("secret-of-" + user), role, tenant, true, mustChange}).value;
    }

    cluster::Applied change(cluster::Operation operation)
    {
        cluster::Applied out;
        engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, now.mono + 1s,
                       [&out](Result<cluster::Applied> applied) { out = *applied; });
        engine.pump(now.mono);
        return out;
    }

    void announce(const std::string& tenant, const std::string& name, std::vector<std::string> services,
                  std::vector<shoset::AnnouncedCollection> collections = {})
    {
        shoset::Announce said;
        said.uuid = "11111111-2222-3333-4444-555555555555";
        said.complete = true;
        said.bmcReachable = true;
        said.rootLinks = std::move(services);
        said.collections = std::move(collections);
        satellites.setLinked(shoset::connectorAddress(tenant, name), true);
        satellites.onAnnounce(shoset::connectorAddress(tenant, name), std::move(said));
    }

    Identified as(const std::string& user, const std::string& session = {}) const
    {
        return user.empty() ? Identified(Anonymous{})
                            : Identified(principalOf(engine.state(), *cluster::findAccountByName(engine.state(), user), session));
    }

    // Until nothing is left to do; an answer that does not come is a failure.
    Asked ask(const std::string& user, const std::string& method, const std::string& target, const std::string& body = {},
              Headers headers = {}, const std::string& session = {})
    {
        const std::size_t question = target.find('?');
        OwnRequest request;
        request.head = {method, target, std::move(headers)};
        request.path = target.substr(0, question);
        request.query = question == std::string::npos ? std::string() : target.substr(question + 1);
        request.body = body;
        request.remote = "192.0.2.7:4711";
        request.who = as(user, session);
        int answers = 0;
        Asked out;
        resources.handle(std::move(request), now, [&](Answer answer, Now) {
            ++answers;
            out = {answer.head.status, answer.head.headers, nlohmann::json::parse(answer.body, nullptr, false), answer.body};
        });
        while (passwords.run(now) || engine.pump(now.mono) > 0) {
        }
        EXPECT_EQ(answers, 1) << method << " " << target;
        return out;
    }
    Asked get(const std::string& user, const std::string& target) { return ask(user, "GET", target); }

    Identified login(const std::string& user, const std::string& password)
    {
        Identified out = Anonymous{};
        credentials.identify(user, password, now, [&out](Identified who, Now) { out = std::move(who); });
        while (passwords.run(now)) {
        }
        return out;
    }
    Identified byToken(const std::string& token)
    {
        Identified out = Anonymous{};
        credentials.identify({{"X-Auth-Token", token}}, now, [&out](Identified who, Now) { out = std::move(who); });
        return out;
    }

    const std::string accountsUri = "/redfish/v1/AccountService/Accounts";
    const std::string rolesUri = "/redfish/v1/AccountService/Roles";
    const std::string sessionsUri = "/redfish/v1/SessionService/Sessions";
    Now now{Instant(100s), WallTime(std::chrono::seconds(1'714'564'800))};  // 2024-05-01T12:00:00Z
    SeededRng rng{7};
    cluster::MemoryEngine engine;
    FakePasswords passwords;
    FakeHosts hosts;
    FakeNode node;
    Satellites satellites{"7d7dd2a3-6a54-4d2b-8a22-3a3b0f1f8f10"};
    CatchUp catchUp{engine};
    FakeMembers membership;
    Credentials credentials{engine, catchUp, passwords, rng};
    FacadeResources resources{engine, catchUp, membership, credentials, passwords, hosts, satellites, node, rng};
};

}  // namespace mesh::aggregator
