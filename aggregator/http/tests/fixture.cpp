#include "aggregator/http/tests/fixture.hpp"

#include <chrono>

namespace mesh::aggregator {

Recorder::Exchange& Recorder::find(ExchangeId id)
{
    for (Exchange& exchange : exchanges) {
        if (exchange.id == id) {
            return exchange;
        }
    }
    ADD_FAILURE() << "an event of an exchange that never was";
    return exchanges.emplace_back();
}

void Recorder::onRequest(ExchangeId id, RequestInfo request)
{
    EXPECT_FALSE(insideCall);
    for (const Exchange& other : exchanges) {
        EXPECT_NE(other.id, id);
    }
    Exchange& exchange = exchanges.emplace_back();
    exchange.id = id;
    exchange.body = request.body;
    exchange.bodyEnded = !request.bodyFollows;
    exchange.info = std::move(request);
    handler(exchange);
}

void Recorder::onRequestBody(ExchangeId id, std::string piece, bool last)
{
    EXPECT_FALSE(insideCall);
    Exchange& exchange = find(id);
    EXPECT_FALSE(exchange.aborted || exchange.bodyEnded);
    if (exchange.body.size() < keepBody) {
        exchange.body += piece;
    }
    exchange.bodyEnded = last;
    onPiece(exchange, piece.size());
}

void Recorder::onWritten(ExchangeId id, std::size_t bytes)
{
    EXPECT_FALSE(insideCall);
    Exchange& exchange = find(id);
    EXPECT_FALSE(exchange.aborted);
    exchange.written += bytes;
    onDrained(exchange);
}

void Recorder::onAborted(ExchangeId id)
{
    EXPECT_FALSE(insideCall);
    Exchange& exchange = find(id);
    EXPECT_FALSE(exchange.aborted);
    exchange.aborted = true;
}

void ServerTest::start(ServerOptions options)
{
    options.bind = "127.0.0.1:0";
    server = std::make_unique<Server>(context, std::move(options), recorder, [](int status, std::string_view sentence) {
        return ErrorDocument{{{"Content-Type", "application/json"}, {"X-Every", "answer"}},
                             "{\"status\":" + std::to_string(status) + ",\"text\":\"" + std::string(sentence) + "\"}"};
    });
    const auto started = server->start();
    ASSERT_TRUE(started) << started.error().message;
    ASSERT_NE(server->port(), 0);
}

void ServerTest::startTls()
{
    certificate = *http::makeSelfSigned({"localhost"}, {"127.0.0.1"}, 1);
    ServerOptions options;
    options.certificatePem = certificate.certificatePem;
    options.keyPem = certificate.keyPem;
    start(std::move(options));
}

bool ServerTest::runUntil(const std::function<bool()>& condition)
{
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        context.restart();
        context.run_one_for(std::chrono::milliseconds(50));
    }
    return true;
}

void ServerTest::runReady()
{
    for (int turn = 0; turn < 20; ++turn) {
        context.restart();
        context.poll();
    }
}

void ServerTest::respond(ExchangeId id, ResponseHead head, std::string body, bool last)
{
    const bool before = std::exchange(recorder.insideCall, true);
    server->respond(id, std::move(head), std::move(body), last);
    recorder.insideCall = before;
}

void ServerTest::writeBody(ExchangeId id, std::string piece, bool last)
{
    const bool before = std::exchange(recorder.insideCall, true);
    server->writeBody(id, std::move(piece), last);
    recorder.insideCall = before;
}

void ServerTest::grant(ExchangeId id, std::size_t bytes)
{
    const bool before = std::exchange(recorder.insideCall, true);
    server->grant(id, bytes);
    recorder.insideCall = before;
}

std::optional<Answer> ServerTest::ask(const std::string& request)
{
    Client client = connect();
    client.send(request);
    EXPECT_TRUE(runUntil([&] { return !client.answers.empty() || client.ended; }));
    if (client.answers.empty()) {
        return {};
    }
    return client.answers.front();
}

}  // namespace mesh::aggregator
