#include "aggregator/http/server.hpp"
#include "shoset/host/loop.hpp"
#include "shoset/host/signals.hpp"
#include "shoset/http/certificate.hpp"

#include <cstdio>
#include <cstring>

// aggregator_http_bench ADDRESS:PORT [tls]: answers every request with 4 KB of JSON until INT or TERM.
namespace {

using namespace mesh;

class Answering final : public aggregator::ServerEvents {
public:
    aggregator::HttpPort* port = nullptr;
    std::string body = "\"" + std::string(4094, 'x') + "\"";

    void onRequest(aggregator::ExchangeId id, aggregator::RequestInfo) override
    {
        port->respond(id, {200, {{"Content-Type", "application/json"}, {"OData-Version", "4.0"}}}, body, true);
    }
    void onRequestBody(aggregator::ExchangeId, std::string, bool) override {}
    void onWritten(aggregator::ExchangeId, std::size_t) override {}
    void onAborted(aggregator::ExchangeId) override {}
};

aggregator::ErrorDocument noDocument(int, std::string_view)
{
    return {{}, "{}"};
}

}  // namespace

int main(int argc, char** argv)
{
    host::Loop loop;
    Answering answering;
    aggregator::ServerOptions options;
    options.bind = argc > 1 ? argv[1] : "127.0.0.1:8080";
    if (argc > 2 && std::strcmp(argv[2], "tls") == 0) {
        const auto made = http::makeSelfSigned({"localhost"}, {"127.0.0.1"}, 1);
        options.certificatePem = made->certificatePem;
        options.keyPem = made->keyPem;
    }
    aggregator::Server server(loop.context(), options, answering, noDocument);
    answering.port = &server;
    const host::Signals signals(loop.context(), [&loop] { loop.stop(); }, {});
    if (const auto started = server.start(); !started) {
        std::fprintf(stderr, "%s\n", started.error().message.c_str());
        return 1;
    }
    loop.run();
    return 0;
}
