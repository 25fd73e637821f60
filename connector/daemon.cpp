#include "connector/daemon.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"
#include "shoset/host/log.hpp"

#include <boost/asio/post.hpp>

namespace mesh::connector {

using shoset::LinkId;

namespace {

constexpr Duration stopPatience = 1s;     // for what is under way to be answered
constexpr Duration stopLook = 20ms;       // whether it is
constexpr Duration lastWordsTime = 50ms;  // for the byes to leave

}  // namespace

// Ends a turn of the core after each event from the BMC client, as the sockets do after each batch.
class Daemon::BmcTurn final : public BmcEvents {
public:
    explicit BmcTurn(Daemon& owner) : daemon(owner) {}
    void onHead(BmcExchange id, ResponseHead head, bool bodyFollows, Now now) override
    {
        daemon.core.onHead(id, std::move(head), bodyFollows, now);
        daemon.endTurn();
    }
    void onBody(BmcExchange id, std::string_view piece, bool last, Now now) override
    {
        daemon.core.onBody(id, piece, last, now);
        daemon.endTurn();
    }
    void onBodySent(BmcExchange id, std::size_t bytes, Now now) override
    {
        daemon.core.onBodySent(id, bytes, now);
        daemon.endTurn();
    }
    void onFailure(BmcExchange id, Error error, Now now) override
    {
        log::warning("bmc_failed", {{"code", codeName(error.code)}, {"reason", error.message}});
        daemon.core.onFailure(id, std::move(error), now);
        daemon.endTurn();
    }

private:
    Daemon& daemon;
};

Daemon::Daemon(host::Loop& ownLoop, Config given, shoset::Context zmq, std::string state, host::Notify systemd)
    : loop(ownLoop), config(std::move(given)), stateDirectory(std::move(state)), notify(std::move(systemd)),
      worker(loop.context()), context(std::move(zmq)),
      journal(stateDirectory + "/" + config.name + ".journal", worker,
              [this](std::uint64_t token, Result<void> result) {
                  core.onPersisted(token, std::move(result), loop.now());
                  endTurn();
              }),
      files(stateDirectory, config.name, worker, loop.context(),
            [this](StateFile file, Result<void> result) {
                if (!result) {
                    log::warning("not_saved", {{"file", files.path(file)}, {"reason", result.error().message}});
                }
                core.onSaved(file, std::move(result), loop.now());
                endTurn();
            }),
      outbox(stateDirectory, config.name, worker, loop.context(),
             [this](Result<void> result) {
                 if (!result && !outboxFailing) {
                     log::error("outbox_not_written", {{"reason", result.error().message}});
                 }
                 outboxFailing = !result;
                 core.onOutboxWritten(std::move(result), loop.now());
                 endTurn();
             }),
      keys(config.keyFile, canChangeFilesBeside(config.keyFile), stateDirectory, config.name, worker, loop.context(),
           [this](Result<std::string> done) {
               if (!done) {
                   log::error("key_not_changed", {{"reason", done.error().message}});
               }
               core.onKeyStep(done, loop.now());
               endTurn();
           }),
      bmcTurn(std::make_unique<BmcTurn>(*this)),
      bmc(loop.context(), config.target, *bmcTurn, [this] { return loop.now(); }),
      core(config.settings, *this, bmc, journal, files, rng),
      turns(loop, {[this] { flush(); }, [this] { return core.nextDeadline(); }, [this] { core.onTimer(loop.now()); }}),
      watchdog(loop, notify), stopTimer(loop.context())
{
}

Daemon::~Daemon()
{
    worker.stop();
}

Result<void> Daemon::start()
{
    if (Result<void> loaded = loadKeys(); !loaded) {
        return loaded;
    }
    if (Result<void> loaded = loadState(); !loaded) {
        return loaded;
    }
    if (Result<void> loaded = loadOutbox(); !loaded) {
        return loaded;
    }
    if (Result<void> ready = bmc.configure(); !ready) {
        return ready.error();
    }
    if (Result<void> open = openWorkerSocket(); !open) {
        return open;
    }
    core.start(loop.now());
    if (!dialFailure && !core.knowsList()) {
        return dialFailure;
    }
    endTurn();
    notify.ready();
    watchdog.start();
    return {};
}

Result<void> Daemon::openWorkerSocket()
{
    if (config.workerSocket.empty()) {
        return {};
    }
    WorkerSocketHandlers handlers;
    handlers.onMessage = [this](WorkerId id, const LocalPeer& peer, std::string_view frame) {
        core.onWorkerMessage(id, peer, frame, loop.now());
    };
    handlers.onGone = [this](WorkerId id) { core.onWorkerGone(id, loop.now()); };
    handlers.onBatchEnd = [this] { endTurn(); };
    handlers.isBusy = [this] { return core.attachedWorkers().busy() > 0; };
    Result<std::unique_ptr<WorkerSocket>> opened =
        WorkerSocket::open(context, loop.context(), config.workerSocket, config.settings.workers, std::move(handlers));
    if (!opened) {
        return opened.error();
    }
    workers = std::move(*opened);
    log::info("workers", {{"socket", config.workerSocket}});
    return {};
}

Code Daemon::sendToWorker(WorkerId id, std::string word)
{
    return workers ? workers->send(id, std::move(word)) : Code::notSent;
}

Result<void> Daemon::loadKeys()
{
    const Result<KeysOnDisk> found = keys.load();
    if (!found) {
        return found.error();
    }
    core.loadKeys(*found);
    return {};
}

Result<void> Daemon::loadState()
{
    Result<std::string> begun = journal.open();
    if (!begun) {
        return begun.error();
    }
    if (Result<void> loaded = core.loadJournal(*begun); !loaded) {
        return Error{loaded.error().code, "the journal in " + stateDirectory + " is damaged at " + loaded.error().message +
                                              "; move it away to start without memory of begun commands"};
    }
    const Result<std::string> fence = files.load(StateFile::fence);
    if (!fence) {
        return fence.error();
    }
    if (Result<void> loaded = core.loadFence(*fence); !loaded) {
        return Error{loaded.error().code, files.path(StateFile::fence) + " is damaged: " + loaded.error().message +
                                              "; remove it to obey any primary again"};
    }
    Result<std::string> keysForSecrets = loadSecretFile();
    if (!keysForSecrets) {
        return keysForSecrets.error();
    }
    const Result<void> read = core.loadSecrets(*keysForSecrets);
    sealing::wipe(*keysForSecrets);
    if (!read) {
        return Error{read.error().code, files.path(StateFile::secrets) + " is damaged: " + read.error().message +
                                              "; remove it, and grant this connector its secrets anew"};
    }
    const Result<std::string> told = files.load(StateFile::aggregators);
    if (const Result<void> loaded = told ? core.loadAggregators(*told) : Result<void>(told.error()); !loaded) {
        log::warning("aggregators_unreadable", {{"file", files.path(StateFile::aggregators)},
                                                {"reason", loaded.error().message},
                                                {"instead", "those of the configuration"}});
    }
    const Result<std::string> layers = files.load(StateFile::configuration);
    if (const Result<void> loaded = layers ? core.loadConfiguration(*layers) : Result<void>(layers.error()); !loaded) {
        log::warning("configuration_unreadable", {{"file", files.path(StateFile::configuration)},
                                                  {"reason", loaded.error().message},
                                                  {"instead", "what an aggregator tells next"}});
    }
    return {};
}

// What is damaged is told to those who listen, as a gap; commands must not end with it.
Result<void> Daemon::loadOutbox()
{
    const Result<std::vector<shoset::Outbox::Segment>> found = outbox.load();
    if (!found) {
        return found.error();
    }
    if (const Result<void> loaded = core.loadOutbox(*found, loop.now()); !loaded) {
        log::error("outbox_damaged", {{"file", outbox.path(found->empty() ? 0 : found->front().number)},
                                      {"lost", loaded.error().message}});
    }
    const shoset::Outbox& events = core.eventOutbox();
    if (!found->empty()) {
        log::info("outbox", {{"events", events.size()}, {"bytes", events.bytes()}, {"epoch", events.epoch()},
                             {"last", events.last()}, {"torn_bytes", events.counters().tornBytes}});
    }
    return {};
}

void Daemon::writeOutbox(std::uint64_t segment, std::string bytes, bool fresh)
{
    outbox.writeOutbox(segment, std::move(bytes), fresh);
}

void Daemon::removeOutbox(std::uint64_t segment)
{
    outbox.removeOutbox(segment);
}

// Events that are refused, and now and then how it stands with those that wait.
void Daemon::logEvents()
{
    const Now now = loop.now();
    const shoset::Outbox& events = core.eventOutbox();
    const shoset::OutboxCounters& seen = events.counters();
    const std::uint64_t refused = seen.refusedFull + seen.refusedTopicFull + seen.refusedBudget + seen.notStored;
    if (refused != lastRefused && now.mono >= refusalsLoggedAt + limits::refusalReportInterval) {
        log::warning("events_refused", {{"full", seen.refusedFull}, {"topic_full", seen.refusedTopicFull},
                                        {"write_budget", seen.refusedBudget}, {"not_stored", seen.notStored}});
        lastRefused = refused;
        refusalsLoggedAt = now.mono;
    }
    if (events.size() > 0 && now.mono >= outboxLoggedAt + limits::outboxReport) {
        log::info("outbox", {{"events", events.size()}, {"bytes", events.bytes()}, {"oldest_s", toMillis(events.age(now)) / 1000},
                             {"accepted", seen.accepted}, {"stored", seen.trimmed}, {"lost", seen.lostByAge + seen.lostByDamage},
                             {"written_bytes", seen.bytesWritten}, {"syncs", seen.writes}, {"sent", core.eventSender().counters().sent},
                             {"resent", core.eventSender().counters().resent}});
        outboxLoggedAt = now.mono;
    }
}

shoset::DialerHandlers Daemon::handlersOf(LinkId link)
{
    shoset::DialerHandlers handlers;
    handlers.onMessage = [this, link](std::string_view frame) { core.onFrame(link, frame, loop.now()); };
    handlers.onBatchEnd = [this] { endTurn(); };
    handlers.onConnected = [this, link] {
        core.onConnected(link, loop.now());
        endTurn();
    };
    handlers.onDisconnected = [this, link] { disconnected(link); };
    handlers.onHandshakeFailed = [this, link](const std::string& reason) {
        logLink(link, "handshake_failed", reason);
        core.onRefused(link, loop.now());
        endTurn();
    };
    return handlers;
}

void Daemon::dial(LinkId link, const shoset::AggregatorAddress& address, const std::string& key)
{
    Way& way = ways[link];
    way.aggregator = address.name;
    const shoset::KeyPair* own = keys.find(key);
    if (own == nullptr) {
        return logLink(link, "not_dialled", "the key file with " + key + " is gone");
    }
    Result<std::unique_ptr<shoset::MeshDialer>> dialer =
        shoset::MeshDialer::connect(context, loop.context(), {address.endpoint, address.key, *own}, handlersOf(link));
    if (dialer) {
        log::info("dialling", {{"aggregator", address.name}, {"endpoint", address.endpoint}});
        way.dialer = std::move(*dialer);
        return;
    }
    logLink(link, "not_dialled", dialer.error().message);
    if (dialFailure) {
        dialFailure = Error{dialer.error().code, "aggregator " + address.name + ": " + dialer.error().message};
    }
}

void Daemon::makeKey(std::string note)
{
    log::info("key_wanted", {});
    keys.make(std::move(note));
}

void Daemon::adoptKey()
{
    log::info("key_changed", {});
    keys.adopt();
}

void Daemon::dropKey()
{
    log::info("key_change_cancelled", {});
    keys.drop();
}

// Its handlers may be what runs now, and a bye may be on its way out.
void Daemon::hangUp(LinkId link)
{
    Way& way = ways.at(link);
    log::info("hung_up", {{"aggregator", way.aggregator}});
    way.farewell = std::make_unique<boost::asio::steady_timer>(loop.context(), limits::farewellTime);
    way.farewell->async_wait([this, link](const boost::system::error_code& error) {
        if (!error) {
            ways.erase(link);
        }
    });
}

void Daemon::disconnected(LinkId link)
{
    core.onDisconnected(link, loop.now());
    resetLink(link);
    endTurn();
}

void Daemon::sendFrame(LinkId link, std::string frame)
{
    const Way& way = ways.at(link);
    if (way.dialer && way.dialer->send(std::move(frame)) != Code::ok) {
        ++framesDropped;
        logLink(link, "frame_dropped", "the queue to the aggregator is full; starting over");
        boost::asio::post(loop.context(), [this, link] { disconnected(link); });
    }
}

// One that was hung up is not dialled anew.
void Daemon::resetLink(LinkId link)
{
    const auto found = ways.find(link);
    if (found != ways.end() && found->second.dialer && !found->second.farewell) {
        found->second.dialer->reset();
    }
}

void Daemon::logLink(LinkId link, const char* event, const std::string& reason)
{
    log::warning(event, {{"aggregator", ways.at(link).aggregator}, {"reason", reason}});
}

void Daemon::flush()
{
    core.flush();
    if (const std::size_t up = core.linksUp(); up != lastLinksUp) {
        log::info("links", {{"up", up}, {"of", core.linksDialled()}});
        lastLinksUp = up;
    }
    logSecrets();
    if (const std::size_t attached = core.attachedWorkers().attached(); attached != lastAttached) {
        const WorkerCounters& seen = core.attachedWorkers().counters();
        log::info("workers", {{"attached", attached}, {"ended", seen.gone}, {"refused", seen.refused}});
        lastAttached = attached;
    }
    logEvents();
}

// Refused where others can read it.
Result<std::string> Daemon::loadSecretFile() const
{
    Result<std::string> content = host::readSecretFile(files.path(StateFile::secrets), limits::maxSmallStateBytes);
    return !content && content.error().code == Code::notFound ? Result<std::string>(std::string()) : content;
}

void Daemon::logSecrets()
{
    const Secrets& secrets = core.namedSecrets();
    if (const std::string& key = secrets.announcedKey(); key != lastSealingKey) {
        log::info("sealing_key", {{"key", sealing::toBase64(key)}, {"instead", sealing::toBase64(lastSealingKey)}});
        lastSealingKey = key;
    }
    const SecretUse& use = secrets.counters();
    if (use.failed != lastSecretsFailed) {  // those that are given would fill the log of a worker that asks each time
        log::warning("secret_not_given", {{"not_given", use.failed}, {"of_an_older_version", use.older}, {"given", use.given}});
        lastSecretsFailed = use.failed;
    }
    if (use.resealed != lastResealed) {
        log::info("secrets_resealed", {{"count", use.resealed}, {"keys", secrets.keys()}});
        lastResealed = use.resealed;
    }
}

void Daemon::stop()
{
    if (stopping) {
        return;
    }
    stopping = true;
    log::info("stopping", {});
    notify.stopping();
    stopBy = loop.now().mono + stopPatience;
    bmc.stop([this] { checkStopped(); });
}

// What the BMC was not given has failed by now, or does when the journal has it; who asked may repeat it, if he is told. What workers
// do is not waited for.
void Daemon::checkStopped()
{
    if (core.running() > core.attachedWorkers().busy() && loop.now().mono < stopBy) {
        stopTimer.expires_after(stopLook);
        stopTimer.async_wait([this](const boost::system::error_code&) { checkStopped(); });
        return;
    }
    turns.stop();
    core.bye("stopping", loop.now());
    stopTimer.expires_after(lastWordsTime);
    stopTimer.async_wait([this](const boost::system::error_code&) { loop.stop(); });
}

}  // namespace mesh::connector
