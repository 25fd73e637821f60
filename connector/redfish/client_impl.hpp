#pragma once

#include "connector/core/bmc_dispatcher.hpp"
#include "connector/core/bmc_request.hpp"
#include "connector/redfish/client.hpp"
#include "connector/redfish/connection.hpp"
#include "connector/redfish/exchange.hpp"
#include "shoset/host/system_rng.hpp"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mesh::connector {

// Carries out what BmcDispatcher orders, on Connections, and hands answers to the core. Events are always delivered from
// the loop; whoever receives one may call back in at once, so nothing found before an event is trusted after it.
class RedfishClient::Impl final : public ConnectionOwner, public std::enable_shared_from_this<Impl> {
public:
    Impl(boost::asio::io_context& loop, const BmcTarget& configured, BmcEvents& receiver, std::function<Now()> clock);

    Result<void> configure();
    void start(BmcExchange id, RequestHead head, std::string body, bool bodyFollows, std::int64_t bodyLength,
               bool repeatable, Instant deadline);
    void sendBody(BmcExchange id, std::string_view piece, bool last);
    void grant(BmcExchange id, std::size_t bytes);
    void cancel(BmcExchange id);
    void stop(std::function<void()> done);
    void abandon();
    const BmcCounters& counters();

    void onConnected(BmcConnection id) override;
    void onConnectFailed(BmcConnection id, Error error) override;
    void onWritten(BmcConnection id) override;
    void onAnswering(BmcConnection id) override;
    void onAnswerHead(BmcConnection id, ResponseHead head, std::optional<std::uint64_t> length) override;
    void onAnswerBody(BmcConnection id, std::string_view piece) override;
    void onAnswerPause(BmcConnection id) override;
    void onAnswerEnd(BmcConnection id, bool reusable) override;
    void onLost(BmcConnection id, bool nothingSent, const std::string& why) override;
    std::size_t answerRoom(BmcConnection id) const override;

private:
    Exchange* find(BmcExchange id);
    std::shared_ptr<Connection> connection(BmcConnection id) const;
    // The exchange that the connection carries, or nullptr.
    Exchange* carriedBy(BmcConnection id);

    void perform();
    void openConnection(BmcConnection id);
    void closeConnection(BmcConnection id);
    void send(BmcConnection id, BmcExchange exchange);
    void writeMore(Connection& connection, Exchange& exchange);
    void failLater(BmcExchange id, Error error);
    void deliverFailures();
    void stopped();

    void deliverHead(BmcExchange id, Exchange& exchange, ResponseHead head, bool bodyFollows);
    bool decode(Exchange& exchange, ResponseHead& head, bool bodyFollows);
    void deliverHeld(BmcExchange id);
    // Delivers what the credit allows. False: it failed, or was cancelled.
    bool inflate(BmcConnection connection, BmcExchange id);
    void goOnInflating(BmcExchange id);
    void complete(BmcConnection connection, BmcExchange id);

    void armTimer();
    void onTimer();

    boost::asio::io_context& context;
    BmcTarget target;
    BmcEvents& events;
    std::function<Now()> now;
    host::SystemRng rng;
    BmcUrl url;
    std::shared_ptr<http::ClientTls> tls;
    std::unique_ptr<BmcDispatcher> dispatcher;  // after configure()
    std::unordered_map<BmcConnection, std::shared_ptr<Connection>> connections;
    std::unordered_map<BmcExchange, Exchange> exchanges;
    std::vector<std::pair<BmcExchange, Error>> failures;  // to be delivered from the loop
    boost::asio::steady_timer timer;
    Instant timerAt = never;
    std::function<void()> onStopped;
    BmcCounters count;
};

}  // namespace mesh::connector
