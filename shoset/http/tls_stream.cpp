#include "shoset/http/tls_stream.hpp"

#include "shoset/http/tls.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace mesh::http {

namespace {

using boost::asio::const_buffer;
using boost::asio::ip::tcp;
using boost::system::error_code;
namespace errors = boost::asio::error;

constexpr std::size_t recordBytes = SSL3_RT_MAX_PLAIN_LENGTH;

// OpenSSL straight on the non-blocking socket, Asio only says when it is ready: no buffers of our own between them.
// Outlives its Stream while operations are outstanding, each of which holds a shared_ptr to it.
class TlsConnection : public std::enable_shared_from_this<TlsConnection> {
public:
    TlsConnection(tcp::socket connected, std::shared_ptr<TlsContext> tls, std::string peerName)
        : socket(std::move(connected)), context(std::move(tls)), host(std::move(peerName))
    {
        error_code ignored;
        socket.non_blocking(true, ignored);
        ssl = context->open(socket.native_handle());
    }
    ~TlsConnection()
    {
        if (ssl) {
            // Otherwise OpenSSL takes the missing close_notify for an attack and forgets the session.
            SSL_set_shutdown(ssl.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        }
    }

    SSL* handle() const { return ssl.get(); }
    const std::string& peer() const { return host; }

    void handshake(StreamHandler handler);
    void cancelHandshake();  // nothing once its handler ran
    void read(std::span<char> into, IoHandler handler);
    void write(std::span<const const_buffer> buffers, IoHandler handler);
    void shutdown(std::function<void()> done);
    void close();
    void reset();

private:
    void handshakeStep();
    void handshakeDone(Result<std::unique_ptr<Stream>> outcome);
    Error handshakeError(int sslError) const;
    void readStep();
    void readDone(error_code error, std::size_t size);
    // Writes as much as the socket takes. True when all is written or `failure` is set; else `wanted` says what to wait
    // for.
    bool writeSome(error_code& failure, int& wanted);
    void writeStep();
    void writeDone(error_code error);
    const_buffer nextRecord(std::span<char> scratch) const;
    void advance(std::size_t size);
    error_code ioError(int sslError) const;
    // Calls `step` when the socket is ready for what OpenSSL wants.
    void await(int sslError, void (TlsConnection::*step)());

    tcp::socket socket;
    std::shared_ptr<TlsContext> context;
    std::string host;
    OpenSslPointer<SSL> ssl;
    bool closed = false;

    StreamHandler onHandshake;
    std::span<char> readInto;
    IoHandler onRead;
    std::vector<const_buffer> writing;
    std::size_t firstWriting = 0;  // of `writing`
    std::size_t written = 0;
    IoHandler onWrite;
};

class TlsStream final : public Stream {
public:
    explicit TlsStream(std::shared_ptr<TlsConnection> opened) : connection(std::move(opened)) {}
    ~TlsStream() override { connection->close(); }

