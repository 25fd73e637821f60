#pragma once

#include "aggregator/setup/cluster_home.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/base/time.hpp"
#include "shoset/host/blocking_worker.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace mesh::aggregator {

// member.json of a node that runs: written on the worker, and again until it is. One thread: the loop's.
class MemberFile {
public:
    MemberFile(boost::asio::io_context& context, host::BlockingWorker& worker, std::string directory,
               Duration retry = limits::memberFileRetry);

    // The last one counts. What cannot be written is logged, and tried again after `retry`.
    void save(const ClusterHome& home);
    // The last one is on the disk, or there was none.
    bool isSaved() const { return saved; }
    // Why not, for whoever can act; empty: it is, or is being written for the first time.
    const std::string& problem() const { return reason; }
    std::uint64_t failures() const { return failed; }

private:
    void write();
    void onWritten(const Result<void>& result);

    host::BlockingWorker& worker;
    boost::asio::steady_timer timer;
    const std::string directory;
    const Duration retry;
    ClusterHome latest;
    bool saved = true;
    bool writing = false;
    bool changed = false;  // while one was being written
    std::string reason;
    std::uint64_t failed = 0;
    std::shared_ptr<int> alive = std::make_shared<int>();
};

}  // namespace mesh::aggregator
