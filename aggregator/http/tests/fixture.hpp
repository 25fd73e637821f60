#pragma once

#include "aggregator/http/server.hpp"
#include "aggregator/http/tests/client.hpp"
#include "shoset/http/certificate.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace mesh::aggregator {

// Records what the server tells, and answers by `handler`. Fails the test if called from inside a call into the server.
class Recorder final : public ServerEvents {
public:
    struct Exchange {
        ExchangeId id = 0;
        RequestInfo info;
        std::string body;  // all that came
        bool bodyEnded = false;
        std::size_t written = 0;
        bool aborted = false;
    };

    std::vector<Exchange> exchanges;
    std::function<void(Exchange&)> handler = [](Exchange&) {};
    std::function<void(Exchange&, std::size_t)> onPiece = [](Exchange&, std::size_t) {};
    std::function<void(Exchange&)> onDrained = [](Exchange&) {};
    std::size_t keepBody = 1'000'000;
    bool insideCall = false;

    Exchange& find(ExchangeId id);

    void onRequest(ExchangeId id, RequestInfo request) override;
    void onRequestBody(ExchangeId id, std::string piece, bool last) override;
    void onWritten(ExchangeId id, std::size_t bytes) override;
    void onAborted(ExchangeId id) override;
};

class ServerTest : public testing::Test {
protected:
    // Starts the server on a free port of 127.0.0.1.
    void start(ServerOptions options = {});
    void startTls();
    bool runUntil(const std::function<bool()>& condition);
    // Runs what is ready, and gives what should not happen some turns in which to happen.
    void runReady();
    Client connect() { return Client(context, server->port()); }

    void respond(ExchangeId id, ResponseHead head, std::string body = {}, bool last = true);
    void writeBody(ExchangeId id, std::string piece, bool last);
    void grant(ExchangeId id, std::size_t bytes);

    // One request on a new connection; its answer, if any came before the connection ended.
    std::optional<Answer> ask(const std::string& request);

    boost::asio::io_context context;
    Recorder recorder;
    http::CertificateAndKey certificate;
    std::unique_ptr<Server> server;
};

}  // namespace mesh::aggregator