    void read(std::span<char> into, IoHandler handler) override { connection->read(into, std::move(handler)); }
    void write(std::span<const const_buffer> buffers, IoHandler handler) override
    {
        connection->write(buffers, std::move(handler));
    }
    void shutdown(std::function<void()> done) override { connection->shutdown(std::move(done)); }
    void close() override { connection->close(); }
    void reset() override { connection->reset(); }

private:
    std::shared_ptr<TlsConnection> connection;
};

void TlsConnection::await(int sslError, void (TlsConnection::*step)())
{
    const auto what = sslError == SSL_ERROR_WANT_WRITE ? tcp::socket::wait_write : tcp::socket::wait_read;
    socket.async_wait(what, [self = shared_from_this(), step](error_code) { (self.get()->*step)(); });
}

void TlsConnection::handshake(StreamHandler handler)
{
    onHandshake = std::move(handler);
    boost::asio::post(socket.get_executor(), [self = shared_from_this()] { self->handshakeStep(); });
}

void TlsConnection::cancelHandshake()
{
    if (onHandshake) {
        close();
    }
}

void TlsConnection::handshakeStep()
{
    if (closed) {
        return handshakeDone(Error{Code::unavailable, "cancelled"});
    }
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl.get());
    if (result == 1) {
        return handshakeDone(std::unique_ptr<Stream>(std::make_unique<TlsStream>(shared_from_this())));
    }
    const int sslError = SSL_get_error(ssl.get(), result);
    if (sslError == SSL_ERROR_WANT_READ || sslError == SSL_ERROR_WANT_WRITE) {
        return await(sslError, &TlsConnection::handshakeStep);
    }
    const Error error = handshakeError(sslError);
    close();
    handshakeDone(error);
}

void TlsConnection::handshakeDone(Result<std::unique_ptr<Stream>> outcome)
{
    const auto self = shared_from_this();
    std::exchange(onHandshake, nullptr)(std::move(outcome));
}

Error TlsConnection::handshakeError(int sslError) const
{
    const bool client = SSL_is_server(ssl.get()) == 0;
    const long verified = SSL_get_verify_result(ssl.get());
    if (client && SSL_get_verify_mode(ssl.get()) != SSL_VERIFY_NONE && verified != X509_V_OK) {
        return {Code::permissionDenied,
                "the certificate of " + host + " is not trusted: " + X509_verify_cert_error_string(verified)};
    }
    std::string reason = "closed by the peer";
    if (sslError == SSL_ERROR_SSL) {
        reason = takeOpenSslError();
    } else if (errno != 0) {
        reason = std::strerror(errno);
    }
    return {client ? Code::notSent : Code::refused, "TLS handshake with " + host + ": " + reason};
}

void TlsConnection::read(std::span<char> into, IoHandler handler)
{
    readInto = into;
    onRead = std::move(handler);
    if (closed || SSL_has_pending(ssl.get()) != 0) {
        boost::asio::post(socket.get_executor(), [self = shared_from_this()] { self->readStep(); });
        return;
    }
    await(SSL_ERROR_WANT_READ, &TlsConnection::readStep);
}

void TlsConnection::readStep()
{
    if (closed) {
        return readDone(errors::operation_aborted, 0);
    }
    ERR_clear_error();
    std::size_t size = 0;
    const int result = SSL_read_ex(ssl.get(), readInto.data(), readInto.size(), &size);
    if (result == 1) {
        return readDone({}, size);
    }
    const int sslError = SSL_get_error(ssl.get(), result);
    if (sslError == SSL_ERROR_WANT_READ || sslError == SSL_ERROR_WANT_WRITE) {
        return await(sslError, &TlsConnection::readStep);
    }
    readDone(ioError(sslError), 0);
}

void TlsConnection::readDone(error_code error, std::size_t size)
{
    std::exchange(onRead, nullptr)(error, size);
}

void TlsConnection::write(std::span<const const_buffer> buffers, IoHandler handler)
{
    writing.assign(buffers.begin(), buffers.end());
    firstWriting = 0;
    written = 0;
    onWrite = std::move(handler);
    error_code failure;
    int wanted = 0;
    if (closed || writeSome(failure, wanted)) {
        boost::asio::post(socket.get_executor(), [self = shared_from_this(), failure] { self->writeDone(failure); });
        return;
    }
    await(wanted, &TlsConnection::writeStep);
}

void TlsConnection::writeStep()
{
    error_code failure;
    int wanted = 0;
    if (closed || writeSome(failure, wanted)) {
        return writeDone(failure);
    }
    await(wanted, &TlsConnection::writeStep);
}

bool TlsConnection::writeSome(error_code& failure, int& wanted)
{
    std::array<char, recordBytes> scratch;
    while (firstWriting < writing.size()) {
        const const_buffer record = nextRecord(scratch);
        if (record.size() == 0) {
            return true;
        }
        ERR_clear_error();
        std::size_t size = 0;
        const int result = SSL_write_ex(ssl.get(), record.data(), record.size(), &size);
        if (result != 1) {
            wanted = SSL_get_error(ssl.get(), result);
            if (wanted == SSL_ERROR_WANT_READ || wanted == SSL_ERROR_WANT_WRITE) {
                return false;
            }
            failure = ioError(wanted);
            return true;
        }
        advance(size);
    }
    return true;
}

// Small buffers are gathered, so that head and body share a record. The same position gives the same bytes: OpenSSL
// wants that of a write repeated.
const_buffer TlsConnection::nextRecord(std::span<char> scratch) const
{
    const const_buffer& first = writing[firstWriting];
    if (firstWriting + 1 == writing.size() || first.size() >= scratch.size()) {
        return boost::asio::buffer(first, scratch.size());
    }
    std::size_t filled = 0;
    for (std::size_t i = firstWriting; i < writing.size() && filled < scratch.size(); ++i) {
        const std::size_t take = std::min(writing[i].size(), scratch.size() - filled);
        std::memcpy(scratch.data() + filled, writing[i].data(), take);
        filled += take;
    }
    return {scratch.data(), filled};
}

void TlsConnection::advance(std::size_t size)
{
    written += size;
    while (firstWriting < writing.size() && size >= writing[firstWriting].size()) {
        size -= writing[firstWriting++].size();
    }
    if (size > 0) {
        writing[firstWriting] += size;
    }
}

void TlsConnection::writeDone(error_code error)
{
    if (closed) {
        error = errors::operation_aborted;
    }
    std::exchange(onWrite, nullptr)(error, written);
}

void TlsConnection::shutdown(std::function<void()> done)
{
    error_code ignored;
    if (!closed) {
        ERR_clear_error();
        SSL_shutdown(ssl.get());
        socket.shutdown(tcp::socket::shutdown_send, ignored);
    }
    boost::asio::post(socket.get_executor(), std::move(done));
}

void TlsConnection::close()
{
    error_code ignored;
    closed = true;
    socket.close(ignored);
}

void TlsConnection::reset()
{
    error_code ignored;
    socket.set_option(tcp::socket::linger(true, 0), ignored);
    close();
}

error_code TlsConnection::ioError(int sslError) const
{
    const int systemError = errno;
    if (sslError == SSL_ERROR_ZERO_RETURN) {
        return errors::eof;
    }
    const bool cut =
        sslError == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    ERR_clear_error();
    if (cut) {
        return errors::connection_aborted;
    }
    if (sslError == SSL_ERROR_SYSCALL && systemError != 0) {
        return {systemError, boost::system::system_category()};
    }
    return make_error_code(boost::system::errc::protocol_error);
}

std::function<void()> begin(const std::shared_ptr<TlsConnection>& connection, StreamHandler handler)
{
    connection->handshake(std::move(handler));
    return [weak = std::weak_ptr(connection)] {
        if (const auto alive = weak.lock()) {
            alive->cancelHandshake();
        }
    };
}

void refuse(const tcp::socket::executor_type& executor, StreamHandler handler)
{
    boost::asio::post(executor, [handler = std::move(handler)] {
        handler(Error{Code::full, "no memory for a TLS connection"});
    });
}

// RFC 6066: no server name for addresses; RFC 9110, 4.3.5: an address is checked as one.
void setPeer(const ClientTls& tls, SSL* ssl, const std::string& host)
{
    error_code notAnAddress;
    boost::asio::ip::make_address(host, notAnAddress);
    if (notAnAddress) {
        // What SSL_set_tlsext_host_name() expands to; OpenSSL copies the name.
        std::string name = host;
        SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
    }
    if (!tls.checksHost) {
        return;
    }
    if (notAnAddress) {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        SSL_set1_host(ssl, host.c_str());
    } else {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
    }
}

}  // namespace

