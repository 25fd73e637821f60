#include "connector/enrolment_client.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace mesh::connector {

EnrolmentClient::EnrolmentClient(host::Loop& ownLoop, shoset::Context zmq, shoset::KeyPair own,
                                 std::vector<shoset::AggregatorAddress> aggregators, std::string secret, Done handler)
    : loop(ownLoop), context(std::move(zmq)), keys(std::move(own)), core(std::move(aggregators), std::move(secret), *this),
      done(std::move(handler)), timer(loop.context())
{
}

void EnrolmentClient::start()
{
    core.start(loop.now());
    boost::asio::post(loop.context(), [this] { endTurn(); });
}

// The one before stays until the end: it may be what calls now.
void EnrolmentClient::dial(const shoset::AggregatorAddress& address)
{
    auto dialer = shoset::MeshDialer::connect(context, loop.context(), {address.endpoint, address.key, keys},
                                              handlersOf(dialers.size()));
    dialers.push_back(dialer ? std::move(*dialer) : nullptr);
    if (!dialer) {
        core.onTrouble(dialer.error().message);
    }
}

shoset::DialerHandlers EnrolmentClient::handlersOf(std::size_t number)
{
    shoset::DialerHandlers handlers;
    handlers.onMessage = [this, number](std::string_view frame) {
        heard(number, [this, frame] { core.onFrame(frame, loop.now()); });
    };
    handlers.onConnected = [this, number] { heard(number, [this] { core.onConnected(loop.now()); }); };
    handlers.onDisconnected = [this, number] { heard(number, [this, number] { dialers[number]->reset(); }); };
    handlers.onHandshakeFailed = [this, number](const std::string& reason) {
        heard(number, [this, &reason] { core.onTrouble(reason); });
    };
    return handlers;
}

void EnrolmentClient::heard(std::size_t number, const std::function<void()>& event)
{
    if (number + 1 == dialers.size()) {
        event();
        endTurn();
    }
}

void EnrolmentClient::send(std::string frame)
{
    if (dialers.back()->send(std::move(frame)) != Code::ok) {
        core.onTrouble("the request could not be sent");
    }
}

void EnrolmentClient::endTurn()
{
    if (core.outcome()) {
        if (!std::exchange(told, true)) {
            timer.cancel();
            done(*core.outcome());
        }
        return;
    }
    timer.expires_after(std::max<Duration>(core.nextDeadline() - loop.now().mono, Duration{0}));
    timer.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            core.onTimer(loop.now());
            endTurn();
        }
    });
}

}  // namespace mesh::connector
