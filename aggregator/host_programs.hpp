#pragma once

#include "aggregator/core/hosting.hpp"
#include "shoset/host/blocking_worker.hpp"
#include "shoset/host/system_rng.hpp"
#include "shoset/sealing/secret_bytes.hpp"
#include "shoset/zmq/keys.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace mesh::aggregator {

// Runs the mesh-connectord that stands beside our own program for each BMC without an agent that this node fronts. Each
// assignment has a folder of its own below STATE/sources, 0700: key, configuration, the BMC's password, sealed, journal and fence. What
// opens the passwords is STATE/sources.key, 0600, made at the first start and known to no other node; the connector reads it. A
// connector ends with us, however we end; one that ends by itself starts again, after limits::hostedRestartInitial, doubled
// each time. One thread: the loop's; files are the worker's.
class HostPrograms final : public HostPort {
public:
    HostPrograms(boost::asio::io_context& loop, host::BlockingWorker& worker, const std::string& stateDirectory);
    // Kills what still runs.
    ~HostPrograms() override;

    // This node's key pair; reads or makes the key for passwords. Before anything else.
    Result<void> open(const shoset::KeyPair& pair);
    // Ends all; `done` runs when the last one is gone, after limits::hostedStop at the latest. Nothing is run any more.
    void stop(std::function<void()> done);
    std::uint64_t restarts() const { return restarted; }

    std::string sealingKey() const override;
    Result<cluster::SealedPassword> seal(std::string_view password, const cluster::Source& source, const cluster::Node& node) override;
    Result<cluster::SealedPassword> reseal(const cluster::SealedPassword& box, const cluster::Source& source,
                                           const cluster::Node& node) override;
    void prepare(const HostedConnector& connector, Prepared done) override;
    void run(const Hosted& hosted) override;
    void end(const Hosted& hosted) override;
    void keepOnly(const std::set<Hosted>& inForce, cluster::Revision upTo) override;

private:
    struct Child {
        explicit Child(boost::asio::io_context& loop) : ending(loop), timer(loop) {}
        bool wanted = true;
        pid_t running = 0;
        boost::asio::posix::stream_descriptor ending;
        boost::asio::steady_timer timer;  // to start it again, or to kill it
        Duration pause{};
        std::chrono::steady_clock::time_point started{};
    };
    void start(const Hosted& hosted);
    void await(const Hosted& hosted, int pidFd);
    void ended(const Hosted& hosted);
    void restart(const Hosted& hosted, Child& child);
    void sweep();
    std::string folderOf(const Hosted& hosted) const;

    boost::asio::io_context& loop;
    host::BlockingWorker& worker;
    const std::string directory;
    const std::string program;
    const std::string keyFile;
    host::SystemRng rng;
    shoset::KeyPair own;
    sealing::Seed seed;
    std::map<Hosted, std::unique_ptr<Child>> children;
    std::set<Hosted> inForce;
    cluster::Revision inForceUpTo = 0;
    std::function<void()> whenStopped;
    std::uint64_t restarted = 0;
};

}  // namespace mesh::aggregator
