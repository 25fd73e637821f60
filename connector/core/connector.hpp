#pragma once

#include "connector/core/asks.hpp"
#include "connector/core/configuration.hpp"
#include "connector/core/contacts.hpp"
#include "connector/core/emissions.hpp"
#include "connector/core/event_sender.hpp"
#include "connector/core/executor.hpp"
#include "connector/core/key_rotation.hpp"
#include "connector/core/member_watch.hpp"
#include "connector/core/secrets.hpp"
#include "connector/core/subscriptions.hpp"
#include "connector/core/workers.hpp"
#include "shoset/core/link.hpp"
#include "shoset/core/outbox.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mesh::connector {

struct ConnectorSettings {
    std::string name;                   // logical name
    std::vector<std::string> ownHosts;  // host[:port] of the target and its aliases
    LocalPolicy policy;
    std::vector<shoset::AggregatorAddress> aggregators;  // as configured
    std::uint64_t assignment = 0;       // of the node that runs it for a BMC without an agent; 0: this is the BMC's agent
    WorkerRules workers = {};           // none: no worker may attach
    std::vector<std::string> operators = {};  // whose secrets are taken: their signing keys, raw; none: no secrets
    shoset::OutboxSettings outbox = {};
    std::string tenant = {};  // whose secrets are taken; empty: see SecretSettings
};

struct ConnectorCounters {
    std::uint64_t malformed = 0, notForUs = 0, announceTooLong = 0, listsTaken = 0, listsOlder = 0, listsMalformed = 0,
                  listsForeign = 0, listsNotSaved = 0, keysForeign = 0, keysOlder = 0, keyStepsFailed = 0, eventsForeign = 0,
                  configurationsTaken = 0, configurationsOlder = 0, configurationsMalformed = 0, configurationsForeign = 0,
                  configurationsNotSaved = 0;
};

// What the connector asks of its shell, beside its BMC and its files. Never calls back from inside a call.
class ConnectorPort : public shoset::FramePort, public WorkerPort, public shoset::OutboxPort {
public:
    // Dials until hangUp. The connection is pinned to the address's key. `key`: our own to dial with, by its public half;
    // empty where loadKeys() was not called: the only one there is.
    virtual void dial(shoset::LinkId link, const shoset::AggregatorAddress& address, const std::string& key) = 0;
    // For good; what was sent before has limits::farewellTime to leave.
    virtual void hangUp(shoset::LinkId link) = 0;

    // The key files; ordered after loadKeys() only, one at a time. Answered with Connector::onKeyStep() when the disk has it.
    // Makes a next key beside the current one, after `note`. The answer is its public half.
    virtual void makeKey(std::string) {}
    // The next key takes the current one's place, in one step.
    virtual void adoptKey() {}
    virtual void dropKey() {}

    // Where there is a socket for workers.
    Code sendToWorker(WorkerId, std::string) override { return Code::notSent; }

    // The outbox's files; ordered after loadOutbox() only.
    void writeOutbox(std::uint64_t, std::string, bool) override {}
    void removeOutbox(std::uint64_t) override {}
};

