// Throughput of CURVE DEALER -> ROUTER over loopback, through this module's classes and through bare libzmq with
// blocking calls, alternately in one run: ratios hold where wall times swing. One thread and one context per side, as
// in production.
//
//     zmq_bench [--messages N] [--rounds N] [--size BYTES]
//
// With a size only that one is measured, and no round trips.

#include "shoset/zmq/context.hpp"
#include "shoset/zmq/dialer.hpp"
#include "shoset/zmq/listener.hpp"
#include "shoset/zmq/socket.hpp"
#include "shoset/zmq/zap.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <thread>
#include <utility>
#include <vector>

namespace mesh::shoset {
namespace {

struct Sample {
    double messagesPerSecond = 0;
    double microsCpu = 0;  // of both sides, I/O threads included, per message
};

double cpuSeconds()
{
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

class Stopwatch {
public:
    Sample stop(std::size_t messages) const
    {
        const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - startWall;
        const auto count = static_cast<double>(messages);
        return {count / wall.count(), (cpuSeconds() - startCpu) * 1e6 / count};
    }

private:
    std::chrono::steady_clock::time_point startWall = std::chrono::steady_clock::now();
    double startCpu = cpuSeconds();
};

template <class T>
T must(Result<T> result)
{
    if (!result) {
        std::fprintf(stderr, "%s\n", result.error().message.c_str());
        std::exit(1);
    }
    return std::move(result.value());
}

void must(const Result<void>& result)
{
    if (!result) {
        std::fprintf(stderr, "%s\n", result.error().message.c_str());
        std::exit(1);
    }
}

// Sends until the dialer's queue is full, then goes on when there is room.
struct Source {
    std::size_t left;
    std::size_t size;
    MeshDialer* dialer = nullptr;

    void run()
    {
        while (left > 0 && dialer->send(std::string(size, 'x')) == Code::ok) {
            --left;
        }
    }
};

Sample measureOurs(std::size_t messages, std::size_t size)
{
    const KeyPair server = must(generateKeyPair());
    const Context receiving = must(Context::create());
    boost::asio::io_context receiverLoop;
    auto zap = must(Zap::start(receiving, receiverLoop, [](auto, auto, auto) { return "bench"; }));
    std::size_t received = 0;
    ListenerOptions options;
    options.keys = server;
    auto listener = must(MeshListener::bind(receiving, receiverLoop, "tcp://127.0.0.1:*", options,
                                            {.onMessage = [&](PeerId, std::string_view, std::string_view) {
                                                if (++received == messages) {
                                                    receiverLoop.stop();
                                                }
                                            }}));
    const std::string endpoint = listener->endpoint();
    std::atomic<bool> done = false;
    const Stopwatch watch;
    std::thread sender([&] {
        const Context sending = must(Context::create());
        boost::asio::io_context loop;
        Source source{messages, size};
        DialerOptions dialling;
        dialling.endpoint = endpoint;
        dialling.serverKey = server.publicKey;
        dialling.keys = must(generateKeyPair());
        auto dialer = must(MeshDialer::connect(
            sending, loop, dialling, {.onWritable = [&] { source.run(); }, .onConnected = [&] { source.run(); }}));
        source.dialer = dialer.get();
        while (!done) {
            loop.run_one_for(std::chrono::milliseconds(10));
        }
    });
    receiverLoop.run();
    const Sample sample = watch.stop(messages);
    done = true;
    sender.join();
    return sample;
}

Sample measureBare(std::size_t messages, std::size_t size)
{
    const KeyPair server = must(generateKeyPair());
    const Context receiving = must(Context::create());
    Socket router = must(Socket::open(receiving, ZMQ_ROUTER));
    must(firstError({router.set(ZMQ_CURVE_SERVER, 1), router.set(ZMQ_CURVE_SECRETKEY, server.secretKey.cString())}));
    must(router.bind("tcp://127.0.0.1:*"));
    const std::string endpoint = router.lastEndpoint();
    std::atomic<bool> done = false;
    const Stopwatch watch;
    std::thread sender([&] {
        const Context sending = must(Context::create());
        const KeyPair keys = must(generateKeyPair());
        Socket dealer = must(Socket::open(sending, ZMQ_DEALER));
        must(firstError({dealer.set(ZMQ_CURVE_SERVERKEY, server.publicKey),
                         dealer.set(ZMQ_CURVE_PUBLICKEY, keys.publicKey),
                         dealer.set(ZMQ_CURVE_SECRETKEY, keys.secretKey.cString())}));
        must(dealer.connect(endpoint));
        for (std::size_t i = 0; i < messages; ++i) {
            zmq_msg_t message;
            zmq_msg_init_size(&message, size);
            std::fill_n(static_cast<char*>(zmq_msg_data(&message)), size, 'x');
            zmq_msg_send(&message, dealer.handle(), 0);
        }
        while (!done) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    });
    Part part;
    for (std::size_t received = 0; received < messages;) {
        zmq_msg_recv(part.raw(), router.handle(), 0);
        received += part.more() ? 0 : 1;
    }
    const Sample sample = watch.stop(messages);
    done = true;
    sender.join();
    return sample;
}

// Request and reply between two threads, `inFlight` at a time: microseconds per round trip.
Sample measureRoundTrips(std::size_t messages, std::size_t size, int inFlight)
{
    const KeyPair server = must(generateKeyPair());
    const Context receiving = must(Context::create());
    boost::asio::io_context serverLoop;
    auto zap = must(Zap::start(receiving, serverLoop, [](auto, auto, auto) { return "bench"; }));
    MeshListener* answering = nullptr;
    ListenerOptions options;
    options.keys = server;
    auto listener = must(MeshListener::bind(receiving, serverLoop, "tcp://127.0.0.1:*", options,
                                            {.onMessage = [&](PeerId peer, std::string_view, std::string_view frame) {
                                                (void)answering->send(peer, std::string(frame));
                                            }}));
    answering = listener.get();
    const std::string endpoint = listener->endpoint();
    Sample sample;
    std::thread client([&] {
        const Context sending = must(Context::create());
        boost::asio::io_context loop;
        DialerOptions dialling;
        dialling.endpoint = endpoint;
        dialling.serverKey = server.publicKey;
        dialling.keys = must(generateKeyPair());
        MeshDialer* self = nullptr;
        std::size_t answered = 0;
        const auto ask = [&] { (void)self->send(std::string(size, 'x')); };
        auto dialer = must(MeshDialer::connect(sending, loop, dialling,
                                               {.onMessage =
                                                    [&](std::string_view) {
                                                        ++answered;
                                                        ask();
                                                    },
                                                .onConnected =
                                                    [&] {
                                                        for (int i = 0; i < inFlight; ++i) {
                                                            ask();
                                                        }
                                                    }}));
        self = dialer.get();
        const Stopwatch watch;
        while (answered < messages) {
            loop.run_one();
        }
        sample = watch.stop(messages);
        serverLoop.stop();
    });
    serverLoop.run();
    client.join();
    return sample;
}

Sample median(std::vector<Sample> samples)
{
    const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
    std::nth_element(samples.begin(), middle, samples.end(),
                     [](const Sample& a, const Sample& b) { return a.messagesPerSecond < b.messagesPerSecond; });
    return *middle;
}

int run(std::size_t base, int rounds, std::size_t only)
{
    std::printf("%8s  %12s %10s   %12s %10s   %6s\n", "bytes", "ours msg/s", "us CPU", "bare msg/s", "us CPU", "ratio");
    std::vector<std::pair<std::size_t, std::size_t>> sizes{{128, base}, {1024, base}, {16384, base / 10}};
    if (only != 0) {
        sizes = {{only, base}};
    }
    for (const auto& [size, messages] : sizes) {
        std::vector<Sample> ours;
        std::vector<Sample> bare;
        for (int i = 0; i < rounds; ++i) {
            ours.push_back(measureOurs(messages, size));
            bare.push_back(measureBare(messages, size));
        }
        const Sample a = median(ours);
        const Sample b = median(bare);
        std::printf("%8zu  %12.0f %10.2f   %12.0f %10.2f   %6.2f\n", size, a.messagesPerSecond, a.microsCpu,
                    b.messagesPerSecond, b.microsCpu, a.messagesPerSecond / b.messagesPerSecond);
    }
    if (only != 0) {
        return 0;
    }
    std::printf("\n%8s  %12s %12s %10s\n", "inflight", "round trips/s", "us each", "us CPU");
    for (const int inFlight : {1, 8, 64}) {
        const Sample trip = measureRoundTrips(base / 10, 128, inFlight);
        std::printf("%8d  %12.0f %12.1f %10.2f\n", inFlight, trip.messagesPerSecond,
                    1e6 / trip.messagesPerSecond * inFlight, trip.microsCpu);
    }
    return 0;
}

}  // namespace
}  // namespace mesh::shoset

int main(int argc, char** argv)
{
    std::size_t messages = 500000;
    std::size_t only = 0;
    int rounds = 5;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        if (name == "--messages") {
            messages = std::strtoull(argv[i + 1], nullptr, 10);
        } else if (name == "--rounds") {
            rounds = static_cast<int>(std::strtol(argv[i + 1], nullptr, 10));
        } else if (name == "--size") {
            only = std::strtoull(argv[i + 1], nullptr, 10);
        }
    }
    return mesh::shoset::run(messages, rounds, only);
}
