#include "connector/journal_file.hpp"

#include "connector/append_file.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"
#include "shoset/host/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

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
    Result<std::string> content = host::readFile(path, limits::maxJournalBytes);
    if (content) {
        if (const Result<void> cut = cutTornLine(*content); !cut) {
            return cut.error();
        }
    }
    return content;
}

Result<void> JournalFile::cutTornLine(std::string& content) const
{
    const std::size_t whole = content.rfind('\n') + 1;  // 0 if there is none
    if (whole < content.size() && ::ftruncate(descriptor, static_cast<off_t>(whole)) != 0) {
        return systemError(path);
    }
    content.resize(whole);
    return {};
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
        [this, result, lines = std::move(lines)] { *result = append(lines); },
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

Result<void> JournalFile::append(std::string_view lines)
{
    const Result<void> named = syncName();
    return named ? appendAndSync(descriptor, path, lines) : named;
}

// Until then a power loss may bring back what had the name before, or nothing.
Result<void> JournalFile::syncName()
{
    if (nameSynced) {
        return {};
    }
    Result<void> synced = host::syncDirectoryOf(path);
    nameSynced = synced.ok();
    return synced;
}

void JournalFile::rewrite(std::string content)
{
    auto result = std::make_shared<Result<void>>();
    const bool taken = worker.submit([this, result, content = std::move(content)] { *result = replace(content); },
                                     [this, result] { onReplaced(*result); });
    if (!taken) {
        onReplaced(Error{Code::full, "too much waits for the disk"});
    }
}

// The new file is open before it gets the name: nothing can be appended to one that has no name any more.
Result<void> JournalFile::replace(std::string_view content)
{
    const std::string fresh = path + ".new";
    ::unlink(fresh.c_str());  // a crash may have left one
    const int made = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (made < 0) {
        return systemError(fresh);
    }
    Result<void> done = appendAndSync(made, fresh, content);
    if (done && ::rename(fresh.c_str(), path.c_str()) != 0) {
        done = systemError(path);
    }
    if (!done) {
        ::close(made);
        ::unlink(fresh.c_str());
        return done;
    }
    ::close(std::exchange(descriptor, made));
    nameSynced = false;
    return syncName();
}

void JournalFile::onReplaced(const Result<void>& result)
{
    if (!result && !replacingFails) {
        log::error("journal_not_compacted", {{"reason", result.error().message}, {"instead", "it goes on growing"}});
    }
    replacingFails = !result;
    if (!result) {
        persisted(0, result);
    }
}

}  // namespace mesh::connector
