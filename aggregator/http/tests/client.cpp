#include "aggregator/http/tests/client.hpp"

#include <chrono>

namespace mesh::aggregator {

using boost::system::error_code;

Client::Client(boost::asio::io_context& io, std::uint16_t port, std::shared_ptr<http::ClientTls> tls) : context(io)
{
    bool done = false;
    http::connectStream(io.get_executor(), "127.0.0.1", std::to_string(port), std::move(tls), [&](auto outcome) {
        done = true;
        if (outcome) {
            stream = std::move(*outcome);
        }
    });
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done && std::chrono::steady_clock::now() < limit) {
        context.restart();
        context.run_one_for(std::chrono::milliseconds(100));
    }
    if (stream) {
        readOn();
    }
}

Client::~Client()
{
    *alive = false;
}

void Client::send(std::string bytes)
{
    unsent += bytes.size();
    sending.push_back(std::move(bytes));
    if (sending.size() > 1) {
        return;
    }
    const boost::asio::const_buffer buffers(sending.front().data(), sending.front().size());
    stream->write({&buffers, 1}, [this, living = alive](error_code error, std::size_t size) {
        if (!*living) {
            return;
        }
        unsent -= size;
        sending.erase(sending.begin());
        if (!error && !sending.empty()) {
            std::string next = std::move(sending.front());
            sending.erase(sending.begin());
            unsent -= next.size();
            send(std::move(next));
        }
    });
}

void Client::reading(bool on)
{
    wantsRead = on;
    readOn();
}

void Client::expectNoBody()
{
    parser.expectNoBody();
}

void Client::shutdown()
{
    stream->shutdown([] {});
}

void Client::readOn()
{
    if (readOutstanding || !wantsRead || ended) {
        return;
    }
    readOutstanding = true;
    stream->read(buffer, [this, living = alive](error_code error, std::size_t size) {
        if (!*living) {
            return;
        }
        readOutstanding = false;
        onBytes(size);
        if (error) {
            ended = error;
        }
        readOn();
    });
}

void Client::onBytes(std::size_t size)
{
    if (raw.size() < 1'000'000) {
        raw.append(buffer, 0, size);
    }
    kept.append(buffer, 0, size);
    while (!kept.empty() && !malformed) {
        const auto used = parser.consume(kept, *this);
        malformed = !used;
        if (malformed || !parser.done()) {
            kept.erase(0, used ? *used : 0);
            return;
        }
        kept.erase(0, *used);
        parser.reset();
    }
}

void Client::onHead(ResponseHead head, std::optional<std::uint64_t>)
{
    partialHead = head;
    current.head = std::move(head);
}

void Client::onBody(std::string_view piece)
{
    partialBody += piece.size();
    if (current.body.size() < 1'000'000) {
        current.body += piece;
    }
}

void Client::onEnd()
{
    answers.push_back(std::exchange(current, {}));
    partialHead.reset();
    partialBody = 0;
}

}  // namespace mesh::aggregator
