#include "shoset/base/limits.hpp"
#include "shoset/http/plain_stream.hpp"
#include "shoset/http/stream.hpp"
#include "shoset/http/tls_stream.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace mesh::http {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

void setOption(tcp::socket& socket, int level, int option, int value)
{
    ::setsockopt(socket.native_handle(), level, option, &value, sizeof value);
}

// Sends at once, and notices a peer that is gone without a word although nobody waits for it: an event stream has no
// deadline. A socket that refuses works without.
void prepare(tcp::socket& socket)
{
    constexpr int probes = 3;
    setOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
    setOption(socket, IPPROTO_TCP, TCP_KEEPIDLE, limits::tcpSilentSeconds);
    setOption(socket, IPPROTO_TCP, TCP_KEEPINTVL, limits::tcpSilentSeconds / probes);
    setOption(socket, IPPROTO_TCP, TCP_KEEPCNT, probes);
    setOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
}

// One connectStream(), alive until its handler ran.
class Connecting : public std::enable_shared_from_this<Connecting> {
public:
    Connecting(const boost::asio::any_io_executor& executor, std::string toHost, std::string toPort,
               std::shared_ptr<ClientTls> withTls, StreamHandler whenDone)
        : host(std::move(toHost)),
          port(std::move(toPort)),
          tls(std::move(withTls)),
          handler(std::move(whenDone)),
          resolver(executor),
          socket(executor)
    {
    }

    void start()
    {
        // An address needs no resolver, and so not the thread that Asio's runs in.
        error_code notAnAddress;
        boost::asio::ip::make_address(host, notAnAddress);
        if (!notAnAddress) {
            error_code error;
            const auto endpoints = resolver.resolve(host, port, tcp::resolver::numeric_host, error);
            boost::asio::post(socket.get_executor(),
                              [self = shared_from_this(), error, endpoints] { self->onResolved(error, endpoints); });
            return;
        }
        resolver.async_resolve(host, port,
                               [self = shared_from_this()](error_code error, const tcp::resolver::results_type& found) {
                                   self->onResolved(error, found);
                               });
    }

    void cancel()
    {
        cancelled = true;
        resolver.cancel();
        error_code ignored;
        socket.close(ignored);
        if (cancelHandshake) {
            std::exchange(cancelHandshake, nullptr)();
        }
    }

private:
    void onResolved(error_code error, const tcp::resolver::results_type& found)
    {
        if (cancelled || error) {
            return fail("cannot be resolved", error);
        }
        boost::asio::async_connect(socket, found, [self = shared_from_this()](error_code failed, const tcp::endpoint&) {
            self->onConnected(failed);
        });
    }

    void onConnected(error_code error)
    {
        if (cancelled || error) {
            return fail("cannot be reached", error);
        }
        prepare(socket);
        if (!tls) {
            return handler(makePlainStream(std::move(socket)));
        }
        cancelHandshake = startClientTls(std::move(socket), tls, host,
                                         [self = shared_from_this()](Result<std::unique_ptr<Stream>> outcome) {
                                             self->handler(std::move(outcome));
                                         });
    }

    void fail(const std::string& what, error_code error)
    {
        if (cancelled) {
            return handler(Error{Code::unavailable, "cancelled"});
        }
        handler(Error{Code::notSent, host + ":" + port + " " + what + ": " + error.message()});
    }

    const std::string host;
    const std::string port;
    const std::shared_ptr<ClientTls> tls;
    const StreamHandler handler;
    tcp::resolver resolver;
    tcp::socket socket;
    bool cancelled = false;
    std::function<void()> cancelHandshake;
};

}  // namespace

std::function<void()> acceptStream(tcp::socket socket, std::shared_ptr<ServerTls> tls, StreamHandler handler)
{
    prepare(socket);
    if (tls) {
        return startServerTls(std::move(socket), std::move(tls), std::move(handler));
    }
    const auto cancelled = std::make_shared<bool>(false);
    const auto executor = socket.get_executor();
    auto stream = std::make_shared<std::unique_ptr<Stream>>(makePlainStream(std::move(socket)));
    boost::asio::post(executor, [cancelled, stream, handler = std::move(handler)] {
        if (*cancelled) {
            return handler(Error{Code::unavailable, "cancelled"});
        }
        handler(std::move(*stream));
    });
    return [cancelled] { *cancelled = true; };
}

std::function<void()> connectStream(boost::asio::any_io_executor executor, const std::string& host,
                                    const std::string& port, std::shared_ptr<ClientTls> tls, StreamHandler handler)
{
    const auto connecting = std::make_shared<Connecting>(executor, host, port, std::move(tls), std::move(handler));
    connecting->start();
    return [weak = std::weak_ptr(connecting)] {
        if (const auto alive = weak.lock()) {
            alive->cancel();
        }
    };
}

}  // namespace mesh::http
