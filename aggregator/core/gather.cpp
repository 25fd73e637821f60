#include "aggregator/core/gather.hpp"

#include "aggregator/core/member_page.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

namespace {

bool isJson(const ResponseHead& head)
{
    const std::string* type = findHeader(head.headers, "Content-Type");
    return type != nullptr && toLower(*type).find("json") != std::string::npos;
}

// The collection as that satellite's own resource.
std::string ownAddress(const std::string& prefix, const std::string& path)
{
    return "/redfish/v1/" + prefix + "_" + path;
}

}  // namespace

bool Gather::start(std::uint64_t id, Request request, const std::vector<CollectionPart>& parts, Done done, Now now)
{
    const auto ofTenant = std::count_if(gatherings.begin(), gatherings.end(), [&request](const auto& other) {
        return other.second.request.tenant == request.tenant;
    });
    const bool hasItsShare = !request.tenant.empty() && static_cast<std::size_t>(ofTenant) >= limits::maxGathersPerTenant;
    if (gatherings.size() >= limits::maxGathers || hasItsShare) {
        ++count.refusedFull;
        return false;
    }
    ++count.started;
    Gathering& gathering = gatherings[id];
    gathering.request = std::move(request);
    gathering.done = std::move(done);
    gathering.deadline = now.mono + patience;
    for (const CollectionPart& part : parts) {
        gathering.parts.push_back({part.satellite->name, part.satellite->prefix, part.satellite->address, part.known != nullptr,
                                   false, part.trouble, 0, {}, {}, {}, 0});
        gathering.asked += part.trouble.empty() ? 1 : 0;
    }
    if (gathering.asked == 0) {
        finishIfComplete(id, now);
    }
    // One that fails at once may be the last, and end it.
    for (std::size_t i = 0; i < parts.size() && gatherings.contains(id); ++i) {
        if (const Part& part = partAt({id, i}); part.trouble.empty()) {
            ask({id, i}, ownAddress(part.prefix, gatherings.at(id).request.path), now);
        }
    }
    return true;
}

void Gather::ask(Place place, const std::string& target, Now now)
{
    const Gathering& gathering = gatherings.at(place.id);
    Part& part = partAt(place);
    if (quotas != nullptr) {
        if (const auto admitted = quotas->admit(shoset::tenantOf(part.connector), 0, now); !admitted) {
            return giveUp(place, admitted.error().message, now);
        }
    }
    part.ticket = nextTicket++;
    places[part.ticket] = place;
    SatelliteRequest request;
    request.connector = part.connector;
    request.connectorPrefix = part.prefix;
    request.user = gathering.request.user;
    request.http = {"GET", target, gathering.request.headers};
    request.deadline = gathering.deadline;
    broker->start(part.ticket, std::move(request), now);
}

void Gather::cancel(std::uint64_t id, Now now)
{
    const auto found = gatherings.find(id);
    if (found == gatherings.end()) {
        return;
    }
    for (const Part& part : found->second.parts) {
        if (part.ticket != 0) {
            broker->cancel(part.ticket, now);
            places.erase(part.ticket);
        }
    }
    gatherings.erase(found);
}

void Gather::onAnswer(Ticket ticket, const ResponseHead& head, std::string_view body, bool last, Now now)
{
    const auto found = places.find(ticket);
    if (found == places.end()) {
        return;
    }
    const Place place = found->second;
    Part& part = partAt(place);
    if (head.status == 404 && !part.answered) {
        part.has = false;
        end(place, now);
    } else if (head.status != 200) {
        giveUp(place, "its BMC answered " + std::to_string(head.status), now);
    } else if (!isJson(head)) {
        giveUp(place, "its BMC answered something that is not JSON", now);
    } else {
        take(place, body, last, now);
    }
}

void Gather::onAnswerBody(Ticket ticket, std::string_view piece, bool last, Now now)
{
    if (const auto found = places.find(ticket); found != places.end()) {
        take(found->second, piece, last, now);
    }
}

