#pragma once

#include "connector/core/executor.hpp"
#include "connector/core/member_watch.hpp"
#include "shoset/core/link.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mesh::connector {

struct ConnectorSettings {
    std::string name;                   // logical name
    std::vector<std::string> ownHosts;  // host[:port] of the target and its aliases
    LocalPolicy policy;
};

struct ConnectorCounters {
    std::uint64_t malformed = 0, notForUs = 0, announceTooLong = 0;
};

// The connector's logic: a link to every aggregator, the executor of commands, the watch of members. The shell gives it
// frames, BMC answers, journal acknowledgements and time, and after each batch calls flush().
class Connector final : public shoset::LinkEvents, public BmcEvents, private ExecutorHost, private WatchEvents {
public:
    Connector(ConnectorSettings settings, shoset::FramePort& frames, BmcPort& bmc, JournalPort& journal, Rng& rng);
    ~Connector() override;

    Result<void> loadJournal(std::string_view content) { return executor.loadJournal(content); }
    // A dialled connection to an aggregator, for the process's life. `name` is whose key the connection is pinned to.
    void addAggregator(shoset::LinkId link, const shoset::Address& name);
    void start(Now now);

    void onConnected(shoset::LinkId link, Now now);
    void onDisconnected(shoset::LinkId link, Now now);
    void onFrame(shoset::LinkId link, std::string_view frame, Now now);
    void onPersisted(std::uint64_t token, Result<void> result, Now now) { executor.onPersisted(token, std::move(result), now); }
    void onTimer(Now now);
    Instant nextDeadline() const;
    void flush();
    void bye(const std::string& reason, Now now);

    bool isLinked() const;
    std::size_t linksUp() const;
    std::size_t running() const { return executor.running(); }
    const ExecutorCounters& executorCounters() const { return executor.counters(); }
    const ConnectorCounters& counters() const { return count; }

    void onHead(BmcExchange id, ResponseHead head, bool bodyFollows, Now now) override;
    void onBody(BmcExchange id, std::string_view piece, bool last, Now now) override;
    void onBodySent(BmcExchange id, std::size_t bytes, Now now) override;
    void onFailure(BmcExchange id, Error error, Now now) override;

    void onLinkUp(shoset::LinkId link, Now now) override;
    void onLinkDown(shoset::LinkId link, const std::string& reason, Now now) override;
    void onRecord(shoset::LinkId link, const shoset::Record& record, Now now) override;

private:
    bool send(const shoset::Address& origin, shoset::LinkId via, const MessageId& id, shoset::Content content,
              std::string_view body, bool last, Now now) override;
    void refresh(const std::vector<std::string>& collections, std::uint64_t ticket, Now now) override;
    void onAnnounce(const shoset::Announce& changed, Now now) override;
    void onRefreshed(std::uint64_t ticket, Now now) override;

    shoset::Link* chooseLink(const shoset::Address& origin, shoset::LinkId via);
    void announceToAll(const shoset::Announce& said, Now now);
    void announce(const shoset::Link& destination, const shoset::Announce& said, Now now);
    void announceAgain(Now now);
    void sendAnnounce(shoset::Link& link, const shoset::Address& to, const shoset::Announce& announce, Now now);

    const ConnectorSettings settings;
    shoset::LinkSelf self;
    shoset::FramePort& frames;
    shoset::LinkCounters linkCount;
    std::map<shoset::LinkId, std::unique_ptr<shoset::Link>> links;
    Executor executor;
    MemberWatch watch;
    std::uint64_t announced = 0;
    Instant announceAgainAt = never;
    ConnectorCounters count;
};

}  // namespace mesh::connector
