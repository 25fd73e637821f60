#include "shoset/zmq/tests/harness.hpp"

#include <utility>

namespace mesh::shoset::test {

KeyPair makeKeys()
{
    auto pair = generateKeyPair();
    EXPECT_TRUE(pair.ok());
    return std::move(pair.value());
}

ZmqTest::ZmqTest() : context(std::move(Context::create().value())), strangers(std::move(Context::create().value())) {}

bool ZmqTest::runUntil(const std::function<bool()>& condition, std::chrono::milliseconds deadline)
{
    const auto end = std::chrono::steady_clock::now() + deadline;
    loop.restart();
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) {
            return false;
        }
        if (loop.stopped()) {
            loop.restart();
        }
        loop.run_one_until(std::min(end, std::chrono::steady_clock::now() + std::chrono::milliseconds(20)));
    }
    return true;
}

void ZmqTest::runFor(std::chrono::milliseconds time)
{
    runUntil([] { return false; }, time);
}

void ZmqTest::startZap()
{
    auto started = Zap::start(
        context, loop,
        [this](std::string_view domain, std::string_view key, std::string_view address) -> std::optional<std::string> {
            EXPECT_EQ(domain, "mesh");
            EXPECT_EQ(address, "127.0.0.1");
            const auto found = registry.find(std::string(key));
            return found != registry.end() ? std::optional(found->second) : std::nullopt;
        },
        [this](const ZapRefusal& refusal) { refusals.push_back(refusal); });
    ASSERT_TRUE(started.ok()) << started.error().message;
    zap = std::move(started.value());
}

KeyPair ZmqTest::registered(const std::string& id)
{
    KeyPair keys = makeKeys();
    registry[keys.publicKey] = id;
    return keys;
}

std::unique_ptr<MeshListener> ZmqTest::listen(ListenerHandlers handlers, const std::string& endpoint)
{
    return listen(ListenerOptions{}, std::move(handlers), endpoint);
}

std::unique_ptr<MeshListener> ZmqTest::listen(ListenerOptions options, ListenerHandlers handlers,
                                              const std::string& endpoint)
{
    options.keys = serverKeys;
    // libzmq closes in the background: an address that was just left is free a moment later.
    std::unique_ptr<MeshListener> listener;
    EXPECT_TRUE(runUntil([&] {
        auto bound = MeshListener::bind(context, loop, endpoint, options, handlers);
        if (bound) {
            listener = std::move(bound.value());
        }
        return listener != nullptr;
    }));
    return listener;
}

DialerOptions ZmqTest::dialTo(const std::string& endpoint, KeyPair keys) const
{
    DialerOptions options;
    options.endpoint = endpoint;
    options.serverKey = serverKeys.publicKey;
    options.keys = std::move(keys);
    return options;
}

std::unique_ptr<MeshDialer> ZmqTest::dial(const std::string& endpoint, KeyPair keys, DialerHandlers handlers)
{
    return dial(dialTo(endpoint, std::move(keys)), std::move(handlers));
}

std::unique_ptr<MeshDialer> ZmqTest::dial(DialerOptions options, DialerHandlers handlers)
{
    auto dialled = MeshDialer::connect(context, loop, std::move(options), std::move(handlers));
    EXPECT_TRUE(dialled.ok()) << (dialled.ok() ? "" : dialled.error().message);
    return std::move(dialled.value());
}

Socket ZmqTest::strangeDealer(const KeyPair& keys, const std::string& routingId, int highWaterMark)
{
    Socket socket = std::move(Socket::open(strangers, ZMQ_DEALER).value());
    const auto ready = firstError({
        socket.set(ZMQ_CURVE_SERVERKEY, serverKeys.publicKey),
        socket.set(ZMQ_CURVE_PUBLICKEY, keys.publicKey),
        socket.set(ZMQ_CURVE_SECRETKEY, keys.secretKey.cString()),
        socket.set(ZMQ_ROUTING_ID, routingId),
        socket.set(ZMQ_IMMEDIATE, 1),
        socket.set(ZMQ_RCVHWM, highWaterMark),
        socket.set(ZMQ_SNDHWM, highWaterMark),
        socket.set(ZMQ_RCVTIMEO, 0),
        socket.set(ZMQ_SNDTIMEO, 0),
    });
    EXPECT_TRUE(ready.ok());
    return socket;
}

}  // namespace mesh::shoset::test
