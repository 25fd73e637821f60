#include "connector/outbox_files.hpp"

#include "connector/append_file.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"

#include <boost/asio/post.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

namespace mesh::connector {

namespace {

constexpr int numberDigits = 16;
constexpr mode_t outboxFileMode = 0600;

std::string digitsOf(std::uint64_t number)
{
    std::string text(numberDigits, '0');
    for (auto digit = text.rbegin(); digit != text.rend(); ++digit, number >>= 4) {
        *digit = "0123456789abcdef"[number & 15U];
    }
    return text;
}

std::optional<std::uint64_t> numberFrom(std::string_view digits)
{
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
    const bool whole = error == std::errc() && end == digits.data() + digits.size() && digits.size() == numberDigits;
    return whole ? std::optional(number) : std::nullopt;
}

}  // namespace

// The one that was appended to last.
struct OutboxFiles::OpenFile {
    OpenFile() = default;
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    ~OpenFile() { close(); }
    void close()
    {
        if (descriptor >= 0) {
            ::close(std::exchange(descriptor, -1));
        }
    }
    Result<void> append(const std::string& path, std::string_view bytes)
    {
        if (descriptor < 0 || openPath != path) {
            close();
            descriptor = ::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC);
            openPath = path;
        }
        if (descriptor < 0) {
            return Error{Code::ioError, path + ": " + std::strerror(errno)};
        }
        return appendAndSync(descriptor, path, bytes);
    }

    int descriptor = -1;
    std::string openPath;
};

OutboxFiles::OutboxFiles(std::string folder, std::string name, host::BlockingWorker& blocking, boost::asio::io_context& context,
                         Written handler)
    : directory(std::move(folder)), connector(std::move(name)), worker(blocking), loop(context), written(std::move(handler)),
      file(std::make_shared<OpenFile>())
{
}

std::string OutboxFiles::path(std::uint64_t segment) const
{
    return directory + "/" + connector + ".outbox-" + digitsOf(segment);
}

Result<std::vector<shoset::Outbox::Segment>> OutboxFiles::load() const
{
    const std::string prefix = connector + ".outbox-";
    std::vector<shoset::Outbox::Segment> found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(prefix)) {
            continue;
        }
        const std::optional<std::uint64_t> number = numberFrom(name.substr(prefix.size()));
        if (!number) {
            std::error_code ignored;
            std::filesystem::remove(entry.path(), ignored);
            continue;
        }
        Result<std::string> content = host::readFile(entry.path().string(), limits::maxOutboxFileBytes);
        if (!content) {
            return content.error();
        }
        found.push_back({*number, std::move(*content)});
    }
    if (error) {
        return Error{Code::ioError, directory + ": " + error.message()};
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
    return found;
}

void OutboxFiles::writeOutbox(std::uint64_t segment, std::string bytes, bool fresh)
{
    auto result = std::make_shared<Result<void>>();
    const bool taken = worker.submit(
        [opened = file, result, where = path(segment), fresh, content = std::move(bytes)] {
            *result = fresh ? host::writeFileAtomic(where, content, outboxFileMode) : opened->append(where, content);
        },
        [this, result] { written(*result); });
    if (!taken) {
        boost::asio::post(loop, [this] { written(Error{Code::full, "too much waits for the disk"}); });
    }
}

// One that stays is found again at the next start, and no harm.
void OutboxFiles::removeOutbox(std::uint64_t segment)
{
    worker.submit(
        [opened = file, where = path(segment)] {
            if (opened->openPath == where) {
                opened->close();
            }
            static_cast<void>(host::removeFile(where));
        },
        {});
}

}  // namespace mesh::connector