void Gather::onAnswerFailed(Ticket ticket, const Error& error, Now now)
{
    if (const auto found = places.find(ticket); found != places.end()) {
        giveUp(found->second, error.message, now);
    }
}

void Gather::take(Place place, std::string_view piece, bool last, Now now)
{
    Gathering& gathering = gatherings.at(place.id);
    Part& part = partAt(place);
    if (gathering.bytes + piece.size() > limits::maxGatheredBytes) {
        ++count.tooLarge;
        giveUp(place, "with its members the collection would have more than " + std::to_string(limits::maxGatheredBytes) + " bytes",
               now);
        return;
    }
    gathering.bytes += piece.size();
    part.bytes += piece.size();
    part.body += piece;
    if (last) {
        takePage(place, now);
    } else {
        broker->consumed(part.ticket, piece.size(), now);
    }
}

void Gather::takePage(Place place, Now now)
{
    Part& part = partAt(place);
    std::optional<MemberPage> page = memberPageOf(part.body);
    if (!page) {
        giveUp(place, "its BMC answered something that is not a collection", now);
        return;
    }
    part.body = {};
    part.answered = true;
    const uri::UriMap map(part.prefix);
    for (std::string& member : page->members) {
        // What a satellite shows stands below its own prefix.
        const std::string uri = idOfMember(member);
        if (!uri.empty() && map.ownerOf(uri) != uri::Owner::satellite) {
            ++count.foreignMembers;
        } else if (uri.empty() || part.seen.insert(uri).second) {
            part.members.push_back(std::move(member));
        }
    }
    if (page->nextLink.empty()) {
        end(place, now);
    } else if (equalsIgnoreCase(uri::withoutTrailingSlashes(uri::pathOf(page->nextLink)),
                                ownAddress(part.prefix, gatherings.at(place.id).request.path))) {
        places.erase(part.ticket);
        ask(place, page->nextLink, now);
    } else {
        giveUp(place, "its next page is no part of the collection", now);
    }
}

// What it has given so far goes, too: half of its members would look like all of them.
void Gather::giveUp(Place place, const std::string& why, Now now)
{
    ++count.missing;
    Part& part = partAt(place);
    part.trouble = why.empty() ? "it gave no answer" : why;
    part.members = {};
    part.body = {};
    gatherings.at(place.id).bytes -= std::exchange(part.bytes, 0);
    end(place, now);
}

void Gather::end(Place place, Now now)
{
    Part& part = partAt(place);
    const Ticket ticket = std::exchange(part.ticket, 0);
    broker->cancel(ticket, now);  // nothing, if it has ended
    places.erase(ticket);
    --gatherings.at(place.id).asked;
    finishIfComplete(place.id, now);
}

void Gather::finishIfComplete(std::uint64_t id, Now now)
{
    const auto found = gatherings.find(id);
    if (found->second.asked != 0) {
        return;
    }
    const Gathering complete = std::move(found->second);
    gatherings.erase(found);
    MergedCollection merged;
    merged.inlined = true;
    for (const Part& part : complete.parts) {
        merged.exists = merged.exists || part.has;
        merged.members.insert(merged.members.end(), part.members.begin(), part.members.end());
        if (!part.trouble.empty()) {
            merged.missing.push_back({part.name, part.prefix, part.trouble});
        }
    }
    complete.done(std::move(merged), now);
}

void Gather::onTimer(Now now)
{
    std::vector<Place> late;
    for (const auto& [id, gathering] : gatherings) {
        for (std::size_t i = 0; gathering.deadline <= now.mono && i < gathering.parts.size(); ++i) {
            if (gathering.parts[i].ticket != 0) {
                late.push_back({id, i});
            }
        }
    }
    for (const Place& place : late) {
        giveUp(place, "it gave no answer within " + std::to_string(toMillis(patience)) + " ms", now);
    }
}

Instant Gather::nextDeadline() const
{
    Instant next = never;
    for (const auto& [id, gathering] : gatherings) {
        next = std::min(next, gathering.deadline);
    }
    return next;
}

}  // namespace mesh::aggregator
