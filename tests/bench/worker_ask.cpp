// One worker asks another one, at another connector, one command at a time, with the C++ library as it stands.
//
//     worker_ask ANSWERING_SOCKET ASKING_SOCKET TARGET BYTES COUNT
//
// TARGET: name of the connector with the first socket. Prints "ready" when the first one was answered; then "asked <SECONDS> <P50> <P99>",
// microseconds, for each line of its input, and ends with that. An answer that is not what was asked ends it with a sentence.

#include "connector/worker/worker.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace mesh::worker {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr int lookAgain = 100;  // milliseconds
constexpr auto readyPatience = 30s;  // for what the workers offer, and the policy, to be known everywhere

[[noreturn]] void fail(const std::string& reason)
{
    std::fprintf(stderr, "%s\n", reason.c_str());
    std::_Exit(EXIT_FAILURE);
}

void serve(Worker& worker)
{
    if (const Result<void> ended = worker.run(1); !ended) {
        fail(ended.error().message);
    }
}

std::string payloadOf(std::size_t number, std::size_t bytes)
{
    std::string text = "{\"n\":" + std::to_string(number) + ",\"x\":\"";
    text.resize(std::max(bytes, text.size() + 2) - 2, 'x');
    return text + "\"}";
}

void measure(Worker& asking, const Target& target, std::size_t bytes, std::size_t count)
{
    std::vector<double> micros;
    const SteadyClock::time_point begun = SteadyClock::now();
    for (std::size_t i = 0; i < count; ++i) {
        const std::string payload = payloadOf(i, bytes);
        const SteadyClock::time_point asked = SteadyClock::now();
        const Answer answer = asking.send(target, "bench.echo", payload);
        micros.push_back(std::chrono::duration<double, std::micro>(SteadyClock::now() - asked).count());
        if (!answer.success || answer.payload != payload) {
            fail("command " + std::to_string(i) + " ended otherwise: " + answer.code + " " + answer.text + " " + answer.payload);
        }
    }
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - begun).count();
    std::sort(micros.begin(), micros.end());
    std::cout << "asked " << seconds << ' ' << micros[count / 2] << ' ' << micros[count * 99 / 100] << std::endl;
}

int run(char** argv)
{
    Worker answering({"echo", "bench", "1.0", argv[1]});
    answering.serve("bench.echo", {}, [](const std::string& payload, Call&) { return Outcome::done(payload); });
    Worker asking({"asker", "bench", "1.0", argv[2]});
    std::thread first([&answering] { serve(answering); });
    std::thread second([&asking] { serve(asking); });
    Target target;
    target.name = argv[3];
    const std::size_t bytes = std::strtoul(argv[4], nullptr, 10), count = std::max<std::size_t>(std::strtoul(argv[5], nullptr, 10), 1);
    const SteadyClock::time_point end = SteadyClock::now() + readyPatience;
    for (Answer answer = asking.send(target, "bench.echo"); !answer.success; answer = asking.send(target, "bench.echo")) {
        if (SteadyClock::now() > end) {
            fail("no answer: " + answer.code + " " + answer.text);
        }
        ::poll(nullptr, 0, lookAgain);
    }
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        measure(asking, target, bytes, count);
    }
    std::cout.flush();
    std::_Exit(EXIT_SUCCESS);
}

}  // namespace
}  // namespace mesh::worker

int main(int argc, char** argv)
{
    if (argc != 6) {
        std::fprintf(stderr, "usage: worker_ask ANSWERING_SOCKET ASKING_SOCKET TARGET BYTES COUNT\n");
        return 2;
    }
    return mesh::worker::run(argv);
}
