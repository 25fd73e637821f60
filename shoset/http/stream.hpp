#pragma once

#include "shoset/base/result.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include <functional>
#include <memory>
#include <span>
#include <string>

namespace mesh::http {

using IoHandler = std::function<void(boost::system::error_code, std::size_t)>;

// A connected byte stream, plain TCP or TLS, on the loop's thread. At most one read and one write at a time; the bytes
// behind them stay with the caller until the handler ran. Handlers run from the loop, never from inside the call.
// close() is abrupt, idempotent, and lets outstanding handlers end with operation_aborted, as the destructor does.
// The peer's orderly end is boost::asio::error::eof; under TLS the end of the connection without close_notify is
// connection_aborted, so that a cut-off answer never looks complete.
class Stream {
public:
    virtual ~Stream() = default;
    virtual void read(std::span<char> into, IoHandler handler) = 0;
    // Writes all of it.
    virtual void write(std::span<const boost::asio::const_buffer> buffers, IoHandler handler) = 0;
    // TLS close_notify where there is TLS, then the end of the stream.
    virtual void shutdown(std::function<void()> done) = 0;
    virtual void close() = 0;
    // As close(), but the peer is told by a TCP reset that something went wrong, so that an answer whose end is the end
    // of the connection does not look complete.
    virtual void reset() = 0;
};

// TLS of a server: certificate chain and key from PEM text, TLS 1.2 and later, session tickets. Opaque, so that
// OpenSSL's headers stay out of others' files. OpenSSL starts when the first ServerTls or ClientTls is made, not
// before.
class ServerTls;
Result<std::shared_ptr<ServerTls>> makeServerTls(const std::string& certificatePem, const std::string& keyPem);

// TLS of a client. Trust: the system's, or one CA file, or one certificate's SHA-256 fingerprint (hex), or none at all
// (insecure, said in the log by the caller). The host name is checked unless by fingerprint or insecure.
struct ClientTrust {
    std::string caFile;      // PEM; empty = the system's store. A server's own certificate is good as well
    std::string fingerprint;  // 64 hex digits, colons allowed; empty = not used
    bool insecure = false;
};
// Remembers the last session of one host, and resumes it.
class ClientTls;
Result<std::shared_ptr<ClientTls>> makeClientTls(const ClientTrust& trust);

using StreamHandler = std::function<void(Result<std::unique_ptr<Stream>>)>;

// Takes an accepted socket; with `tls`, performs the handshake first; a failed one is Code::refused. The returned
// function cancels; the handler then ends with Code::unavailable.
std::function<void()> acceptStream(boost::asio::ip::tcp::socket socket, std::shared_ptr<ServerTls> tls,
                                   StreamHandler handler);

// Resolves, connects and, with `tls`, performs the handshake for `host` (name or address, without brackets). The
// returned function cancels; the handler then ends with Code::unavailable. Connection refused, unresolvable and a
// handshake that fails for another reason are Code::notSent, a failed certificate check is Code::permissionDenied with
// OpenSSL's reason. No time limit of its own.
std::function<void()> connectStream(boost::asio::any_io_executor executor, const std::string& host,
                                    const std::string& port, std::shared_ptr<ClientTls> tls, StreamHandler handler);

}  // namespace mesh::http
