#pragma once

#include "connector/core/executor.hpp"
#include "shoset/host/blocking_worker.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::connector {

// The journal's file: appends are synced on the worker thread, all that waits in one sync. Loop thread. Whatever fails, what was
// persisted stays in the file of this name, and what follows is appended to that.
class JournalFile final : public JournalPort {
public:
    using Persisted = std::function<void(std::uint64_t token, Result<void> result)>;

    JournalFile(std::string path, host::BlockingWorker& worker, Persisted persisted);
    ~JournalFile() override;

    // Opens (mode 0600) and returns the content. A last line that a power loss tore is cut off, for which a full disk has room.
    // An error names the path.
    Result<std::string> open();

    void persist(std::uint64_t token, std::string lines) override;
    void rewrite(std::string content) override;

private:
    void startBatch();
    Result<void> cutTornLine(std::string& content) const;
    Result<void> append(std::string_view lines);
    Result<void> syncName();
    Result<void> replace(std::string_view content);
    void onReplaced(const Result<void>& result);

    const std::string path;
    host::BlockingWorker& worker;
    const Persisted persisted;
    int descriptor = -1;      // of the worker thread, once it is open
    bool nameSynced = false;  // the same
    std::string waitingLines;
    std::vector<std::uint64_t> waitingTokens;
    bool writing = false;
    bool replacingFails = false;
};

}  // namespace mesh::connector
