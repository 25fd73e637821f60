// Many connectors in one process, for what one costs an aggregator: real cores on real links, each with a BMC that
// answers from memory. Speaks lines: prints "key <Z85>" for each connector, then takes from its input
//
//     connect <endpoint> <server key> <N>   dials until N connectors exist; "connected <N> <seconds>" when all are linked
//     links <K>                             "linked <N> <seconds>" when those that exist have K links each, as they are told
//     counters                              "commands <N>", executed by all together
//
// and ends with its input.
//
//     many_connectors COUNT SERVER_NAME [LINKS [FIRST]]     of each, at most: 1; the number of the first: 0

#include "connector/core/connector.hpp"
#include "shoset/base/limits.hpp"
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
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace mesh::connector {
namespace {

constexpr std::size_t descriptorsEach = 8;  // of one link

[[noreturn]] void fail(const std::string& reason)
{
    std::fprintf(stderr, "%s\n", reason.c_str());
    std::exit(EXIT_FAILURE);
}

// A system of about 4 KB with 20 links, as the satellites of the other measurements serve it.
std::string systemBody()
{
    std::string body = R"({"@odata.id":"/redfish/v1/Systems/1","Id":"1","Name":"System","Links":[)";
    for (int i = 0; i < 19; ++i) {
        body += (i == 0 ? "" : ",");
        body += R"({"@odata.id":"/redfish/v1/Chassis/1/Sensors/)" + std::to_string(i) + R"("})";
    }
    body += R"(],"Description":")";
    return body + std::string(4096 - body.size() - 2, 'x') + "\"}";
}

class InMemoryBmc final : public BmcPort {
public:
    InMemoryBmc(host::Loop& ownLoop, std::size_t number) : loop(ownLoop)
    {
        char uuid[64];
        std::snprintf(uuid, sizeof uuid, "00000000-0000-4000-8000-%012zu", number + 1);
        root = std::string(R"({"@odata.id":"/redfish/v1/","UUID":")") + uuid +
               R"(","RedfishVersion":"1.15.0","Systems":{"@odata.id":"/redfish/v1/Systems"}})";
    }

    BmcEvents* events = nullptr;
    std::function<void()> endTurn;

    void start(BmcExchange id, RequestHead head, std::string, bool, std::int64_t, bool, Instant) override
    {
        boost::asio::post(loop.context(), [this, id, target = std::move(head.target)] {
            const std::string* body = bodyOf(target);
            events->onHead(id, {body != nullptr ? 200 : 404, {{"Content-Type", "application/json"}}}, body != nullptr,
                           loop.now());
            if (body != nullptr) {
                events->onBody(id, *body, true, loop.now());
            }
            endTurn();
        });
    }
    void sendBody(BmcExchange, std::string, bool) override {}
    void grant(BmcExchange, std::size_t) override {}
    void cancel(BmcExchange) override {}

private:
    const std::string* bodyOf(const std::string& target) const
    {
        static const std::string systems =
            R"({"@odata.id":"/redfish/v1/Systems","Members":[{"@odata.id":"/redfish/v1/Systems/1"}]})";
        static const std::string system = systemBody();
        if (target == "/redfish/v1/") {
            return &root;
        }
        if (target == "/redfish/v1/Systems") {
            return &systems;
        }
        return target == "/redfish/v1/Systems/1" ? &system : nullptr;
    }

    host::Loop& loop;
    std::string root;
};

// Nothing but reads is measured.
class NoJournal final : public JournalPort {
public:
    void persist(std::uint64_t, std::string) override { fail("something was written to the journal"); }
    void rewrite(std::string) override {}
};

// What is saved needs to last no longer than the process.
class NoFiles final : public StatePort {
public:
    explicit NoFiles(host::Loop& ownLoop) : loop(ownLoop) {}

    std::function<void(StateFile)> onSaved;

    void save(StateFile file, std::string) override
    {
        boost::asio::post(loop.context(), [this, file] { onSaved(file); });
    }

private:
    host::Loop& loop;
};

// As connector::Daemon, without its files and its HTTP client.
class Agent final : public ConnectorPort {
public:
    Agent(host::Loop& ownLoop, std::size_t ownNumber, shoset::KeyPair ownKeys)
        : loop(ownLoop), number(ownNumber), keys(std::move(ownKeys)), bmc(ownLoop, number), files(ownLoop),
          timer(ownLoop.context())
    {
        bmc.endTurn = [this] { endTurn(); };
        files.onSaved = [this](StateFile file) {
            core->onSaved(file, {}, loop.now());
            endTurn();
        };
    }

    void start(const shoset::Context& zmq, const std::string& name, const std::string& endpoint, const std::string& key)
    {
        context = zmq;
        core.emplace(ConnectorSettings{"c" + std::to_string(number), {}, {}, {{name, endpoint, key}}}, *this, bmc, journal, files,
                     rng);
        bmc.events = &*core;
        core->start(loop.now());
        endTurn();
    }

    void dial(shoset::LinkId link, const shoset::AggregatorAddress& address, const std::string&) override
    {
        shoset::DialerHandlers handlers;
        handlers.onMessage = [this, link](std::string_view frame) { core->onFrame(link, frame, loop.now()); };
        handlers.onBatchEnd = [this] { endTurn(); };
        handlers.onConnected = [this, link] {
            core->onConnected(link, loop.now());
            endTurn();
        };
        handlers.onDisconnected = [this, link] { disconnected(link); };
        handlers.onHandshakeFailed = [](const std::string& reason) { std::fprintf(stderr, "%s\n", reason.c_str()); };
        auto made =
            shoset::MeshDialer::connect(*context, loop.context(), {address.endpoint, address.key, keys}, std::move(handlers));
        if (!made) {
            fail(made.error().message);
        }
        dialers[link] = std::move(*made);
    }
    // Its handlers may be what runs now.
    void hangUp(shoset::LinkId link) override
    {
        boost::asio::post(loop.context(), [this, link] { dialers.erase(link); });
    }

