#pragma once

#include "aggregator/core/access.hpp"
#include "aggregator/core/audit_trail.hpp"
#include "aggregator/core/authority.hpp"
#include "aggregator/core/broker.hpp"
#include "aggregator/core/gather.hpp"
#include "aggregator/core/http_port.hpp"
#include "aggregator/core/joined_gets.hpp"
#include "aggregator/core/own_resources.hpp"
#include "aggregator/core/paced_refusals.hpp"
#include "aggregator/core/satellites.hpp"
#include "aggregator/core/tenant_quotas.hpp"
#include "aggregator/core/tenant_turns.hpp"
#include "shoset/base/limits.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace mesh::aggregator {

struct FacadeSettings {
    std::string serviceUuid;  // stands in Via, so that two services that aggregate each other do not loop
    Duration collectionDeadline = limits::collectionDeadline;  // of one satellite, where others can answer without it
    Duration authorityLease = limits::authorityLease;          // for writes, without a majority of the cluster
};

struct FacadeCounters {
    std::uint64_t requests = 0, own = 0, collections = 0, forwarded = 0, unauthenticated = 0, forbidden = 0, badPath = 0,
                  notFound = 0, loops = 0, cutAnswers = 0, forgedLocations = 0, withoutAuthority = 0, joinedAnew = 0;
};

// The HTTP side of the aggregator: checks a request's form, finds out who asks, and lets the satellite, the merged
// collection or the facade's own resource answer.
class Facade final : public ServerEvents, public BrokerEvents {
public:
    Facade(FacadeSettings settings, HttpPort& http, Access& access, OwnResources& own, const Satellites& satellites);

    // The broker that carries requests to satellites; set once before the first request.
    void setBroker(Broker& requests)
    {
        broker = &requests;
        gather.setBroker(requests);
    }
    // Records what is ordered of satellites; without it, nothing does.
    void setAudit(AuditTrail& deeds) { trail = &deeds; }
    // What the tenants of satellites allow to be asked of these; without it, everything.
    void setQuotas(TenantQuotas& ofTenants)
    {
        quotas = &ofTenants;
        gather.setQuotas(ofTenants);
    }
    // Whether it may order anything of satellites.
    Authority& orders() { return authority; }
    void setServiceUuid(std::string uuid) { settings.serviceUuid = std::move(uuid); }
    // The time of this turn of the loop; set before each batch of events.
    void setNow(Now current) { now = current; }

    void onRequest(ExchangeId id, RequestInfo request) override;
    void onRequestBody(ExchangeId id, std::string piece, bool last) override;
    void onWritten(ExchangeId id, std::size_t bytes) override;
    void onAborted(ExchangeId id) override;

    void onAnswer(Ticket ticket, ResponseHead head, std::string body, bool last, Instant asOf, Now now) override;
    void onAnswerBody(Ticket ticket, std::string piece, bool last, Now now) override;
    void onAnswerFailed(Ticket ticket, Error error, bool started, Now now) override;
    void onBodyWanted(Ticket ticket, std::size_t bytes, Now now) override;

    void onTimer(Now now);
    Instant nextDeadline() const;
    // Accounts or roles have changed: cuts the answers that stream to those who could not ask for them any more.
    void endStreamsOfExpelled();

    std::size_t open() const { return exchanges.size(); }
    const FacadeCounters& counters() const { return count; }
    std::uint64_t joined() const { return joinedGets.joined(); }
    const GatherCounters& gatherCounters() const { return gather.counters(); }

private:
    enum class Phase { identifying, collecting, own, recording, forwarded, gathering, refused };
    struct Exchange {
        Phase phase = Phase::identifying;
        RequestInfo request;
        std::string path;
        std::string query;
        Identified who = Anonymous{};
        shoset::Address satellite;
        std::string satelliteName;
        std::string satellitePrefix;
        std::vector<shoset::Address> others;  // that could answer as well, the next one last
        Instant asked{};
        Instant deadline = never;             // of its answer, whoever gives it
        Instant attemptDeadline = never;      // of the one that was asked last
        JoinedGets::Key key;                  // empty: is not joined with others
        bool follows = false;                 // waits for the answer to another exchange of the same key
        bool bodyComplete = true;
        bool answered = false;
        AuditToken audit = 0;                 // of an order to a satellite
        Admission admission;                  // of what was sent, or is to be
        std::string waitsAmong;               // the tenant among whose requests it waits for its turn; empty: it does not wait
        std::unique_ptr<SatelliteRequest> waiting;  // what is to be sent then; null: this node answers
        bool reads() const;
    };

    std::optional<Answer> checkForm(Exchange& exchange);
    void identified(ExchangeId id, Identified who);
    void dispatch(ExchangeId id, Exchange& exchange);
    bool waitsForTurn(ExchangeId id, Exchange& exchange, const std::string& tenant);
    void answerInTurn(ExchangeId id, Exchange& exchange);
    void answerHere(ExchangeId id, Exchange& exchange);
    void toSatellite(ExchangeId id, Exchange& exchange, const Satellite& satellite);
    void recorded(ExchangeId id, const shoset::Address& address, const Result<AuditToken>& stored);
    void endAudit(Exchange& exchange, int status);
    bool toRegistry(ExchangeId id, Exchange& exchange, std::string_view registry);
    bool mayWrite(ExchangeId id);
    bool mayAsk(ExchangeId id, const Exchange& exchange, std::string_view path, tenants::Expansion expansion = {});
    enum class Joining { allowed, no };
    void forward(ExchangeId id, Exchange& exchange, const Satellite& satellite, Joining joining = Joining::allowed);
    SatelliteRequest requestFor(Exchange& exchange, const Satellite& satellite);
    static std::int64_t bodyLengthOf(const RequestInfo& request);  // -1: nobody knows yet
    Result<void> admit(Exchange& exchange, const std::string& tenant, std::int64_t bodyLength);
    bool admitOrder(ExchangeId id, Exchange& exchange, const Satellite& satellite);
    bool admitToSend(ExchangeId id, Exchange& exchange, const Satellite& satellite, std::int64_t bodyLength);
    void forwardAgain(const std::vector<ExchangeId>& ids, Joining joining);
    void deliver(ExchangeId id, ResponseHead head, std::string body, bool last);
    void fail(ExchangeId id, const Error& error, bool outOfTime);
    bool askAnother(ExchangeId id, Exchange& exchange);
    void toCollection(ExchangeId id, Exchange& exchange, std::string_view collection);
    bool toOnlyMember(ExchangeId id, Exchange& exchange, const MergedCollection& merged);
    void toGather(ExchangeId id, Exchange& exchange, std::string_view collection);
    void toOwn(ExchangeId id, Exchange& exchange);
    void handleOwn(ExchangeId id, Exchange& exchange);
    void answer(ExchangeId id, Answer answer);
    void tell(ExchangeId id, Answer answer);
    ResponseHead filterHead(const Exchange& exchange, ResponseHead head);
    Exchange* find(ExchangeId id);

    FacadeSettings settings;
    Authority authority;
    HttpPort& http;
    Access& access;
    OwnResources& own;
    const Satellites& satellites;
    Broker* broker = nullptr;
    AuditTrail* trail = nullptr;
    TenantQuotas* quotas = nullptr;
    Gather gather;
    JoinedGets joinedGets;
    TenantTurns turns;
    PacedRefusals refusals;
    Now now;
    std::unordered_map<ExchangeId, Exchange> exchanges;
    FacadeCounters count;
};

}  // namespace mesh::aggregator