std::function<void()> startServerTls(tcp::socket socket, std::shared_ptr<ServerTls> tls, StreamHandler handler)
{
    const auto executor = socket.get_executor();
    error_code ignored;
    const auto remote = socket.remote_endpoint(ignored);
    const auto connection = std::make_shared<TlsConnection>(std::move(socket), tls, remote.address().to_string());
    if (connection->handle() == nullptr) {
        refuse(executor, std::move(handler));
        return [] {};
    }
    SSL_set_accept_state(connection->handle());
    return begin(connection, std::move(handler));
}

std::function<void()> startClientTls(tcp::socket socket, std::shared_ptr<ClientTls> tls, const std::string& host,
                                     StreamHandler handler)
{
    const auto executor = socket.get_executor();
    const auto connection = std::make_shared<TlsConnection>(std::move(socket), tls, host);
    SSL* ssl = connection->handle();
    if (ssl == nullptr) {
        refuse(executor, std::move(handler));
        return [] {};
    }
    SSL_set_connect_state(ssl);
    SSL_set_app_data(ssl, &connection->peer());
    setPeer(*tls, ssl, host);
    if (tls->session && tls->sessionHost == host) {
        SSL_set_session(ssl, tls->session.get());
    }
    return begin(connection, std::move(handler));
}

}  // namespace mesh::http
