#pragma once

#include "aggregator/core/broker.hpp"
#include "aggregator/core/satellites.hpp"
#include "aggregator/core/tenant_quotas.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace mesh::aggregator {

struct GatherCounters {
    std::uint64_t started = 0, refusedFull = 0, missing = 0, tooLarge = 0, foreignMembers = 0;
};

// Fetches a collection from every satellite that has it, members and all (log entries). Who does not answer in time,
// answers nonsense, or would make it more than limits::maxGatheredBytes, is named as missing; the others are served.
// The broker's events for tickets that it owns() are its.
class Gather {
public:
    // `exists`: somebody has the collection. Members are JSON text, by satellite's name, then in the satellite's order.
    using Done = std::function<void(MergedCollection, Now)>;
    struct Request {
        std::string path;   // of the collection, below /redfish/v1/
        std::string tenant; // of who asks; empty: the system
        std::string user;   // for the audit
        Headers headers;    // what the satellites get
    };

    explicit Gather(Duration deadlineOfEach) : patience(deadlineOfEach) {}
    void setBroker(Broker& requests) { broker = &requests; }
    // Whom it may ask; who is over his quota is missing.
    void setQuotas(TenantQuotas& ofTenants) { quotas = &ofTenants; }

    // `id` names the gathering until `done` or cancel(). False: too many are going on, `done` is not called.
    bool start(std::uint64_t id, Request request, const std::vector<CollectionPart>& parts, Done done, Now now);
    void cancel(std::uint64_t id, Now now);

    static bool owns(Ticket ticket) { return ticket >> 63 != 0; }
    void onAnswer(Ticket ticket, const ResponseHead& head, std::string_view body, bool last, Now now);
    void onAnswerBody(Ticket ticket, std::string_view piece, bool last, Now now);
    void onAnswerFailed(Ticket ticket, const Error& error, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const;

    std::size_t inProgress() const { return gatherings.size(); }
    const GatherCounters& counters() const { return count; }

private:
    struct Part {
        std::string name;
        std::string prefix;
        shoset::Address connector;
        bool has = false;      // it said that it has the collection
        bool answered = false; // with 200
        std::string trouble;
        Ticket ticket = 0;     // while it is asked
        std::string body;      // of the page that is coming
        std::vector<std::string> members;
        std::unordered_set<std::string> seen;  // their URIs
        std::size_t bytes = 0;  // of what it has answered
    };
    struct Gathering {
        Request request;
        std::vector<Part> parts;
        std::size_t asked = 0;
        std::size_t bytes = 0;
        Instant deadline = never;
        Done done;
    };
    struct Place {
        std::uint64_t id = 0;
        std::size_t part = 0;
    };

    void ask(Place place, const std::string& target, Now now);
    void take(Place place, std::string_view piece, bool last, Now now);
    void takePage(Place place, Now now);
    void giveUp(Place place, const std::string& why, Now now);
    void end(Place place, Now now);
    void finishIfComplete(std::uint64_t id, Now now);
    Part& partAt(Place place) { return gatherings.at(place.id).parts.at(place.part); }

    const Duration patience;
    Broker* broker = nullptr;
    TenantQuotas* quotas = nullptr;
    std::map<std::uint64_t, Gathering> gatherings;
    std::unordered_map<Ticket, Place> places;
    Ticket nextTicket = Ticket{1} << 63;
    GatherCounters count;
};

}  // namespace mesh::aggregator
