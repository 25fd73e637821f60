#include "shoset/http/plain_stream.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <vector>

namespace mesh::http {

namespace {

using boost::asio::const_buffer;
using boost::asio::ip::tcp;
using boost::system::error_code;

// Outlives the Stream while operations are outstanding.
struct PlainConnection {
    explicit PlainConnection(tcp::socket connected) : socket(std::move(connected)) {}

    tcp::socket socket;
    std::vector<const_buffer> writing;
};

class PlainStream final : public Stream {
public:
    explicit PlainStream(tcp::socket socket) : connection(std::make_shared<PlainConnection>(std::move(socket))) {}
    ~PlainStream() override { closeSocket(); }

    void read(std::span<char> into, IoHandler handler) override
    {
        connection->socket.async_read_some(
            boost::asio::buffer(into.data(), into.size()),
            [keep = connection, handler = std::move(handler)](error_code error, std::size_t size) {
                handler(error, size);
            });
    }

    void write(std::span<const const_buffer> buffers, IoHandler handler) override
    {
        auto finished = [keep = connection, handler = std::move(handler)](error_code error, std::size_t size) {
            handler(error, size);
        };
        if (buffers.size() == 1) {
            boost::asio::async_write(connection->socket, buffers.front(), std::move(finished));
            return;
        }
        connection->writing.assign(buffers.begin(), buffers.end());
        boost::asio::async_write(connection->socket, std::span<const const_buffer>(connection->writing),
                                 std::move(finished));
    }

    void shutdown(std::function<void()> done) override
    {
        error_code ignored;
        connection->socket.shutdown(tcp::socket::shutdown_send, ignored);
        boost::asio::post(connection->socket.get_executor(), std::move(done));
    }

    void close() override { closeSocket(); }

    void reset() override
    {
        error_code ignored;
        connection->socket.set_option(tcp::socket::linger(true, 0), ignored);
        closeSocket();
    }

private:
    void closeSocket()
    {
        error_code ignored;
        connection->socket.close(ignored);
    }

    std::shared_ptr<PlainConnection> connection;
};

}  // namespace

std::unique_ptr<Stream> makePlainStream(tcp::socket socket)
{
    return std::make_unique<PlainStream>(std::move(socket));
}

}  // namespace mesh::http
