#pragma once

#include "aggregator/core/node.hpp"
#include "tests/simulation/checkers.hpp"
#include "tests/simulation/cluster.hpp"
#include "tests/simulation/disks.hpp"
#include "tests/simulation/event_checkers.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/world.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace mesh::simulation {

// An aggregator process that can crash and come back, and its clients' connections.
class SimAggregator final : public Endpoint,
                            public shoset::FramePort,
                            public aggregator::HttpPort,
                            public aggregator::PasswordPort,
                            public aggregator::MembershipPort,
                            public aggregator::HostPort,
                            public aggregator::HistoryPort,
                            public aggregator::ShellMetrics {
public:
    // `all`: the names of the cluster's members, in the order of their ids.
    SimAggregator(World& world, Network& network, Checkers& checkers, EventCheckers& eventCheckers, const Fault& fault,
                  std::string name, std::vector<std::string> all, SimEngine& engine);

    // What every cluster of the simulation begins with: "root" of the system, "acme" and "zeta" of their tenants, each with
    // the password "pw-<name>".
    static std::vector<cluster::Operation> firstState(const Fault& fault);
    // The Authorization of one of them.
    static std::string basicOf(const std::string& user);
    // Where connectors reach the members of a cluster with these names.
    static std::vector<shoset::AggregatorAddress> addressesOf(const std::vector<std::string>& names);

    void start(const tenants::Registry& registry);
    void crash();
    // In order: it takes its leave, and is gone a little later.
    void stop();
    bool isUp() const { return node != nullptr; }
    const std::string& processName() const { return name; }
    aggregator::Node& running() { return *node; }
    // What a stranger with this key says on the enrolment endpoint.
    void enrol(const std::string& key, std::string_view frame, aggregator::Enrolment::Answer answer);

    // A client asks; the checkers know the request by its marker.
    void ask(const std::string& marker, const std::string& user, RequestHead head, std::string body);
    // Something else, with all its headers, of a client that gives up after `patience`. A reply that was cut off, not waited
    // for, or lost with the node has status 0.
    struct Reply {
        ResponseHead head;
        std::string body;
        bool unsure = false;  // the node asked the cluster meanwhile, and in vain: it may deny what there is
    };
    void askOwn(const std::string& marker, RequestHead head, std::string body, Duration patience,
                std::function<void(const Reply&)> done);
    std::size_t openRequests() const { return markers.size(); }
    // Members of the merged Systems collection.
    std::size_t listedSystems() const { return node->satellites().merge("Systems", "").members.size(); }

    void onConnected(shoset::LinkId link) override;
    void onDisconnected(shoset::LinkId link) override;
    void onAccepted(shoset::LinkId link, const shoset::Address& identity) override;
    void onAcceptedGone(shoset::LinkId link) override;
    void onFrame(shoset::LinkId link, std::string_view frame) override;
    void sendFrame(shoset::LinkId link, std::string frame) override;
    void resetLink(shoset::LinkId link) override;

    void respond(aggregator::ExchangeId id, ResponseHead head, std::string body, bool last) override;
    void writeBody(aggregator::ExchangeId id, std::string piece, bool last) override;
    void abort(aggregator::ExchangeId id) override;
    void grant(aggregator::ExchangeId, std::size_t) override {}
    void check(std::string password, std::string hash, std::function<void(Result<bool>, Now)> done) override;
    void hash(std::string password, std::function<void(Result<std::string>, Now)> done) override;
    void addSpare(std::uint64_t, const std::string&, Done) override {}
    void makeVoter(std::uint64_t, Done) override {}
    void removeMember(std::uint64_t, Done) override {}
    void transferTo(std::uint64_t, Done) override {}
    // Every BMC of the simulation has an agent.
    std::string sealingKey() const override { return {}; }
    Result<cluster::SealedPassword> seal(std::string_view, const cluster::Source&, const cluster::Node&) override
    {
        return Error{Code::unsupported, "nobody seals"};
    }
    Result<cluster::SealedPassword> reseal(const cluster::SealedPassword&, const cluster::Source&, const cluster::Node&) override
    {
        return Error{Code::unsupported, "nobody seals"};
    }
    void prepare(const aggregator::HostedConnector&, Prepared) override {}
    void run(const aggregator::Hosted&) override {}
    void end(const aggregator::Hosted&) override {}
    void keepOnly(const std::set<aggregator::Hosted>&, cluster::Revision) override {}
    void append(std::vector<history::AuditRecord>, Stored) override {}
    void read(history::AuditQuery, Read) override {}
    aggregator::EventStorePort* events() override { return &store; }
    std::vector<aggregator::Counter> shellMetrics() const override { return {}; }
    std::string whyNotReady() const override { return {}; }

private:
    struct Open {
        std::string marker;
        Reply reply;
        std::function<void(const Reply&)> done;  // empty: the checkers are told
        std::size_t failedBarriers = 0;          // of the node when it was asked
    };
    cluster::Node recordOf(const std::string& member) const;
    void checkAcknowledged(std::string_view frame);
    void begin(Open open, RequestHead head, std::string body);
    void finish(aggregator::ExchangeId id);
    void written(aggregator::ExchangeId id, std::size_t bytes);
    void endTurn();

    World& world;
    Network& network;
    Checkers& checkers;
    EventCheckers& eventCheckers;
    const Fault& fault;
    const std::string name;
    const std::vector<std::string> all;
    SimEventStore store;
    SimEngine& engine;
    std::unique_ptr<aggregator::Node> node;
    std::map<aggregator::ExchangeId, Open> markers;
    aggregator::ExchangeId nextExchange = 1;
    std::uint64_t incarnation = 0;
    Instant armed = never;
    bool turnPosted = false;
};

}  // namespace mesh::simulation
