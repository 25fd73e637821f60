#include "shoset/zmq/socket.hpp"

#include "shoset/base/limits.hpp"

#include <array>
#include <cerrno>
#include <utility>

namespace mesh::shoset {
namespace {

// What CURVE adds to a message before MAXMSGSIZE is checked: command name, nonce, flags, authenticator (RFC 26).
constexpr std::size_t sealBytes = 8 + 8 + 1 + 16;

void freeLent(void*, void* lent)
{
    delete static_cast<std::string*>(lent);
}

Error zmqError(const std::string& what)
{
    const int code = errno;
    const Code kind =
        code == EADDRINUSE || code == EMFILE || code == ENOMEM ? Code::unavailable : Code::invalidArgument;
    return Error{kind, what + ": " + zmq_strerror(code)};
}

}  // namespace

void Part::assign(std::string&& bytes)
{
    zmq_msg_close(&message);
    lent = nullptr;
    if (bytes.size() < limits::zeroCopyBytes) {
        zmq_msg_init_size(&message, bytes.size());
        bytes.copy(static_cast<char*>(zmq_msg_data(&message)), bytes.size());
        return;
    }
    lent = new std::string(std::move(bytes));
    zmq_msg_init_data(&message, lent->data(), lent->size(), freeLent, lent);
}

std::string Part::takeBack()
{
    // The string's buffer moves out; the empty shell is freed with the frame.
    std::string bytes = lent != nullptr ? std::move(*lent) : std::string(view());
    clear();
    return bytes;
}

void Part::clear()
{
    zmq_msg_close(&message);
    zmq_msg_init(&message);
    lent = nullptr;
}

std::string_view Part::view() const
{
    return {static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message)};
}

int Part::sourceDescriptor() const
{
    return zmq_msg_get(&message, ZMQ_SRCFD);
}

Result<Socket> Socket::open(const Context& context, int type)
{
    void* raw = zmq_socket(context.handle(), type);
    if (raw == nullptr) {
        return zmqError("cannot open a ZeroMQ socket");
    }
    Socket socket(context, raw);
    if (auto done = socket.set(ZMQ_LINGER, 0); !done) {
        return done.error();
    }
    return socket;
}

Socket::Socket(Socket&& other) noexcept : context(other.context), raw(std::exchange(other.raw, nullptr)) {}

Socket::~Socket()
{
    if (raw != nullptr) {
        zmq_close(raw);
    }
}

Result<void> Socket::set(int option, int value)
{
    if (zmq_setsockopt(raw, option, &value, sizeof value) != 0) {
        return Error{Code::unsupported, "ZeroMQ option " + std::to_string(option) + ": " + zmq_strerror(errno)};
    }
    return {};
}

Result<void> Socket::set(int option, std::string_view value)
{
    if (zmq_setsockopt(raw, option, value.data(), value.size()) != 0) {
        return Error{Code::unsupported, "ZeroMQ option " + std::to_string(option) + ": " + zmq_strerror(errno)};
    }
    return {};
}

Result<void> Socket::bind(const std::string& endpoint)
{
    if (zmq_bind(raw, endpoint.c_str()) != 0) {
        return zmqError("cannot listen on " + endpoint);
    }
    return {};
}

Result<void> Socket::connect(const std::string& endpoint)
{
    if (zmq_connect(raw, endpoint.c_str()) != 0) {
        return zmqError("cannot connect to " + endpoint);
    }
    return {};
}

std::string Socket::lastEndpoint() const
{
    std::array<char, 512> text{};
    std::size_t size = text.size();
    return zmq_getsockopt(raw, ZMQ_LAST_ENDPOINT, text.data(), &size) == 0 ? std::string(text.data()) : std::string();
}

Result<void> applyLinkSettings(Socket& socket, const LinkSettings& settings, std::string_view endpoint)
{
    const auto maxMessage = static_cast<std::int64_t>(settings.maxFrameBytes + sealBytes);
    const bool sixth = endpoint.find('[') != std::string_view::npos;
    return firstError({
        socket.set(ZMQ_SNDHWM, settings.highWaterMark),
        socket.set(ZMQ_RCVHWM, settings.highWaterMark),
        socket.set(ZMQ_MAXMSGSIZE, std::string_view(reinterpret_cast<const char*>(&maxMessage), sizeof maxMessage)),
        socket.set(ZMQ_HANDSHAKE_IVL, static_cast<int>(toMillis(limits::handshakeTimeout))),
        socket.set(ZMQ_IPV6, sixth ? 1 : 0),
        // Our own heartbeats watch the sessions; this clears away a connection that never had one.
        socket.set(ZMQ_TCP_KEEPALIVE, 1),
        socket.set(ZMQ_TCP_KEEPALIVE_IDLE, limits::tcpKeepaliveSeconds),
        socket.set(ZMQ_TCP_KEEPALIVE_INTVL, limits::tcpKeepaliveSeconds),
        socket.set(ZMQ_TCP_KEEPALIVE_CNT, 3),
    });
}

Result<void> firstError(std::initializer_list<Result<void>> results)
{
    for (const Result<void>& result : results) {
        if (!result) {
            return result.error();
        }
    }
    return {};
}

}  // namespace mesh::shoset
