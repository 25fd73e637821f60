#include "aggregator/history_moves.hpp"

#include "cluster/history/core/database_url.hpp"
#include "shoset/host/log.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

namespace mesh::aggregator {

namespace {

using history::MoveReply;
using history::Place;

std::string placesFile(const std::string& stateDirectory)
{
    return stateDirectory + "/history.places";
}

std::string shownPlace(const std::string& name)
{
    return name.empty() ? std::string(ownPlaceShown) : history::shownUrl(name);
}

// The tenant's own directory, for its user alone.
Result<void> makeFolderOf(const std::string& url)
{
    const std::filesystem::path folder = std::filesystem::path(history::sqlitePath(url)).parent_path();
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (!error) {
        std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
    }
    return error ? Result<void>(Error{Code::ioError, folder.string() + ": " + error.message()}) : Result<void>{};
}

// A failure may leave the new text there, where only its folder could not be synchronised: then the old one is written again. Else the
// next start would look for a history where this one did not write it.
Result<void> replacePlaces(const HistoryMoves::Environment& environment, const std::string& before, const std::string& after)
{
    const std::string file = placesFile(environment.stateDirectory);
    const auto saysAfter = [&] {
        const Result<std::string> there = host::readSecretFile(file, limits::maxPlacesFileBytes);
        return there && *there == after;
    };
    const Result<void> written = environment.write(file, after, 0600);
    if (!written && saysAfter() && !environment.write(file, before, 0600) && saysAfter()) {
        return Error{written.error().code, written.error().message + "; " + file + " says all the same that it has moved, until that is tried again"};
    }
    return written;
}

}  // namespace

HistoryMoves::HistoryMoves(host::Loop& ownLoop, Environment given, std::function<void()> afterwards)
    : loop(ownLoop), environment(std::move(given)), turn(std::move(afterwards)), timer(loop.context()),
      ownDatabase(std::make_shared<HistoryDatabase>(loop, environment.ownUrl, std::string(), environment.syslog, turn)),
      disk(loop.context())
{
}

Result<void> HistoryMoves::load()
{
    const std::string file = placesFile(environment.stateDirectory);
    const Result<std::string> text = host::readSecretFile(file, limits::maxPlacesFileBytes);
    if (!text) {
        return text.error().code == Code::notFound ? Result<void>{} : Result<void>(text.error());
    }
    Result<history::Places> read = history::parsePlaces(*text);
    if (!read) {
        return Error{read.error().code, file + ": " + read.error().message};
    }
    places = std::move(*read);
    for (const auto& [tenant, place] : places) {
        movers.try_emplace(tenant, place.name, isFile({})).first->second.wanted = {place.name, place.secret};
    }
    return {};
}

void HistoryMoves::stop()
{
    timer.cancel();
    forEach([](HistoryDatabase& database) { database.stop(); });
    disk.stop();
}

void HistoryMoves::forEach(const std::function<void(HistoryDatabase&)>& visit)
{
    visit(*ownDatabase);
    for (const auto& [name, database] : others) {
        visit(*database);
    }
}

std::vector<std::string> HistoryMoves::lanes() const
{
    std::vector<std::string> out;
    for (const auto& [tenant, mover] : movers) {
        out.push_back(tenant);
    }
    return out;
}

Place HistoryMoves::placeOf(const std::string& tenant) const
{
    const auto found = places.find(tenant);
    return found == places.end() ? Place{} : found->second;
}

Result<std::uint64_t> HistoryMoves::idOf(const std::string& tenant, std::uint64_t shown) const
{
    const auto known = recent.find(tenant);
    return history::idAtPlace(placeOf(tenant), shown, known == recent.end() ? std::vector<history::MovedEvent>{} : known->second);
}

Result<HistoryMoves::Database> HistoryMoves::databaseOf(const std::string& tenant)
{
    const Place place = placeOf(tenant);
    return at(tenant, place.name, place.secret);
}

Result<std::string> HistoryMoves::passwordFor(const std::string& tenant, const std::string& secret) const
{
    if (secret.empty()) {
        return std::string();
    }
    return secretOf ? secretOf(tenant, secret) : Result<std::string>(Error{Code::unavailable, "what is sealed cannot be read yet"});
}

std::string HistoryMoves::urlOf(const std::string& tenant, const std::string& name) const
{
    return history::urlOfPlace(name, tenant, environment.ownUrl, environment.stateDirectory);
}

// Tenants that name the same server with secrets of theirs have connections of their own.
std::string HistoryMoves::keyOf(const std::string& tenant, const std::string& name, const std::string& secret) const
{
    return secret.empty() ? urlOf(tenant, name) : urlOf(tenant, name) + " " + tenant + "/" + secret;
}

// The error is also why its password cannot be read: without it nobody knocks.
Result<HistoryMoves::Database> HistoryMoves::at(const std::string& tenant, const std::string& name, const std::string& secret)
{
    if (name.empty()) {
        return ownDatabase;
    }
    const std::string key = keyOf(tenant, name, secret);
    const auto known = others.find(key);
    if (known != others.end()) {
        return known->second;
    }
    if (others.size() + 1 >= environment.maxDatabases && !makeRoom()) {
        return Error{Code::full, "this node has " + std::to_string(environment.maxDatabases) + " databases open already"};
    }
    const Result<std::string> password = passwordFor(tenant, secret);
    if (!password) {
        return password.error();
    }
    auto made = std::make_shared<HistoryDatabase>(loop, urlOf(tenant, name), *password, environment.syslog, turn);
    return others.emplace(key, std::move(made)).first->second;
}

bool HistoryMoves::isFile(const std::string& name) const
{
    return history::isSqlite(name.empty() ? environment.ownUrl : name);
}

// Of where it is now: it may have been opened before that could be read.
void HistoryMoves::refreshPassword(const std::string& tenant)
{
    const Place place = placeOf(tenant);
    const Result<std::string> password = passwordFor(tenant, place.secret);
    const Result<Database> database = at(tenant, place.name, place.secret);
    if (!place.secret.empty() && password && database) {
        (*database)->setPassword(*password);
    }
}

// One that no tenant's history is in, or goes to, and that no step under way goes on with.
bool HistoryMoves::makeRoom()
{
    std::set<std::string> named;
    for (const auto& [tenant, mover] : movers) {
        named.insert(keyOf(tenant, mover.move.inUse(), placeOf(tenant).secret));
        named.insert(keyOf(tenant, mover.move.wanted(), mover.wanted.secret));
    }
    const auto unused = std::find_if(others.begin(), others.end(), [&named](const auto& entry) {
        return entry.second.use_count() == 1 && !named.contains(entry.first);
    });
    if (unused == others.end()) {
        return false;
    }
    others.erase(unused);
    return true;
}

bool HistoryMoves::holds(const std::string& tenant) const
{
    const auto found = movers.find(tenant);
    return found != movers.end() && found->second.move.holdsWrites();
}

void HistoryMoves::hold(const std::string& tenant, std::function<void()> write)
{
    movers.find(tenant)->second.held.push_back(std::move(write));
}

void HistoryMoves::start(Secrets secrets, News news)
{
    secretOf = std::move(secrets);
    tell = std::move(news);
}

// Where histories are is opened first: a move that finds no room fails, and a tenant that does has no history.
void HistoryMoves::setPlaces(std::map<std::string, WantedPlace> wanted)
{
    for (const auto& [tenant, place] : places) {
        if (wanted.contains(tenant)) {
            refreshPassword(tenant);
        }
    }
    for (const auto& [tenant, place] : wanted) {
        if (hasLane(tenant) || !place.name.empty()) {
            setPlace(tenant, place);
        }
    }
}

// What has to be tried anew is where the place or its password changed, or whether that can be read.
void HistoryMoves::setPlace(const std::string& tenant, const WantedPlace& wanted)
{
    const auto [entry, made] = movers.try_emplace(tenant, placeOf(tenant).name, isFile({}));
    Mover& mover = entry->second;
    const Result<std::string> password = passwordFor(tenant, wanted.secret);
    const std::string problem = password ? std::string() : password.error().message;
    bool changed = made || mover.wanted != wanted || mover.problem != problem;
    if (!problem.empty() && mover.problem != problem) {
        log::warning("history_password_not_readable", {{"tenant", tenant}, {"reason", problem}});
    }
    mover.wanted = wanted;
    mover.problem = problem;
    if (const auto place = places.find(tenant); place != places.end() && place->second.name == wanted.name) {
        place->second.secret = wanted.secret;
    }
    if (password && !wanted.secret.empty()) {
        if (const Result<Database> database = at(tenant, wanted.name, wanted.secret)) {
            changed = (*database)->setPassword(*password) || changed;
        }
    }
    refreshPassword(tenant);
    if (changed) {
        mover.move.want(wanted.name);
    }
    drive(tenant);
}

void HistoryMoves::drive(const std::string& tenant)
{
    Mover& mover = movers.find(tenant)->second;
    const Now now = loop.now();
    mover.move.onTimer(now);
    if (const std::optional<history::MoveStep> step = mover.move.next(now)) {
        carryOut(tenant, *step);
    }
    if (const std::optional<history::MoveNews> news = mover.move.takeNews()) {
        const std::string shown = shownPlace(news->place);
        if (news->failure.empty()) {
            log::info("history_moved", {{"tenant", tenant}, {"database", shown}, {"records", mover.move.copied()}});
        } else {
            log::error("history_not_moved", {{"tenant", tenant}, {"database", shown}, {"reason", news->failure}});
        }
        if (tell) {
            tell(tenant, shown, news->failure, now);
        }
    }
    if (!mover.move.holdsWrites()) {
        for (const std::function<void()>& write : std::exchange(mover.held, {})) {
            write();
        }
    }
    arm();
}

void HistoryMoves::arm()
{
    Instant next = never;
    for (const auto& [tenant, mover] : movers) {
        next = std::min(next, mover.move.nextDeadline());
    }
    if (next == never) {
        timer.cancel();
        return;
    }
    timer.expires_after(std::max<Duration>(next == Instant{} ? Duration{} : next - loop.now().mono, Duration{}));
    timer.async_wait([this](const boost::system::error_code& error) {
        if (error) {
            return;
        }
        for (const std::string& tenant : lanes()) {
            drive(tenant);
        }
        turn();
    });
}

void HistoryMoves::carryOut(const std::string& tenant, const history::MoveStep& step)
{
    const Mover& mover = movers.find(tenant)->second;
    Reply reply = [this, tenant](const Result<MoveReply>& outcome) {
        movers.find(tenant)->second.move.onDone(outcome, loop.now());
        drive(tenant);
    };
    const bool leaves = step.deed == history::MoveDeed::clear;
    const Result<Database> from = at(tenant, step.from, leaves ? std::string() : placeOf(tenant).secret);
    const Result<Database> to = leaves ? from : at(tenant, step.to, mover.wanted.secret);
    if (!from || !to || (!leaves && !mover.problem.empty())) {
        const Error error = !from ? from.error() : !to ? to.error() : Error{Code::unavailable, mover.problem};
        boost::asio::post(loop.context(), [this, reply = std::move(reply), error] {
            reply(error);
            turn();
        });
        return;
    }
    switch (step.deed) {
    case history::MoveDeed::open:
        return open(tenant, **to, step.to, std::move(reply));
    case history::MoveDeed::copyAudit:
        return copyAudit(tenant, **from, *to, step, std::move(reply));
    case history::MoveDeed::copyEvents:
        return copyEvents(tenant, **from, *to, step, std::move(reply));
    case history::MoveDeed::readIds:
        return readIds(tenant, **from, *to, std::move(reply));
    case history::MoveDeed::settle:
        return settle(tenant, {step.to, mover.wanted.secret, mover.ids.base, mover.ids.last, mover.ids.at}, std::move(reply));
    case history::MoveDeed::clear:
        break;
    }
    (*from)->ask<bool>([tenant](history::HistoryStore& store) { return store.drop(tenant, limits::historyClearPage); },
                       [reply = std::move(reply)](const Result<bool>& more) {
                           reply(more ? Result<MoveReply>(MoveReply{0, *more, 0}) : Result<MoveReply>(more.error()));
                       });
}

void HistoryMoves::open(const std::string& tenant, HistoryDatabase& to, const std::string& name, Reply reply)
{
    log::info("history_moving", {{"tenant", tenant}, {"database", shownPlace(name)}});
    to.ask<MoveReply>(
        [folder = !name.empty() && isFile(name), url = to.url()](history::HistoryStore& store) -> Result<MoveReply> {
            if (const Result<void> made = folder ? makeFolderOf(url) : Result<void>{}; !made) {
                return made.error();
            }
            const Result<void> opened = store.open();
            return opened ? Result<MoveReply>(MoveReply{}) : opened.error();
        },
        std::move(reply));
}

// From a server that nodes share into files of their own, each takes its own trail; else all there is of the tenant.
void HistoryMoves::copyAudit(const std::string& tenant, HistoryDatabase& from, const Database& to, const history::MoveStep& step, Reply reply)
{
    const bool apart = !isFile(step.from) && isFile(step.to);
    const std::string node = apart ? environment.node : std::string();
    from.ask<history::AuditPage>(
        [tenant, node, after = step.after](history::HistoryStore& store) {
            return store.exportAudit(tenant, node, after, limits::historyMovePage);
        },
        [to, after = step.after, reply = std::move(reply)](Result<history::AuditPage> read) mutable {
            if (!read) {
                return reply(read.error());
            }
            const MoveReply done{read->records.empty() ? after : read->records.back().id, read->more, read->records.size()};
            const auto page = std::make_shared<const history::AuditPage>(std::move(*read));
            to->ask<std::uint64_t>([page](history::HistoryStore& store) { return store.importAudit(*page); },
                                   [done, reply = std::move(reply)](const Result<std::uint64_t>& stored) {
                                       reply(stored ? Result<MoveReply>(done) : Result<MoveReply>(stored.error()));
                                   });
        });
}

void HistoryMoves::copyEvents(const std::string& tenant, HistoryDatabase& from, const Database& to, const history::MoveStep& step, Reply reply)
{
    from.ask<history::EventExport>(
        [tenant, after = step.after](history::HistoryStore& store) {
            return store.exportEvents(tenant, after, limits::historyMovePage, limits::historyMovePageBytes);
        },
        [to, reply = std::move(reply)](Result<history::EventExport> read) mutable {
            if (!read) {
                return reply(read.error());
            }
            const MoveReply done{read->page.end, read->page.more, read->page.records.size()};
            const auto page = std::make_shared<const history::EventExport>(std::move(*read));
            to->ask<bool>(
                [page](history::HistoryStore& store) -> Result<bool> {
                    const Result<void> stored = store.importEvents(*page);
                    return stored ? Result<bool>(true) : stored.error();
                },
                [done, reply = std::move(reply)](const Result<bool>& stored) {
                    reply(stored ? Result<MoveReply>(done) : Result<MoveReply>(stored.error()));
                });
        });
}

// Writes are held, so that nothing of the tenant comes behind what is read here.
void HistoryMoves::readIds(const std::string& tenant, HistoryDatabase& from, const Database& to, Reply reply)
{
    from.ask<history::EventIds>(
        [tenant](history::HistoryStore& store) { return store.eventIds(tenant); },
        [this, tenant, to, reply = std::move(reply)](const Result<history::EventIds>& seen) {
            if (!seen) {
                return reply(seen.error());
            }
            to->ask<history::EventLanding>([tenant, seen = *seen](history::HistoryStore& store) { return store.landing(tenant, seen); },
                                           [this, tenant, seen = *seen, reply](const Result<history::EventLanding>& landing) {
                                               if (!landing) {
                                                   return reply(landing.error());
                                               }
                                               noteIds(tenant, seen, *landing);
                                               reply(MoveReply{});
                                           });
        });
}

void HistoryMoves::noteIds(const std::string& tenant, const history::EventIds& seen, const history::EventLanding& landing)
{
    const Place old = placeOf(tenant);
    Mover& mover = movers.find(tenant)->second;
    mover.ids = history::placeAfter(old, {}, seen.greatest + old.base, seen.last == 0 ? 0 : seen.last + old.base, landing.at);
    mover.events.clear();
    for (const auto& [key, id] : landing.recent) {
        mover.events.push_back({key.id + old.base, id});
    }
}

// One after the other: each writes the file with all of them.
void HistoryMoves::settle(const std::string& tenant, const Place& place, Reply reply)
{
    if (std::exchange(settling, true)) {
        settleNext.push_back([this, tenant, place, reply = std::move(reply)] { settle(tenant, place, reply); });
        return;
    }
    writePlace(tenant, place, [this, reply = std::move(reply)](const Result<MoveReply>& outcome) {
        settling = false;
        reply(outcome);
        if (!settling && !settleNext.empty()) {
            const std::function<void()> next = std::move(settleNext.front());
            settleNext.pop_front();
            next();
        }
    });
}

void HistoryMoves::writePlace(const std::string& tenant, const Place& place, Reply reply)
{
    history::Places all = places;
    all[tenant] = place;
    const auto written = std::make_shared<Result<void>>(Error{Code::unavailable, "this node ends"});
    const std::function<void()> ended = [this, tenant, place, written, reply = std::move(reply)] {
        if (*written) {
            Mover& mover = movers.find(tenant)->second;
            places[tenant] = place;
            if (mover.wanted.name == place.name) {  // its secret may have been renamed meanwhile
                places[tenant].secret = mover.wanted.secret;
            }
            recent[tenant] = std::move(mover.events);
        }
        reply(*written ? Result<MoveReply>(MoveReply{}) : Result<MoveReply>(written->error()));
        turn();
    };
    const auto write = [this, written, before = history::placesText(places), after = history::placesText(all)] {
        *written = replacePlaces(environment, before, after);
    };
    if (!disk.submit(write, ended)) {
        boost::asio::post(loop.context(), ended);
    }
}

std::vector<PlaceStatus> HistoryMoves::statuses() const
{
    std::vector<PlaceStatus> out;
    for (const auto& [tenant, mover] : movers) {
        const history::HistoryMove& move = mover.move;
        out.push_back({tenant, shownPlace(move.wanted()), shownPlace(move.inUse()), history::phaseName(move.phase()), move.failure(),
                       move.copied(), move.failures(), move.moves()});
    }
    return out;
}

}  // namespace mesh::aggregator
