#pragma once

#include "shoset/zmq/context.hpp"
#include "shoset/zmq/dialer.hpp"
#include "shoset/zmq/listener.hpp"
#include "shoset/zmq/socket.hpp"
#include "shoset/zmq/zap.hpp"

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::shoset::test {

KeyPair makeKeys();

// One loop, one context, one Zap with a registry of keys, and listeners and dialers on loopback.
class ZmqTest : public ::testing::Test {
protected:
    ZmqTest();

    // Runs the loop until the condition holds; false when it does not within the deadline.
    bool runUntil(const std::function<bool()>& condition,
                  std::chrono::milliseconds deadline = std::chrono::seconds(20));
    // Runs the loop for that long: only to show that something does not happen.
    void runFor(std::chrono::milliseconds time);

    void startZap();
    KeyPair registered(const std::string& id);
    std::unique_ptr<MeshListener> listen(ListenerHandlers handlers, const std::string& endpoint = "tcp://127.0.0.1:*");
    std::unique_ptr<MeshListener> listen(ListenerOptions options, ListenerHandlers handlers,
                                         const std::string& endpoint = "tcp://127.0.0.1:*");
    std::unique_ptr<MeshDialer> dial(const std::string& endpoint, KeyPair keys, DialerHandlers handlers);
    std::unique_ptr<MeshDialer> dial(DialerOptions options, DialerHandlers handlers);
    DialerOptions dialTo(const std::string& endpoint, KeyPair keys) const;
    // A plain CURVE DEALER of libzmq, in a context of its own, for what our dialer would never do.
    Socket strangeDealer(const KeyPair& keys, const std::string& routingId, int highWaterMark = 1000);

    boost::asio::io_context loop;
    Context context;
    Context strangers;
    KeyPair serverKeys = makeKeys();
    std::map<std::string, std::string> registry;  // public key -> id
    std::vector<ZapRefusal> refusals;
    std::unique_ptr<Zap> zap;
};

}  // namespace mesh::shoset::test
