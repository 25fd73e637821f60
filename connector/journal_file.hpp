#pragma once

#include "connector/core/executor.hpp"
#include "shoset/host/blocking_worker.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mesh::connector {

// The journal's file: appends are synced on the worker thread, all that waits in one sync. Loop thread.
class JournalFile final : public JournalPort {
public:
    using Persisted = std::function<void(std::uint64_t token, Result<void> result)>;

    JournalFile(std::string path, host::BlockingWorker& worker, Persisted persisted);
    ~JournalFile() override;

    // Opens (mode 0600) and returns the content. An error names the path.
    Result<std::string> open();

    void persist(std::uint64_t token, std::string lines) override;
    void rewrite(std::string content) override;

private:
    struct Batch;
    void startBatch();

    const std::string path;
    host::BlockingWorker& worker;
    const Persisted persisted;
    int descriptor = -1;
    std::string waitingLines;
    std::vector<std::uint64_t> waitingTokens;
    bool writing = false;
};

}  // namespace mesh::connector
