#pragma once

#include "shoset/core/outbox.hpp"
#include "shoset/host/blocking_worker.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mesh::connector {

// The outbox's files in the state directory, NAME.outbox-<16 hexadecimal digits>, mode 0600. Written on the worker thread. Loop
// thread.
class OutboxFiles final : public shoset::OutboxPort {
public:
    // Never called from inside writeOutbox().
    using Written = std::function<void(Result<void> result)>;

    OutboxFiles(std::string directory, std::string connector, host::BlockingWorker& worker, boost::asio::io_context& loop,
                Written written);

    // All that are there, by number; what a crash left half made is removed. Blocking, for the start.
    Result<std::vector<shoset::Outbox::Segment>> load() const;
    void writeOutbox(std::uint64_t segment, std::string bytes, bool fresh) override;
    void removeOutbox(std::uint64_t segment) override;
    std::string path(std::uint64_t segment) const;

private:
    struct OpenFile;
    const std::string directory;
    const std::string connector;
    host::BlockingWorker& worker;
    boost::asio::io_context& loop;
    const Written written;
    std::shared_ptr<OpenFile> file;  // of the worker thread
};

}  // namespace mesh::connector
