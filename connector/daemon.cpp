#include "connector/daemon.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/host/log.hpp"

#include <boost/asio/post.hpp>

namespace mesh::connector {

using shoset::LinkId;

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
      bmcTurn(std::make_unique<BmcTurn>(*this)),
      bmc(loop.context(), config.target, *bmcTurn, [this] { return loop.now(); }),
      core(config.settings, *this, bmc, journal, rng),
      turns(loop, {[this] { flush(); }, [this] { return core.nextDeadline(); }, [this] { core.onTimer(loop.now()); }}),
      watchdog(loop, notify)
{
}

Daemon::~Daemon()
{
    worker.stop();
}

Result<void> Daemon::start()
{
    Result<shoset::KeyPair> keys = shoset::loadKeyFile(config.keyFile);
    if (!keys) {
        return keys.error();
    }
    Result<std::string> content = journal.open();
    if (!content) {
        return content.error();
    }
    if (Result<void> loaded = core.loadJournal(*content); !loaded) {
        return Error{loaded.error().code, "the journal in " + stateDirectory + " is damaged at " + loaded.error().message +
                                              "; move it away to start without memory of begun commands"};
    }
    if (Result<void> ready = bmc.configure(); !ready) {
        return ready.error();
    }
    if (Result<void> dialled = dial(*keys); !dialled) {
        return dialled.error();
    }
    core.start(loop.now());
    endTurn();
    notify.ready();
    watchdog.start();
    return {};
}

Result<void> Daemon::dial(const shoset::KeyPair& keys)
{
    for (std::size_t i = 0; i < config.aggregators.size(); ++i) {
        const AggregatorAddress& address = config.aggregators[i];
        const auto link = static_cast<LinkId>(i);
        core.addAggregator(link, address.name);
        shoset::DialerHandlers handlers;
        handlers.onMessage = [this, link](std::string_view frame) { core.onFrame(link, frame, loop.now()); };
        handlers.onBatchEnd = [this] { endTurn(); };
        handlers.onConnected = [this, link] {
            core.onConnected(link, loop.now());
            endTurn();
        };
        handlers.onDisconnected = [this, link] {
            core.onDisconnected(link, loop.now());
            dialers[link]->reset();
            endTurn();
        };
        handlers.onHandshakeFailed = [this, link](const std::string& reason) { logLink(link, "handshake_failed", reason); };
        Result<std::unique_ptr<shoset::MeshDialer>> dialer = shoset::MeshDialer::connect(
            context, loop.context(), {address.endpoint, address.key, keys}, std::move(handlers));
        if (!dialer) {
            return Error{dialer.error().code, "aggregator " + address.name + ": " + dialer.error().message};
        }
        dialers.push_back(std::move(*dialer));
    }
    return {};
}

void Daemon::sendFrame(LinkId link, std::string frame)
{
    if (dialers[link]->send(std::move(frame)) != Code::ok) {
        ++framesDropped;
        logLink(link, "frame_dropped", "the queue to the aggregator is full; starting over");
        boost::asio::post(loop.context(), [this, link] {
            core.onDisconnected(link, loop.now());
            dialers[link]->reset();
            endTurn();
        });
    }
}

void Daemon::resetLink(LinkId link)
{
    dialers[link]->reset();
}

void Daemon::logLink(LinkId link, const char* event, const std::string& reason)
{
    log::warning(event, {{"aggregator", config.aggregators[link].name}, {"reason", reason}});
}

void Daemon::flush()
{
    core.flush();
    if (const std::size_t up = core.linksUp(); up != lastLinksUp) {
        log::info("links", {{"up", up}, {"of", dialers.size()}});
        lastLinksUp = up;
    }
}

void Daemon::stop()
{
    if (stopping) {
        return;
    }
    stopping = true;
    notify.stopping();
    turns.stop();
    core.bye("stopping", loop.now());
    bmc.stop([this] { loop.stop(); });
}

}  // namespace mesh::connector
