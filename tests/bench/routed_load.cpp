// What an aggregator that only routes has to do: messages from another aggregator to a connector behind it, and the answers
// back. Both ends are here, real links on threads and ZeroMQ contexts of their own, with nothing behind them. Says
// "linked" for each of the two, then takes from its input:
//
//     ask <BYTES> <COUNT> <WINDOW>       each one is answered with as many bytes, WINDOW at a time:
//                                        "asked <SECONDS> <P50> <P99>", microseconds
//     stream <BYTES> <COUNT> <WINDOW>    one way, and a word back for 64 of them: "streamed <SECONDS>"
//
// and ends with its input. Each message is looked at where it arrives: a wrong one ends the program with a sentence.
//
//     routed_load NODE NODE_KEY PEERS_ENDPOINT MESH_ENDPOINT  PEER PEER_KEY_FILE  CONNECTOR CONNECTOR_KEY_FILE
//
// PEER sorts before NODE, so that it is the one that dials.

#include "shoset/base/limits.hpp"
#include "shoset/core/link.hpp"
#include "shoset/host/loop.hpp"
#include "shoset/host/system_rng.hpp"
#include "shoset/zmq/context.hpp"
#include "shoset/zmq/dialer.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mesh::shoset {
namespace {

constexpr std::size_t wordEvery = 64;  // messages of a stream

[[noreturn]] void fail(const std::string& reason)
{
    std::fprintf(stderr, "%s\n", reason.c_str());
    std::_Exit(EXIT_FAILURE);
}

template <class T>
T must(Result<T> result)
{
    if (!result) {
        fail(result.error().message);
    }
    return std::move(*result);
}

// One end of one link, with a loop and a thread of its own.
class End final : public FramePort, public LinkEvents {
public:
    using Arrived = std::function<void(const Record& record, const Envelope& envelope, Now now)>;

    End(std::string ownName, const std::string& keyFile, const std::string& node, const std::string& nodeKey,
        const std::string& endpoint)
        : name(std::move(ownName)), self{name, 1, capabilityRedfish | capabilityStreams, "bench"},
          context(must(Context::create())), timer(loop.context()), link(1, Link::Role::dialer, node, self, *this, *this, counters)
    {
        DialerHandlers handlers;
        handlers.onMessage = [this](std::string_view frame) { link.onFrame(frame, loop.now()); };
        handlers.onBatchEnd = [this] { endTurn(); };
        handlers.onConnected = [this] {
            link.onConnected(loop.now());
            endTurn();
        };
        handlers.onDisconnected = [this] { fail(name + " lost its connection: " + link.downReason()); };
        handlers.onHandshakeFailed = [](const std::string& reason) { std::fprintf(stderr, "%s\n", reason.c_str()); };
        dialer = must(MeshDialer::connect(context, loop.context(), {endpoint, nodeKey, must(loadKeyFile(keyFile))}, std::move(handlers)));
    }

    Arrived arrived;
    std::function<void(Now now)> beforeFlush = [](Now) {};
    std::function<void()> linked = [] {};

    void run() { loop.run(); }
    void post(std::function<void()> what)
    {
        boost::asio::post(loop.context(), [this, what = std::move(what)] {
            what();
            endTurn();
        });
    }
    void send(const MessageId& id, const Address& to, Content content, std::string_view body, Now now)
    {
        if (!link.append({id, link.assignedName(), to, std::move(content)}, body, flagLast, never, now, limits::maxHops)) {
            fail(name + " cannot send: " + link.downReason());
        }
    }
    Now now() const { return loop.now(); }
    host::SystemRng rng;

    void sendFrame(LinkId, std::string frame) override
    {
        if (dialer->send(std::move(frame)) != Code::ok) {
            fail(name + ": too much waits for the node; the window is too wide");
        }
    }
    void resetLink(LinkId) override { dialer->reset(); }
    void onLinkUp(LinkId, Now) override { linked(); }
    void onLinkDown(LinkId, const std::string& reason, Now) override { fail(name + " lost its link: " + reason); }
    void onRecord(LinkId, const Record& record, Now now) override
    {
        if (record.prelude.kind == Kind::command || record.prelude.kind == Kind::reply) {
            arrived(record, must(peekEnvelope(record.header)), now);
        }
    }

private:
    void endTurn()
    {
        beforeFlush(loop.now());
        link.flush();
        const Instant next = link.nextDeadline();
        if (next >= armedFor || next == never) {
            return;
        }
        armedFor = next;
        timer.expires_after(std::max<Duration>(next - loop.now().mono, Duration{0}));
        timer.async_wait([this](const boost::system::error_code& error) {
            if (!error) {
                armedFor = never;
                link.onTimer(loop.now());
                endTurn();
            }
        });
    }