// The connector's logic: a link to every aggregator, the executor of commands, the watch of members. The shell gives it
// frames, BMC answers, acknowledgements of the disk and time, and after each batch calls flush().
class Connector final : public shoset::LinkEvents,
                        public BmcEvents,
                        private ExecutorHost,
                        private WatchEvents,
                        private WorkerEvents,
                        private SecretHost,
                        private EventLinks,
                        private SubscriptionHost,
                        private AskPort {
public:
    Connector(ConnectorSettings settings, ConnectorPort& shell, BmcPort& bmc, JournalPort& journal, StatePort& state, Rng& rng);
    ~Connector() override;

    Result<void> loadJournal(std::string_view content) { return executor.loadJournal(content); }
    Result<void> loadFence(std::string_view content) { return executor.loadFence(content); }
    // An error leaves the configured aggregators to be dialled.
    Result<void> loadAggregators(std::string_view content) { return contacts.load(content); }
    Result<void> loadSecrets(std::string_view content) { return secrets.load(content); }
    // Without it there are no events. An error says what is damaged; the outbox goes on with what is left.
    Result<void> loadOutbox(const std::vector<shoset::Outbox::Segment>& files, Now now);
    // An error leaves it unconfigured until an aggregator tells it.
    Result<void> loadConfiguration(std::string_view content);
    // What can be dialled with. Without it the key is for life.
    void loadKeys(const KeysOnDisk& keys);
    void start(Now now);

    void onConnected(shoset::LinkId link, Now now);
    void onDisconnected(shoset::LinkId link, Now now);
    void onFrame(shoset::LinkId link, std::string_view frame, Now now);
    void onPersisted(std::uint64_t token, Result<void> result, Now now) { executor.onPersisted(token, std::move(result), now); }
    void onSaved(StateFile file, Result<void> result, Now now);
    void onKeyStep(const Result<std::string>& done, Now now);
    void onOutboxWritten(Result<void> result, Now now);
    // The handshake failed, maybe because the key is dead, or not known there yet.
    void onRefused(shoset::LinkId link, Now now);
    void onWorkerMessage(WorkerId id, const LocalPeer& peer, std::string_view frame, Now now);
    // Its connection is no more.
    void onWorkerGone(WorkerId id, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const;
    void flush();
    void bye(const std::string& reason, Now now);

    bool isLinked() const;
    std::size_t linksUp() const;
    // Whether an aggregator has told the list of all, now or before the last start.
    bool knowsList() const { return contacts.hasList(); }
    std::size_t linksDialled() const { return links.size(); }
    std::size_t running() const { return executor.running(); }
    const Workers& attachedWorkers() const { return workers; }
    const Secrets& namedSecrets() const { return secrets; }
    const Asks& workersAsks() const { return asks; }
    const ExecutorCounters& executorCounters() const { return executor.counters(); }
    const ConnectorCounters& counters() const { return count; }
    const shoset::Outbox& eventOutbox() const { return outbox; }
    const EventSender& eventSender() const { return sender; }
    const Emissions& workerEmissions() const { return emissions; }
    const Subscriptions& workerSubscriptions() const { return subscriptions; }

    void onHead(BmcExchange id, ResponseHead head, bool bodyFollows, Now now) override;
    void onBody(BmcExchange id, std::string_view piece, bool last, Now now) override;
    void onBodySent(BmcExchange id, std::size_t bytes, Now now) override;
    void onFailure(BmcExchange id, Error error, Now now) override;

    void onLinkUp(shoset::LinkId link, Now now) override;
    void onLinkDown(shoset::LinkId link, const std::string& reason, Now now) override;
    void onRecord(shoset::LinkId link, const shoset::Record& record, Now now) override;

private:
    std::optional<shoset::LinkId> send(const shoset::Address& origin, shoset::LinkId via, const MessageId& id,
                                       shoset::Content content, std::string_view body, bool last, Now now) override;
    bool hasLinkTo(const shoset::Address& origin) const override;
    void refresh(const std::vector<std::string>& collections, std::uint64_t ticket, Now now) override;
    void onAnnounce(const shoset::Announce& changed, Now now) override;
    void onRefreshed(std::uint64_t ticket, Now now) override;
    void onWorkerReply(WorkerReply reply, Now now) override { executor.onWorkerReply(std::move(reply), now); }
    void onWorkerLost(const MessageId& id, const Error& error, Now now) override { executor.onWorkerLost(id, error, now); }
    void onOffersChanged(Now now) override;
    void onSecretAsked(WorkerId id, WorkerSecretAsk ask, Now now) override { secrets.get(id, std::move(ask), now); }
    std::optional<shoset::Address> askAggregator(const MessageId& id, std::string_view command, const std::string& payload,
                                                 std::span<const shoset::Address> but, Now now) override;
    void answerWorker(WorkerId id, std::string word) override { shell.sendToWorker(id, std::move(word)); }
    void onSealingKey(Now now) override;
    void onWorkerEmit(WorkerId worker, WorkerEmit word, Now now) override;
    void onWorkerSubscribe(WorkerId worker, WorkerSubscribe word, Now now) override { subscriptions.add(worker, std::move(word), now); }
    void onWorkerRefused(WorkerId worker, std::string word, Now now) override { emissions.answer(worker, std::move(word), now); }
    void onWorkerUnsubscribe(WorkerId worker, const WorkerUnsubscribe& word, Now now) override
    {
        subscriptions.remove(worker, word.subscription, now);
    }
    void onWorkerTaken(WorkerId worker, const WorkerTaken& word, Now now) override { subscriptions.onTaken(worker, word, now); }
    bool sendEvent(shoset::LinkId link, const shoset::Event& event, std::string_view payload, Now now) override;
    bool tellAggregator(shoset::LinkId link, shoset::Content content, Now now) override;
    Code tellWorker(WorkerId worker, std::string word) override;
    void onConfigurationAnswered(Now now) override;
    void onWorkerSend(WorkerId id, WorkerSend send, Now now) override { asks.start(id, std::move(send), now); }
    void onWorkerEnded(WorkerId worker, Now now) override;
    std::optional<AskPort::Aggregator> nextAggregator() override;
    std::optional<shoset::LinkId> sendAsk(const shoset::Address& aggregator, const MessageId& id, const shoset::Command& command,
                                          std::string_view payload, Instant deadline, std::optional<shoset::LinkId> avoid,
                                          const std::set<shoset::LinkId>& closed, Now now) override;

    // Whom a link is to, and our key on it.
    struct Contact {
        shoset::AggregatorAddress address;
        std::string key;
        Instant dialledAt{};
        Instant otherKeyAt = never;                  // when to try the other key, after a refusal
        std::optional<shoset::KeyStatus> told = {};  // by it, since it is up
    };
    shoset::Link* find(shoset::LinkId link);
    void settle(Now now);
    void dial(const shoset::AggregatorAddress& address, const std::string& key, Now now);
    void hangUp(shoset::LinkId link, const std::string& reason, Now now);
    void takeKeyStatus(shoset::LinkId id, const shoset::Message& message, Now now);
    void turnKeys(Now now);
    void offerKey(Now now);
    std::string keyFor(shoset::LinkId id, Instant now) const;
    bool isChanging(Instant now) const;
    void changeKey(shoset::LinkId id, const std::string& key, Now now);
    void takeList(const shoset::Link& from, const shoset::Message& message);
    void saveList();
    void judgeContacts(Now now);
    void dialContacts(Now now);
    Instant reserveDeadline() const;
    std::optional<shoset::LinkId> chooseLink(const shoset::Address& origin, shoset::LinkId via) const;
    void announceToAll(const shoset::Announce& said, Now now);
    void announce(const shoset::Link& destination, const shoset::Announce& said, Now now);
    void announceAgain(Now now);
    shoset::Link* wayTo(const shoset::Link& destination, std::uint64_t capability, Now now);
    void tellOffers(const shoset::Link& destination, Now now);
    void pumpEvents(Now now);
    void eventsUp(shoset::LinkId link, Now now);
    void eventsDown(shoset::LinkId link, Now now);
    void noteAggregators();
    void noteBmc(const shoset::Announce& said, Now now);
    bool takeEventRecord(const shoset::Link& link, shoset::LinkId id, const shoset::Message& message, std::string_view body, Now now);
    void takeConfiguration(const shoset::Link& from, const shoset::Message& message, std::string_view body, Now now);
    void saveConfiguration();
    void onConfigurationSaved(const Result<void>& result, Now now);
    void judgeConfiguration(Now now);
    void tellConfigured(const shoset::Link& destination, Now now);
    void tellAllConfigured(Now now);
    void sendAnnounce(shoset::Link& link, const shoset::Address& to, const shoset::Announce& announce, Now now);

    const ConnectorSettings settings;
    shoset::LinkSelf self;
    ConnectorPort& shell;
    StatePort& state;
    shoset::LinkCounters linkCount;
    std::map<shoset::LinkId, std::unique_ptr<shoset::Link>> links;

    Contacts contacts;
    std::map<shoset::LinkId, Contact> dialled;  // one for each link
    shoset::LinkId nextLink = 0;
    bool contactsChanged = false;  // links came or went, or a list: who is to be dialled has to be judged again
    bool reserve = false;          // the configured aggregators are dialled beside the list's
    Instant aloneSince = never;    // while no link is up
    bool listUnsaved = false;
    bool listBeingSaved = false;

    KeyRotation rotation;
    bool nextProved = false;  // some aggregator has taken the next key
    Instant offerAt = never;
    Instant keysLookAt = never;  // the keys of the links have to be judged again

    Emissions emissions;
    shoset::Outbox outbox;
    bool outboxLoaded = false;
    EventSender sender;
    Subscriptions subscriptions;
    bool bmcReachable = true;  // as it was told last in an event

    Secrets secrets;
    Asks asks;
    std::size_t asked = 0;  // aggregators, in turn
    Workers workers;
    Configuration configuration;
    bool configurationUnsaved = false;
    bool configurationBeingSaved = false;
    bool configurationNotStored = false;
    std::uint64_t configuredTold = 0;
    std::uint64_t offersTold = 0;
    Executor executor;
    MemberWatch watch;
    std::uint64_t announced = 0;
    Instant announceAgainAt = never;
    ConnectorCounters count;
};

}  // namespace mesh::connector
