#pragma once

#include "connector/core/state_port.hpp"
#include "shoset/host/blocking_worker.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <string>

namespace mesh::connector {

// The small files of one connector in its state directory: NAME.fence, NAME.aggregators, NAME.configuration and NAME.secrets, mode
// 0600. Written on the worker thread. Loop thread.
class StateFiles final : public StatePort {
public:
    // Never called from inside save().
    using Saved = std::function<void(StateFile file, Result<void> result)>;

    StateFiles(std::string directory, std::string connector, host::BlockingWorker& worker, boost::asio::io_context& loop,
               Saved saved);

    // The content; empty when it was never saved. tooLarge as in save(). Blocking, for the start.
    Result<std::string> load(StateFile file) const;
    // tooLarge, and what is there stays, beyond limits::maxSmallStateBytes, of the configuration maxConfigurationFileBytes.
    void save(StateFile file, std::string content) override;
    std::string path(StateFile file) const;

private:
    const std::string directory;
    const std::string connector;
    host::BlockingWorker& worker;
    boost::asio::io_context& loop;
    const Saved saved;
};

// The file of the connector of that name.
std::string stateFilePath(const std::string& directory, const std::string& connector, StateFile file);

}  // namespace mesh::connector
