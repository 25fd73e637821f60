#include "connector/worker_socket.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/host/log.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

namespace mesh::connector {

namespace {

constexpr const char* workerDomain = "worker";
constexpr int workerHighWaterMark = 2 * limits::maxCommandsAtWorker + limits::maxUnansweredEvents + limits::subscriptionWindow;
constexpr mode_t socketFolderMode = 0750;
constexpr mode_t socketMode = 0660;

Error socketError(const std::string& path, const std::string& why)
{
    return {Code::unavailable, "the workers' socket " + path + ": " + why};
}

// One that is there belongs to whoever made it.
Result<void> makeFolderOf(const std::string& path)
{
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    if (::mkdir(folder.c_str(), socketFolderMode) != 0 && errno != EEXIST) {
        return socketError(path, "its folder cannot be made: " + std::string(std::strerror(errno)));
    }
    return {};
}

void logRefusal(const shoset::ZapRefusal& refusal)
{
    log::warning("worker_refused", {{"peer", refusal.address},
                                    {"count", refusal.count},
                                    {"reason", "its user is not in workers.allow, or cannot be told (PrivateUsers= of the service)"}});
}

}  // namespace

WorkerSocket::WorkerSocket(boost::asio::io_context& loop, WorkerSocketHandlers called) : handlers(std::move(called)), timer(loop) {}

Result<std::unique_ptr<WorkerSocket>> WorkerSocket::open(const shoset::Context& context, boost::asio::io_context& loop,
                                                         const std::string& path, WorkerRules rules,
                                                         WorkerSocketHandlers handlers)
{
    if (Result<void> made = makeFolderOf(path); !made) {
        return made.error();
    }
    std::unique_ptr<WorkerSocket> socket(new WorkerSocket(loop, std::move(handlers)));
    const auto nobody = [](std::string_view, std::string_view, std::string_view) { return std::optional<std::string>(); };
    const auto allowed = [known = std::move(rules)](std::string_view, std::string_view text) -> std::optional<std::string> {
        const std::optional<LocalPeer> peer = parseLocalPeer(text);
        return peer && known.mayAttach(*peer) ? std::optional(std::string(text)) : std::nullopt;
    };
    Result<std::unique_ptr<shoset::Zap>> zap = shoset::Zap::start(context, loop, nobody, logRefusal, allowed);
    if (!zap) {
        return socketError(path, zap.error().message);
    }
    socket->zap = std::move(*zap);
    shoset::ListenerOptions options;
    options.local = true;
    options.domain = workerDomain;
    options.maxFrameBytes = limits::maxWorkerFrameBytes;
    options.highWaterMark = workerHighWaterMark;
    options.maxPeers = 2 * limits::maxWorkers;
    shoset::ListenerHandlers called;
    called.onMessage = [owner = socket.get()](WorkerId id, std::string_view user, std::string_view frame) {
        owner->heard(id, user, frame);
    };
    called.onBatchEnd = [owner = socket.get()] { owner->handlers.onBatchEnd(); };
    called.onPeerGone = [owner = socket.get()](WorkerId id) {
        owner->handlers.onGone(id);
        owner->handlers.onBatchEnd();
    };
    Result<std::unique_ptr<shoset::MeshListener>> listener =
        shoset::MeshListener::bind(context, loop, "ipc://" + path, options, std::move(called));
    if (!listener) {
        return socketError(path, listener.error().message);
    }
    socket->listener = std::move(*listener);
    if (::chmod(path.c_str(), socketMode) != 0) {
        return socketError(path, std::strerror(errno));
    }
    return socket;
}

void WorkerSocket::heard(WorkerId id, std::string_view user, std::string_view frame)
{
    if (const std::optional<LocalPeer> peer = parseLocalPeer(user)) {
        handlers.onMessage(id, *peer, frame);
    }
    lookLater();
}

Code WorkerSocket::send(WorkerId id, std::string word)
{
    const Code sent = listener->send(id, std::move(word));
    lookLater();
    return sent;
}

// libzmq does not tell that a connection has ended, so it is looked at while there are any.
void WorkerSocket::lookLater()
{
    const auto wanted = handlers.isBusy() ? limits::workerLookBusy : limits::workerLook;
    const auto at = std::chrono::steady_clock::now() + wanted;
    if (listener->peerCount() == 0 || (looking && timer.expiry() <= at)) {
        return;
    }
    looking = true;
    timer.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(wanted));
    timer.async_wait([this, living = std::weak_ptr<bool>(alive)](const boost::system::error_code& error) {
        if (!error && !living.expired()) {
            looking = false;
            listener->sweep();
            lookLater();
        }
    });
}

}  // namespace mesh::connector
