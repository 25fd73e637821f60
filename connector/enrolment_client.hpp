#pragma once

#include "connector/core/enroller.hpp"
#include "shoset/host/loop.hpp"
#include "shoset/zmq/context.hpp"
#include "shoset/zmq/dialer.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mesh::connector {

// The shell around the enroller: connects with the key that is to be registered. Loop thread.
class EnrolmentClient final : public EnrolPort {
public:
    // Called once, never from inside start().
    using Done = std::function<void(Result<shoset::Enrolled> outcome)>;

    EnrolmentClient(host::Loop& loop, shoset::Context context, shoset::KeyPair keys,
                    std::vector<shoset::AggregatorAddress> aggregators, std::string secret, Done done);

    void start();

    void dial(const shoset::AggregatorAddress& address) override;
    void send(std::string frame) override;

private:
    shoset::DialerHandlers handlersOf(std::size_t number);
    // Of the dialler that counts now; the others are told no more.
    void heard(std::size_t number, const std::function<void()>& event);
    void endTurn();

    host::Loop& loop;
    shoset::Context context;
    const shoset::KeyPair keys;
    Enroller core;
    const Done done;
    std::vector<std::unique_ptr<shoset::MeshDialer>> dialers;  // one for each aggregator asked so far; the last one counts
    boost::asio::steady_timer timer;
    bool told = false;
};

}  // namespace mesh::connector