    void sendFrame(shoset::LinkId link, std::string frame) override
    {
        if (dialers.at(link)->send(std::move(frame)) != Code::ok) {
            boost::asio::post(loop.context(), [this, link] { disconnected(link); });
        }
    }
    void resetLink(shoset::LinkId link) override
    {
        if (const auto found = dialers.find(link); found != dialers.end()) {
            found->second->reset();
        }
    }

    const std::string& publicKey() const { return keys.publicKey; }
    std::size_t linksUp() const { return core ? core->linksUp() : 0; }
    std::uint64_t commands() const { return core ? core->executorCounters().commands : 0; }

private:
    void disconnected(shoset::LinkId link)
    {
        core->onDisconnected(link, loop.now());
        resetLink(link);
        endTurn();
    }
    void endTurn()
    {
        core->flush();
        const Instant next = core->nextDeadline();
        if (next >= armedFor) {
            return;
        }
        armedFor = next;
        timer.expires_after(std::max<Duration>(next - loop.now().mono, Duration{0}));
        timer.async_wait([this](const boost::system::error_code& error) {
            if (!error) {
                armedFor = never;
                core->onTimer(loop.now());
                endTurn();
            }
        });
    }

    host::Loop& loop;
    const std::size_t number;
    host::SystemRng rng;
    shoset::KeyPair keys;
    InMemoryBmc bmc;
    NoJournal journal;
    NoFiles files;
    std::optional<shoset::Context> context;
    std::optional<Connector> core;
    std::map<shoset::LinkId, std::unique_ptr<shoset::MeshDialer>> dialers;
    boost::asio::steady_timer timer;
    Instant armedFor = never;
};

class Crowd {
public:
    Crowd(host::Loop& ownLoop, shoset::Context zmq, std::size_t count, std::size_t first, std::string name)
        : loop(ownLoop), context(std::move(zmq)), serverName(std::move(name)), poll(ownLoop.context())
    {
        for (std::size_t i = 0; i < count; ++i) {
            auto pair = shoset::generateKeyPair();
            if (!pair) {
                fail(pair.error().message);
            }
            agents.push_back(std::make_unique<Agent>(loop, first + i, std::move(*pair)));
            std::cout << "key " << agents.back()->publicKey() << '\n';
        }
        std::cout << std::flush;
    }

    void obey(const std::string& line)
    {
        std::istringstream words(line);
        std::string verb, endpoint, key;
        std::size_t count = 0;
        words >> verb;
        if (verb == "connect" && words >> endpoint >> key >> count && count <= agents.size()) {
            const auto begin = std::chrono::steady_clock::now();
            for (; dialled < count; ++dialled) {
                agents[dialled]->start(context, serverName, endpoint, key);
            }
            report("connected", 1, begin);
        } else if (verb == "links" && words >> count) {
            report("linked", count, std::chrono::steady_clock::now());
        } else if (verb == "counters") {
            std::uint64_t all = 0;
            for (const auto& agent : agents) {
                all += agent->commands();
            }
            std::cout << "commands " << all << std::endl;
        } else {
            fail("not understood: " + line);
        }
    }

private:
    void report(const std::string& word, std::size_t linksEach, std::chrono::steady_clock::time_point begin)
    {
        const auto end = agents.begin() + static_cast<std::ptrdiff_t>(dialled);
        if (std::all_of(agents.begin(), end, [&](const auto& agent) { return agent->linksUp() >= linksEach; })) {
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
            std::cout << word << ' ' << dialled << ' ' << took.count() << std::endl;
            return;
        }
        poll.expires_after(std::chrono::milliseconds(2));
        poll.async_wait(
            [this, word, linksEach, begin](const boost::system::error_code&) { report(word, linksEach, begin); });
    }

    host::Loop& loop;
    shoset::Context context;
    const std::string serverName;
    std::vector<std::unique_ptr<Agent>> agents;
    std::size_t dialled = 0;
    boost::asio::steady_timer poll;
};

int run(std::size_t count, const std::string& serverName, std::size_t linksEach, std::size_t first)
{
    if (auto raised = shoset::raiseDescriptorLimit(count * linksEach * descriptorsEach + 256); !raised) {
        fail(raised.error().message);
    }
    auto context = shoset::Context::create();
    if (!context) {
        fail(context.error().message);
    }
    host::Loop loop;
    Crowd crowd(loop, std::move(*context), count, first, serverName);
    std::thread input([&loop, &crowd] {
        for (std::string line; std::getline(std::cin, line);) {
            boost::asio::post(loop.context(), [&crowd, line] { crowd.obey(line); });
        }
        loop.stop();
    });
    loop.run();
    input.join();
    std::cout.flush();
    std::_Exit(EXIT_SUCCESS);  // a thousand orderly goodbyes measure nothing
}

}  // namespace
}  // namespace mesh::connector

int main(int argc, char** argv)
{
    if (argc < 3 || argc > 5) {
        std::fprintf(stderr, "usage: many_connectors COUNT SERVER_NAME [LINKS [FIRST]]\n");
        return 2;
    }
    const auto number = [&](int at, std::size_t otherwise) {
        return argc > at ? std::strtoul(argv[at], nullptr, 10) : otherwise;
    };
    return mesh::connector::run(number(1, 0), argv[2], number(3, 1), number(4, 0));
}
