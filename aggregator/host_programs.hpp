#pragma once

#include "aggregator/core/hosting.hpp"
#include "shoset/host/blocking_worker.hpp"
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
// assignment has a folder of its own below STATE/sources, 0700: key, configuration, the BMC's password, journal and fence. A
// connector ends with us, however we end; one that ends by itself starts again, after limits::hostedRestartInitial, doubled
// each time. One thread: the loop's; files are the worker's.
class HostPrograms final : public HostPort {
public:
    HostPrograms(boost::asio::io_context& loop, host::BlockingWorker& worker, const std::string& stateDirectory);
    // Kills what still runs.
    ~HostPrograms() override;

    // This node's key pair; before anything else.
    void setKeys(const shoset::KeyPair& pair) { own = pair; }
    // Ends all; `done` runs when the last one is gone, after limits::hostedStop at the latest. Nothing is run any more.
    void stop(std::function<void()> done);
    std::uint64_t restarts() const { return restarted; }

    Result<std::string> seal(const std::string& password, const std::string& key) override;
    Result<std::string> reseal(const std::string& box, const std::string& key) override;
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
    shoset::KeyPair own;
    std::map<Hosted, std::unique_ptr<Child>> children;
    std::set<Hosted> inForce;
    cluster::Revision inForceUpTo = 0;
    std::function<void()> whenStopped;
    std::uint64_t restarted = 0;
};

}  // namespace mesh::aggregator
