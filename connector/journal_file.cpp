#include "connector/journal_file.hpp"

#include "connector/append_file.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mesh::connector {

namespace {

Error systemError(const std::string& path)
{
    return {Code::ioError, path + ": " + std::strerror(errno)};
}

}  // namespace

JournalFile::JournalFile(std::string file, host::BlockingWorker& blocking, Persisted handler)
    : path(std::move(file)), worker(blocking), persisted(std::move(handler))
{
}

JournalFile::~JournalFile()
{
    if (descriptor >= 0) {
        ::close(descriptor);
    }
}

Result<std::string> JournalFile::open()
{
    descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return systemError(path);
    }
    return host::readFile(path, limits::maxJournalBytes);
}

void JournalFile::persist(std::uint64_t token, std::string lines)
{
    waitingLines += lines;
    waitingTokens.push_back(token);
    if (!writing) {
        startBatch();
    }
}

void JournalFile::startBatch()
{
    auto result = std::make_shared<Result<void>>();
    auto tokens = std::make_shared<std::vector<std::uint64_t>>(std::move(waitingTokens));
    std::string lines = std::move(waitingLines);
    waitingTokens.clear();
    waitingLines.clear();
    writing = worker.submit(
        [this, result, lines = std::move(lines)] { *result = appendAndSync(descriptor, path, lines); },
        [this, result, tokens] {
            writing = false;
            for (const std::uint64_t token : *tokens) {
                persisted(token, *result);
            }
            if (!waitingTokens.empty() && !writing) {
                startBatch();
            }
        });
    if (!writing) {
        for (const std::uint64_t token : *tokens) {
            persisted(token, Error{Code::full, "too much waits for the disk"});
        }
    }
}

void JournalFile::rewrite(std::string content)
{
    worker.submit(
        [this, content = std::move(content)] {
            if (!host::writeFileAtomic(path, content, 0600)) {
                return;  // the old file goes on growing; the next compaction tries again
            }
            const int fresh = ::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC);
            if (fresh >= 0) {
                ::dup2(fresh, descriptor);
                ::close(fresh);
            }
        },
        {});
}

}  // namespace mesh::connector
