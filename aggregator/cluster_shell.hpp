#pragma once

#include "aggregator/core/cluster_keeper.hpp"
#include "aggregator/setup/cluster_home.hpp"
#include "aggregator/setup/config.hpp"
#include "aggregator/setup/member_file.hpp"
#include "cluster/raft/raft_engine.hpp"
#include "shoset/host/blocking_worker.hpp"
#include "shoset/host/loop.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

// The consensus engine of this node with what belongs to it on disk: member.json, the log, and the file of a node from
// before there was a cluster. One thread: the loop's.
class ClusterShell final : public MembershipPort {
public:
    struct Environment {
        std::function<void(const std::string& node, const std::string& message)> send;  // it may be lost
        std::function<void()> turn;  // after each event of the engine
        std::function<void(const std::string& node, std::string_view report)> report;  // what another node says of itself
    };

    ClusterShell(host::Loop& loop, host::BlockingWorker& worker, const Config& config, const std::string& stateDirectory,
                 Rng& rng);
    ~ClusterShell() override;

    // Blocks on the disk. Founds a cluster at the first start. The error is for the operator.
    Result<void> open(const std::string& publicKey, Environment environment);
    cluster::StateEngine& engine() { return *raft; }
    const cluster::StateEngine& engine() const { return *raft; }
    // `facadeUrl`: where clients reach this node, as far as it knows.
    KeeperSettings keeperSettings(const std::string& facadeUrl, const std::string& software) const;

    // The other nodes: as registered or, as long as nobody is, as member.json has them.
    std::vector<PeerAddress> peers() const;
    // The registered nodes have changed: writes member.json anew if need be, and says whether peers() is another list.
    // `recovered`: what a recovery has to do is done.
    bool followState(bool recovered);
    // What keeps this node from being ready, for whoever can act: the others do not listen to it, or that its recovery is over
    // is not on its disk, so that a restart would begin it anew and forget who joined since. Empty: nothing.
    std::string whyNotReady() const;
    std::uint64_t memberFileFailures() const { return file.failures(); }
    // The cluster is founded and its accounts may have changed: the file that they were taken from is put aside; that one
    // is not taken, or missing although there is no account, is told.
    void followAccounts();

    // Blocks on the disk. See loadBrokenGlass().
    WallTime brokenGlass() const { return loadBrokenGlass(directory); }
    void receive(const std::string& node, std::string_view message);
    // What this node says of itself, to another one; it may be lost.
    void tell(const std::string& node, const std::string& report);
    // Hands the primary's part over where another can take it, then closes the log; `done` runs in the end, within a bound.
    void stop(std::function<void()> done);

    void addSpare(std::uint64_t id, const std::string& name, Done done) override;
    void makeVoter(std::uint64_t id, Done done) override;
    void removeMember(std::uint64_t id, Done done) override;
    void transferTo(std::uint64_t id, Done done) override;

private:
    Result<void> openHome(const std::string& publicKey);
    void applyConfigured(ClusterHome& known) const;
    void warnOfStrangers() const;
    Result<void> readInheritance();
    void ignoreAccountsFile(const std::string& reason);
    void putAccountsFileAside();
    void tellOfNoAccount();
    Result<void> openEngine(Environment around);
    Instant deadline() const;
    cluster::FeatureLevel knownLevel() const;
    void tick();
    void refuse(const std::string& node);
    void onRefusal(const std::string& node);

    host::Loop& loop;
    host::BlockingWorker& worker;
    boost::asio::steady_timer ticker;
    bool ticking = false;
    const Config& config;
    const std::string directory;
    Rng& rng;
    ClusterHome home;
    MemberFile file;
    bool recoveryEnded = false;  // in this run
    std::string publicKey;
    std::optional<cluster::State> inherited;
    bool toldOfNoAccount = false;
    std::set<std::string> refused;  // nodes that have lost their data, as far as it was logged
    std::string refusal;            // why the others do not listen to this node
    std::function<void(const std::string& node, const std::string& message)> toNode;
    std::function<void(const std::string& node, std::string_view report)> onReport;
    std::unique_ptr<cluster::RaftEngine> raft;
};

}  // namespace mesh::aggregator