    const std::string name;
    const LinkSelf self;
    host::Loop loop;
    Context context;
    LinkCounters counters;
    boost::asio::steady_timer timer;
    std::unique_ptr<MeshDialer> dialer;
    Link link;
    Instant armedFor = never;
};

// Answers messages of the first letter 'a' with as many bytes, and those of 's' with one word for all 64 of them.
class Answerer {
public:
    explicit Answerer(End& ownEnd) : end(ownEnd)
    {
        end.arrived = [this](const Record& record, const Envelope& envelope, Now now) { onRecord(record, envelope, now); };
    }

private:
    void onRecord(const Record& record, const Envelope& envelope, Now now)
    {
        if (record.prelude.kind != Kind::command || record.body.empty() || (record.body[0] != 'a' && record.body[0] != 's')) {
            return;  // of the node's own, when it asks for this satellite's members
        }
        const bool each = record.body[0] == 'a';
        count = each ? 0 : count + 1;
        if (each || count == wordEvery) {
            count = 0;
            const std::string_view body = each ? record.body : std::string_view("s");
            end.send(must(MessageId::fromBytes(envelope.id)), Address(envelope.source), Reply{}, body, now);
        }
    }

    End& end;
    std::size_t count = 0;
};

class Asker {
public:
    Asker(End& ownEnd, Address whom) : end(ownEnd), target(std::move(whom))
    {
        end.arrived = [this](const Record& record, const Envelope& envelope, Now now) { onRecord(record, envelope, now); };
        end.beforeFlush = [this](Now now) { pump(now); };
    }

    void begin(bool asksEach, std::size_t bytes, std::size_t wanted, std::size_t wideness)
    {
        each = asksEach;
        body.assign(std::max<std::size_t>(bytes, 1), 'x');
        body[0] = each ? 'a' : 's';
        count = each ? wanted : (wanted + wordEvery - 1) / wordEvery * wordEvery;
        window = each ? wideness : std::max(wideness, 2 * wordEvery);
        sent = answered = 0;
        micros.clear();
        micros.reserve(each ? count : 0);
        begun = end.now().mono;
    }

private:
    void pump(Now)
    {
        for (; sent < count && sent - answered < window; ++sent) {
            const Now now = end.now();
            Command command;
            command.name = "bench.routed";
            command.user = "bench";
            end.send(MessageId::make(now.wall, end.rng), target, std::move(command), body, now);
            if (each) {
                times.push_back(now.mono);
            }
        }
    }

    // In the order in which they were asked: one link each way.
    void onRecord(const Record& record, const Envelope&, Now)
    {
        if (record.prelude.kind != Kind::reply || answered >= sent) {
            return;
        }
        if (each ? record.body != body : record.body != "s") {
            fail("another answer than was to come, after " + std::to_string(answered));
        }
        answered += each ? 1 : wordEvery;
        if (each) {
            micros.push_back(std::chrono::duration<double, std::micro>(end.now().mono - times.front()).count());
            times.pop_front();
        }
        if (answered == count) {
            tell();
        }
    }

    void tell()
    {
        const double seconds = std::chrono::duration<double>(end.now().mono - begun).count();
        std::ostringstream line;
        line << (each ? "asked " : "streamed ") << seconds;
        if (each) {
            std::sort(micros.begin(), micros.end());
            line << ' ' << micros[micros.size() / 2] << ' ' << micros[micros.size() * 99 / 100];
        }
        count = 0;
        std::cout << line.str() << std::endl;
    }

    End& end;
    const Address target;
    bool each = true;
    std::string body;
    std::size_t count = 0, window = 0, sent = 0, answered = 0;
    std::deque<Instant> times;
    std::vector<double> micros;
    Instant begun{};
};

int run(char** argv)
{
    const std::string node = argv[1], nodeKey = argv[2], connector = argv[7];
    End peer(argv[5], argv[6], node, nodeKey, argv[3]);
    End satellite(connector.substr(connector.find('/') + 1), argv[8], node, nodeKey, argv[4]);
    Answerer answerer(satellite);
    Asker asker(peer, connector);
    satellite.linked = [&peer] { peer.post([] { std::cout << "linked" << std::endl; }); };
    peer.linked = [] { std::cout << "linked" << std::endl; };
    std::thread peerThread([&peer] { peer.run(); });
    std::thread satelliteThread([&satellite] { satellite.run(); });
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string verb;
        std::size_t bytes = 0, count = 0, window = 0;
        if (!(words >> verb >> bytes >> count >> window) || (verb != "ask" && verb != "stream") || count == 0 || window == 0) {
            fail("not understood: " + line);
        }
        peer.post([&asker, verb, bytes, count, window] { asker.begin(verb == "ask", bytes, count, window); });
    }
    std::cout.flush();
    std::_Exit(EXIT_SUCCESS);
}

}  // namespace
}  // namespace mesh::shoset

int main(int argc, char** argv)
{
    if (argc != 9) {
        std::fprintf(stderr, "usage: routed_load NODE NODE_KEY PEERS_ENDPOINT MESH_ENDPOINT PEER PEER_KEY_FILE CONNECTOR "
                             "CONNECTOR_KEY_FILE\n");
        return 2;
    }
    return mesh::shoset::run(argv);
}
