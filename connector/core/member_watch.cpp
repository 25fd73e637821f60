#include "connector/core/member_watch.hpp"

#include "connector/core/redfish_body.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/uri/collections.hpp"

#include <algorithm>

namespace mesh::connector {

namespace {

constexpr Duration firstBackoff = 1s;
constexpr std::string_view rootUri = "/redfish/v1/";

std::string rejectedReason(int status)
{
    return "the BMC answered " + std::to_string(status);
}

bool hasCollectionsBelow(std::string_view path)
{
    return std::any_of(uri::topCollections().begin(), uri::topCollections().end(), [path](const uri::TopCollection& top) {
        return top.path.size() > path.size() && top.path[path.size()] == '/' &&
               equalsIgnoreCase(top.path.substr(0, path.size()), path);
    });
}

bool isJson(const ResponseHead& head)
{
    const std::string* type = findHeader(head.headers, "Content-Type");
    return type != nullptr && toLower(*type).find("json") != std::string::npos;
}

}  // namespace

MemberWatch::MemberWatch(BmcPort& port, WatchEvents& owner, Rng& random) : bmc(port), events(owner), rng(random) {}

void MemberWatch::start(Now now)
{
    jobs.push_back({What::root, "", std::string(rootUri), {}});
    next(now);
}

void MemberWatch::refresh(const std::vector<std::string>& paths, std::uint64_t ticket, Now now)
{
    std::size_t reads = 0;
    for (const std::string& path : paths) {
        if (const auto found = collections.find(path); found != collections.end() && !found->second.uri.empty()) {
            found->second.etag.clear();
            refreshOne(path, found->second.uri, ticket);
            ++reads;
        }
    }
    if (reads == 0 || tickets.size() >= limits::maxRefreshTickets) {
        events.onRefreshed(ticket, now);
    } else {
        tickets[ticket] = reads;
    }
    next(now);
}

// One that waits will be read after this write, too.
void MemberWatch::refreshOne(const std::string& path, const std::string& uri, std::uint64_t ticket)
{
    auto place = std::find_if(refreshes.begin(), refreshes.end(), [&path](const Job& job) { return job.path == path; });
    if (place == refreshes.end()) {
        std::erase_if(jobs, [&path](const Job& job) { return job.what == What::collection && job.path == path; });
        place = refreshes.insert(place, {What::collection, path, uri, {}});
    }
    if (tickets.size() < limits::maxRefreshTickets) {
        place->tickets.push_back(ticket);
    }
}

void MemberWatch::onTimer(Now now)
{
    if (now.mono < nextPoll) {
        return;
    }
    nextPoll = never;
    start(now);
}

void MemberWatch::next(Now now)
{
    if (current) {
        return;
    }
    if (jobs.empty()) {
        if (reachable && !complete) {
            complete = true;
            events.onAnnounce(snapshot(), now);
        }
        if (nextPoll == never) {
            const Duration jitter{static_cast<std::int64_t>(rng.below(limits::memberPollInterval.count() / 10))};
            nextPoll = now.mono + limits::memberPollInterval + jitter;
        }
        if (refreshes.empty()) {
            return;
        }
    }
    // In turn: many writes do not keep the others waiting for ever.
    refreshedLast = !refreshes.empty() && (jobs.empty() || !refreshedLast);
    std::deque<Job>& from = refreshedLast ? refreshes : jobs;
    current = std::move(from.front());
    from.pop_front();
    pages.clear();
    pageCount = 0;
    ask(now);
}

// Whether "not modified" would say all: what failed, or was gone, is to be read whole, as it would stay so otherwise.
bool MemberWatch::isFresh(const Known& known) const
{
    return current->what == What::collection && pageCount == 0 && !known.etag.empty() &&
           known.collection.state == shoset::CollectionState::known;
}

void MemberWatch::ask(Now now)
{
    exchange = watchExchange | nextExchange++;
    head = {};
    body.clear();
    RequestHead request{"GET", current->uri, {{"Accept", "application/json"}}};
    if (const auto found = collections.find(current->path); found != collections.end() && isFresh(found->second)) {
        request.headers.push_back({"If-None-Match", found->second.etag});
    }
    bmc.start(exchange, std::move(request), {}, false, 0, true, now.mono + limits::watchPatience);
}

void MemberWatch::onHead(BmcExchange id, ResponseHead received, bool bodyFollows, Now now)
{
    if (id != exchange || !current) {
        return;
    }
    head = std::move(received);
    if (!bodyFollows) {
        finishJob(now);
    }
}

void MemberWatch::onBody(BmcExchange id, std::string_view piece, bool last, Now now)
{
    if (id != exchange || !current) {
        return;
    }
    if (body.size() + piece.size() > limits::maxMemberBodyBytes) {
        bmc.cancel(id);
        fail("a body of more than " + std::to_string(limits::maxMemberBodyBytes) + " bytes", now);
        return;
    }
    body += piece;
    bmc.grant(id, piece.size());
    if (last) {
        finishJob(now);
    }
}

void MemberWatch::onFailure(BmcExchange id, Error error, Now now)
{
    if (id != exchange || !current) {
        return;
    }
    if (error.code == Code::full) {
        return leave(now);
    }
    std::map<std::uint64_t, std::size_t> left;
    if (error.code == Code::notSent && reachable && current->what != What::root) {
        jobs.assign(1, {What::root, "", std::string(rootUri), {}});
        refreshes.clear();
        left.swap(tickets);
    }
    fail(error.message, now);
    for (const auto& [ticket, reads] : left) {
        events.onRefreshed(ticket, now);
    }
}

// The BMC is at work for others: nothing was learnt of it.
void MemberWatch::leave(Now now)
{
    if (current->what == What::root) {
        nextPoll = now.mono + firstBackoff;
    }
    endJob(now);
}

void MemberWatch::finishJob(Now now)
{
    if (head.status == 200) {
        take(now);
    } else if (head.status == 304) {
        endJob(now);
    } else if (head.status == 404 && current->what == What::collection) {
        publish({current->path, shoset::CollectionState::absent, {}, {}, false}, now);
        endJob(now);
    } else {
        fail(rejectedReason(head.status), now);
    }
}

void MemberWatch::endJob(Now now)
{
    const std::vector<std::uint64_t> done = std::move(current->tickets);
    current.reset();
    for (const std::uint64_t ticket : done) {
        const auto found = tickets.find(ticket);
        if (found != tickets.end() && --found->second == 0) {
            tickets.erase(found);
            events.onRefreshed(ticket, now);
        }
    }
    next(now);
}

void MemberWatch::take(Now now)
{
    switch (current->what) {
        case What::root: takeRoot(now); return;
        case What::service: takeService(now); return;
        case What::collection: takeCollection(now); return;
    }
}

void MemberWatch::fail(const std::string& why, Now now)
{
    if (current->what == What::root) {
        setReachable(false, why, now);
        backoff = backoff == Duration{} ? firstBackoff : std::min<Duration>(backoff * 2, limits::memberPollInterval);
        nextPoll = now.mono + backoff + Duration{static_cast<std::int64_t>(rng.below(backoff.count() / 4 + 1))};
    } else if (current->what == What::collection) {
        shoset::AnnouncedCollection failing = collections[current->path].collection;
        failing.state = shoset::CollectionState::failing;
        failing.reason = why;
        publish(std::move(failing), now);
    }
    endJob(now);
}

void MemberWatch::takeRoot(Now now)
{
    std::optional<RootFacts> root = rootFactsIn(body);
    if (!root) {
        fail("its ServiceRoot is no JSON object", now);
        return;
    }
    uuid = std::move(root->uuid);
    redfishVersion = std::move(root->redfishVersion);
    rootLinks.clear();
    for (const std::string& uri : root->links) {
        const std::string path(relativePath(uri));
        const bool known = std::find(rootLinks.begin(), rootLinks.end(), path) != rootLinks.end();
        if (!path.empty() && !known && rootLinks.size() < limits::maxRootLinks) {
            rootLinks.push_back(path);
        }
    }
    for (const auto& [path, uri] : services) {
        jobs.push_back({What::service, path, uri, {}});
    }
    for (const auto& [path, known] : collections) {
        if (!known.uri.empty()) {
            jobs.push_back({What::collection, path, known.uri, {}});
        }
    }
    takeLinks(root->links, now);
    setReachable(true, "", now);
    endJob(now);
}

void MemberWatch::takeService(Now now)
{
    if (const auto links = linksIn(body)) {
        takeLinks(*links, now);
    }
    endJob(now);
}

void MemberWatch::takeLinks(const std::vector<std::string>& links, Now now)
{
    for (const std::string& uri : links) {
        const std::string path(relativePath(uri));
        if (const uri::TopCollection* top = uri::findTopCollection(path); top != nullptr && top->listed) {
            takeCollectionLink(*top, uri, now);
        } else if (!path.empty() && hasCollectionsBelow(path) && services.try_emplace(path, uri).second) {
            jobs.push_back({What::service, path, uri, {}});
        }
    }
}

void MemberWatch::takeCollectionLink(const uri::TopCollection& top, const std::string& uri, Now now)
{
    const std::string path(top.path);
    if (top.inlined) {
        publish({path, shoset::CollectionState::known, {}, {}, false}, now);
    } else if (const auto [place, added] = collections.try_emplace(path); added) {
        place->second.uri = uri;
        place->second.collection = {path, shoset::CollectionState::failing, {}, "not read yet", false};
        jobs.push_back({What::collection, path, uri, {}});
    }
}

void MemberWatch::takeCollection(Now now)
{
    std::optional<CollectionFacts> page = isJson(head) ? collectionFactsIn(body) : std::nullopt;
    if (!page) {
        fail("a collection that is no JSON object", now);
        return;
    }
    pages.insert(pages.end(), page->members.begin(), page->members.end());
    ++pageCount;
    if (pageCount > limits::maxMemberPages || (page->members.empty() && !page->nextLink.empty())) {
        fail("a collection whose pages do not end", now);
        return;
    }
    if (pages.size() > limits::maxMembersPerSatellite) {
        fail("a collection of more than " + std::to_string(limits::maxMembersPerSatellite) + " members", now);
        return;
    }
    if (!page->nextLink.empty()) {
        current->uri = page->nextLink;
        ask(now);
        return;
    }
    const std::string* etag = findHeader(head.headers, "ETag");
    // A first page's ETag says nothing about the others.
    collections[current->path].etag = etag != nullptr && pageCount == 1 ? *etag : std::string();
    publish({current->path, shoset::CollectionState::known, std::move(pages), {}, false}, now);
    endJob(now);
}

void MemberWatch::publish(shoset::AnnouncedCollection collection, Now now)
{
    Known& known = collections[collection.path];
    if (known.collection == collection) {
        return;
    }
    known.collection = std::move(collection);
    shoset::Announce changed = header();
    changed.collections.push_back(known.collection);
    events.onAnnounce(changed, now);
}

void MemberWatch::setReachable(bool nowReachable, const std::string& why, Now now)
{
    if (nowReachable) {
        backoff = {};
    }
    reachable = nowReachable;
    reason = why;
    shoset::Announce said = header();
    if (said != lastHeader) {
        lastHeader = said;
        events.onAnnounce(said, now);
    }
}

shoset::Announce MemberWatch::header() const
{
    shoset::Announce announce;
    announce.uuid = uuid;
    announce.redfishVersion = redfishVersion;
    announce.rootLinks = rootLinks;
    announce.bmcReachable = reachable;
    announce.bmcReason = reason;
    return announce;
}

shoset::Announce MemberWatch::snapshot() const
{
    shoset::Announce all = header();
    all.complete = complete;
    for (const auto& [path, known] : collections) {
        all.collections.push_back(known.collection);
    }
    return all;
}

}  // namespace mesh::connector
