// Events by the million from workers of one connector, heard by workers of others, and a book about each of them: whether it
// was heard, where it stands, how long it took. For whoever kills connectors and aggregators meanwhile.
//
//     many_events --source SOCKET --listen SOCKET... [--count N] [--bytes N] [--topics N] [--emitters N] [--rate N]
//                 [--lag N] [--prefix bench] [--from start|now] [--patience SECONDS]
//
// --bytes: of each payload, 64 or more; --topics: of each emitter, which is a worker of its own and has at most as many
// events without an answer as a connector lets it; --rate: of all together, each second; 0 is as fast as it goes; --lag:
// emitters wait while the slowest listener has so many still to hear; 0: they never do. Prints "begun" when all are attached
// and "emitted" when all are accepted, then one JSON document, when all was heard or nothing came any more for --patience.
//
// What was accepted is known by the connector's answer: number, epoch and sequence. What had no answer when the connector died is
// emitted again, as the libraries do; what was refused is, too, after a while. A listener goes on from its cursor.

#include "shoset/base/limits.hpp"
#include "tests/bench/worker_line.hpp"

#include <nlohmann/json.hpp>
#include <zmq.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mesh::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t mostUnanswered = limits::maxUnansweredEvents - 6;
constexpr auto refusedPause = 20ms;
constexpr auto placedPatience = 2s;
constexpr std::size_t takenAtOnce = 16;

struct Options {
    std::string source;
    std::vector<std::string> listen;
    std::size_t count = 1'000'000, bytes = 128, topics = 2, emitters = 4, rate = 0, lag = 0, patience = 60;
    std::string prefix = "bench", from = "start";
};

struct Place {
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
    auto operator<=>(const Place&) const = default;
};

// Of all events, by number. Each emitter has numbers of its own, so that nobody waits for another.
struct Book {
    explicit Book(std::size_t count) : accepted(count), repeated(count), refused(count) {}
    std::vector<Place> accepted;
    std::vector<std::uint8_t> repeated;  // so often emitted again without an answer
    std::vector<std::uint8_t> refused;   // at least once
    std::atomic<std::size_t> emitted = 0;             // for the first time
    std::deque<std::atomic<std::size_t>> heard = {};  // by each listener, for the first time

    Place last() const { return *std::max_element(accepted.begin(), accepted.end()); }
};

class Emitter final : public WorkerLine {
public:
    Emitter(void* zmq, const Options& chosen, std::size_t number, std::size_t from, std::size_t to, Book& ledger)
        : WorkerLine(zmq, chosen.source, chosen.prefix + "-emitter-" + std::to_string(number)), options(chosen), first(from),
          next(from), end(to), book(ledger)
    {
        for (std::size_t i = 0; i < options.topics; ++i) {
            topics.push_back(options.prefix + ".e" + std::to_string(number) + "t" + std::to_string(i));
        }
    }

    void begin() { begunAt = Clock::now(); }
    bool isDone() const { return next == end && again.empty() && sent.empty(); }
    void work()
    {
        acceptedAt = Clock::now();
        while (!isDone()) {
            pump();
            turn(sent.size() < mostUnanswered && !isPaused() && isRegistered() ? 1ms : 5ms);
            if (Clock::now() - acceptedAt > std::chrono::seconds(options.patience)) {
                fail("nothing was accepted for " + std::to_string(options.patience) + " s");
            }
        }
        endedAt = Clock::now();
    }
    std::size_t topicOf(std::uint64_t number) const { return (number - first) % topics.size(); }
    Clock::time_point ended() const { return endedAt; }
    const std::map<std::string, std::uint64_t>& refusals() const { return refusedFor; }
    std::uint64_t outOfOrder() const { return disordered; }

private:
    bool isPaused() const { return Clock::now() < pausedUntil; }
    bool isAhead() const
    {
        const auto slowest = std::min_element(book.heard.begin(), book.heard.end());
        return options.lag != 0 && slowest != book.heard.end() && book.emitted >= *slowest + options.lag;
    }
    // How many may have been emitted by now.
    std::size_t due() const
    {
        const std::size_t rate = options.rate / options.emitters;
        const double seconds = std::chrono::duration<double>(Clock::now() - begunAt).count();
        return rate == 0 ? end : first + static_cast<std::size_t>(seconds * static_cast<double>(rate));
    }
    void pump()
    {
        const std::size_t most = due();
        const auto mayEmit = [this] { return isRegistered() && !isPaused() && sent.size() < mostUnanswered; };
        while (mayEmit() && (!again.empty() || (next < end && next < most && !isAhead()))) {
            const std::uint64_t number = again.empty() ? next : again.front();
            if (!emit(number)) {
                return;
            }
            sent.emplace(lastRef, number);
            if (again.empty()) {
                ++next;
                ++book.emitted;
            } else {
                again.pop_front();
            }
        }
    }
    bool emit(std::uint64_t number)
    {
        std::string payload = R"({"n":)" + std::to_string(number) + R"(,"t":)" + std::to_string(microsNow()) + R"(,"x":")";
        payload.append(std::max(options.bytes, payload.size() + 2) - payload.size() - 2, 'x');
        const std::string word = R"({"message":"event","ref":)" + std::to_string(lastRef + 1) + R"(,"topic":")" +
                                 topics[topicOf(number)] + R"(","name":"told","payload":)" + payload + "\"}}";
        const bool left = send(word);
        lastRef += left ? 1 : 0;
        return left;
    }

    // What was not answered may be there or not: all of it again, in its order, before anything else.
    void onRegistered() override
    {
        for (auto at = sent.rbegin(); at != sent.rend(); ++at) {
            std::uint8_t& times = book.repeated[at->second];
            times = static_cast<std::uint8_t>(std::min(times + 1, 255));
            again.push_front(at->second);
        }
        sent.clear();
    }

    void onWord(std::string_view kind, std::string_view word) override
    {
        const auto found = sent.find(numberBehind(word, "\"ref\":").value_or(0));
        if (found == sent.end()) {
            return;
        }
        const std::uint64_t number = found->second;
        if (kind == "accepted") {
            const Place place{numberBehind(word, "\"epoch\":").value_or(0), numberBehind(word, "\"sequence\":").value_or(0)};
            disordered += place <= last ? 1 : 0;
            last = book.accepted[number] = place;
            acceptedAt = Clock::now();
        } else if (kind == "not_accepted") {
            const std::string code(textBehind(word, "\"code\":"));
            if (code != "outbox_full" && code != "write_budget" && code != "too_many" && code != "not_stored") {
                fail("not accepted: " + std::string(word));
            }
            ++refusedFor[code];
            book.refused[number] = 1;
            again.insert(std::upper_bound(again.begin(), again.end(), number), number);
            pausedUntil = Clock::now() + refusedPause;
        } else {
            return;
        }
        sent.erase(found);
    }

    const Options& options;
    const std::size_t first;
    std::size_t next;
    const std::size_t end;
    Book& book;
    std::vector<std::string> topics;
    std::uint64_t lastRef = 0;
    std::map<std::uint64_t, std::uint64_t> sent;  // numbers by ref, in the order in which they left
    std::deque<std::uint64_t> again;
    Place last;                                   // that was accepted
    Clock::time_point pausedUntil;
    Clock::time_point begunAt, acceptedAt, endedAt;
    std::map<std::string, std::uint64_t> refusedFor;
    std::uint64_t disordered = 0;
};

class Listener final : public WorkerLine {
public:
    Listener(void* zmq, const Options& chosen, const std::string& socketPath, std::size_t number, std::atomic<std::size_t>& first)
        : WorkerLine(zmq, socketPath, chosen.prefix + "-listener-" + std::to_string(number)), options(chosen), count(first),
          places(chosen.count), times(chosen.count), micros(chosen.count)
    {
    }

    // Who begins now is told where, but for sources that nobody has heard of yet.
    bool hasBegun() const
    {
        return subscribed && (options.from != "now" || placed || Clock::now() - subscribedAt > placedPatience);
    }
    // Until all up to there is heard, `emitted` being what says that it is known.
    void work(const std::atomic<bool>& emitted, const Place& to)
    {
        while (!(emitted && heard >= to) && Clock::now() - heardLast < std::chrono::seconds(options.patience)) {
            turn(5ms);
            tellTaken();
        }
        gaveUp = !emitted || heard < to;
    }
    nlohmann::json report(const Book& book, const std::vector<std::unique_ptr<Emitter>>& emitters, Clock::time_point begun) const;

    Clock::time_point heardLast = Clock::now();

private:
    void onRegistered() override
    {
        const std::string at = R"("cursor","cursor":{")" + source + R"(":")" + cursor + "\"}";
        const std::string from = source.empty() ? "\"" + options.from + "\"" : at;
        if (!send(R"({"message":"subscribe","subscription":"all","topics":[")" + options.prefix + R"(.*"],"from":)" + from + "}")) {
            fail("a subscription did not leave");
        }
        taken = told = 0;
    }
    void tellTaken()
    {
        const std::string word = R"({"message":"taken","subscription":"all","total":)" + std::to_string(taken) + "}";
        if (isRegistered() && taken > told && send(word)) {
            told = taken;
        }
    }

    void onWord(std::string_view kind, std::string_view word) override
    {
        if (kind == "subscribed") {
            subscribed = true;
            subscribedAt = Clock::now();
        } else if (kind == "cursor") {
            placed = true;
        } else if (kind == "not_subscribed") {
            fail("not subscribed: " + std::string(word));
        } else if (kind == "gap") {
            gaps += numberBehind(word, "\"lost\":").value_or(0);
            note(word);
        } else if (kind == "event") {
            const Place place = note(word);
            const std::optional<std::uint64_t> number = numberBehind(word, "\"payload\":{\"n\":");
            if (!number || *number >= options.count) {
                ++foreign;
            } else {
                onEvent(*number, place, numberBehind(word, ",\"t\":").value_or(0));
            }
        }
        if ((kind == "gap" || kind == "event") && ++taken >= told + takenAtOnce) {
            tellTaken();
        }
    }
    // Where it stands. There is one source.
    Place note(std::string_view word)
    {
        cursor = textBehind(word, "\"cursor\":");
        source = textBehind(word, "\"source\":");
        const std::string_view behind = std::string_view(cursor).substr(cursor.find(':') + 1);
        const Place place{std::strtoull(cursor.c_str(), nullptr, 10), std::strtoull(behind.data(), nullptr, 10)};
        disordered += place <= heard ? 1 : 0;
        heard = std::max(heard, place);
        heardLast = Clock::now();
        return place;
    }
    void onEvent(std::uint64_t number, Place place, std::uint64_t sentAt)
    {
        if (times[number] == 0) {
            const std::uint64_t took = std::min<std::uint64_t>(microsNow() - sentAt, UINT32_MAX);
            micros[number] = static_cast<std::uint32_t>(took);
            ++count;
        }
        times[number] = static_cast<std::uint8_t>(std::min(times[number] + 1, 255));
        places[number] = place;
    }

    const Options& options;
    std::atomic<std::size_t>& count;
    std::vector<Place> places;          // where each was heard last
    std::vector<std::uint8_t> times;    // how often
    std::vector<std::uint32_t> micros;  // from emission to its first time
    bool subscribed = false, placed = false;
    Clock::time_point subscribedAt;
    bool gaveUp = false;
    std::string source, cursor;
    Place heard;
    std::uint64_t taken = 0, told = 0, gaps = 0, foreign = 0, disordered = 0;
};

// What the contract says, event by event. Lost: accepted, and never heard. Doubled: heard more often than it was emitted again
// without an answer. Misplaced: heard last at another place than its acceptance named.
nlohmann::json Listener::report(const Book& book, const std::vector<std::unique_ptr<Emitter>>& emitters, Clock::time_point begun) const
{
    std::uint64_t lost = 0, once = 0, twice = 0, doubled = 0, misplaced = 0, overtaken = 0;
    std::vector<std::uint32_t> all;
    const std::size_t each = options.count / options.emitters;
    std::map<std::pair<std::size_t, std::size_t>, Place> newest;  // by emitter and topic, of those that were taken at once
    for (std::uint64_t number = 0; number < options.count; ++number) {
        lost += times[number] == 0 ? 1 : 0;
        once += times[number] == 1 ? 1 : 0;
        twice += times[number] > 1 ? 1 : 0;
        doubled += times[number] > 1 + book.repeated[number] ? 1 : 0;
        const bool isSameEpoch = places[number].epoch == book.accepted[number].epoch;
        misplaced += times[number] > 0 && isSameEpoch && places[number] != book.accepted[number] ? 1 : 0;
        if (times[number] > 0) {
            all.push_back(micros[number]);
        }
        if (times[number] == 1 && book.refused[number] == 0) {
            const std::size_t emitter = std::min<std::size_t>(number / each, options.emitters - 1);
            Place& before = newest[{emitter, emitters[emitter]->topicOf(number)}];
            overtaken += places[number] <= before ? 1 : 0;
            before = std::max(before, places[number]);
        }
    }
    std::sort(all.begin(), all.end());
    const auto part = [&all](std::size_t percent) {
        return all.empty() ? 0.0 : all[std::min(all.size() - 1, all.size() * percent / 100)] / 1e3;
    };
    return {{"heard", once + twice}, {"lost", lost}, {"heard_again", twice}, {"doubled", doubled}, {"misplaced", misplaced},
            {"overtaken", overtaken}, {"disordered", disordered}, {"gaps", gaps}, {"foreign", foreign}, {"gave_up", gaveUp},
            {"registered_again", registeredAgain()}, {"p50_ms", part(50)}, {"p99_ms", part(99)}, {"max_ms", part(100)},
            {"seconds", std::chrono::duration<double>(heardLast - begun).count()}};
}

Options optionsOf(int argc, char** argv)
{
    Options out;
    const std::map<std::string, std::size_t*> numbers{{"--count", &out.count},   {"--bytes", &out.bytes},
                                                      {"--topics", &out.topics}, {"--rate", &out.rate},           {"--lag", &out.lag},
                                                      {"--emitters", &out.emitters}, {"--patience", &out.patience}};
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string name = argv[i];
        if (name == "--source") {
            out.source = argv[i + 1];
        } else if (name == "--listen") {
            out.listen.push_back(argv[i + 1]);
        } else if (name == "--prefix") {
            out.prefix = argv[i + 1];
        } else if (name == "--from") {
            out.from = argv[i + 1];
        } else if (const auto number = numbers.find(name); number != numbers.end()) {
            *number->second = std::strtoul(argv[i + 1], nullptr, 10);
        } else {
            fail("no such option: " + name);
        }
    }
    if (out.source.empty() || out.emitters == 0 || out.topics == 0 || out.count < out.emitters || argc % 2 == 0) {
        fail("usage: many_events --source SOCKET --listen SOCKET... [--count N] [--bytes N] [--topics N] [--emitters N] [--rate N] "
             "[--lag N] [--prefix P] [--from start|now] [--patience SECONDS]");
    }
    return out;
}

template <class Lines>
void attach(Lines& lines)
{
    const auto end = Clock::now() + 30s;
    for (auto& line : lines) {
        while (!line->isRegistered()) {
            line->turn(10ms);
            if (Clock::now() > end) {
                fail("the connector does not let this worker in");
            }
        }
    }
}

struct Cast {
    std::vector<std::unique_ptr<Emitter>> emitters;
    std::vector<std::unique_ptr<Listener>> listeners;
};

Cast attachAll(const Options& options, Book& book)
{
    void* const context = zmq_ctx_new();
    Cast cast;
    const std::size_t each = options.count / options.emitters;
    for (std::size_t i = 0; i < options.emitters; ++i) {
        const std::size_t to = i + 1 == options.emitters ? options.count : (i + 1) * each;
        cast.emitters.push_back(std::make_unique<Emitter>(context, options, i, i * each, to, book));
    }
    for (const std::string& socket : options.listen) {
        std::atomic<std::size_t>& heard = book.heard.emplace_back(0);
        cast.listeners.push_back(std::make_unique<Listener>(context, options, socket, cast.listeners.size(), heard));
    }
    attach(cast.emitters);
    attach(cast.listeners);
    for (auto& listener : cast.listeners) {
        while (!listener->hasBegun()) {
            listener->turn(10ms);
        }
    }
    return cast;
}

nlohmann::json summary(const Options& options, const Book& book, const Cast& cast, Clock::time_point begun)
{
    const auto again = std::count_if(book.repeated.begin(), book.repeated.end(), [](auto times) { return times > 0; });
    nlohmann::json refused = nlohmann::json::object(), listeners = nlohmann::json::array();
    std::uint64_t registered = 0, disordered = 0;
    Clock::time_point end = begun;
    for (const auto& emitter : cast.emitters) {
        for (const auto& [code, times] : emitter->refusals()) {
            refused[code] = refused.value(code, std::uint64_t{0}) + times;
        }
        registered += emitter->registeredAgain();
        disordered += emitter->outOfOrder();
        end = std::max(end, emitter->ended());
    }
    for (const auto& listener : cast.listeners) {
        listeners.push_back(listener->report(book, cast.emitters, begun));
    }
    return {{"count", options.count}, {"bytes", options.bytes}, {"last_sequence", book.last().sequence}, {"repeated", again},
            {"refused", refused}, {"emitters_registered_again", registered}, {"accepted_out_of_order", disordered},
            {"emit_seconds", std::chrono::duration<double>(end - begun).count()}, {"listeners", listeners}};
}

int run(const Options& options)
{
    Book book(options.count);
    Cast cast = attachAll(options, book);
    std::cout << "begun" << std::endl;
    const Clock::time_point begun = Clock::now();
    std::atomic<bool> emitted = false;
    Place last;  // written before `emitted` is
    std::vector<std::thread> emitting, listening;
    for (auto& listener : cast.listeners) {
        listening.emplace_back([&listener, &emitted, &last, begun] {
            listener->heardLast = begun;
            listener->work(emitted, last);
        });
    }
    for (auto& emitter : cast.emitters) {
        emitter->begin();
        emitting.emplace_back([&emitter] { emitter->work(); });
    }
    for (std::thread& thread : emitting) {
        thread.join();
    }
    last = book.last();
    emitted = true;
    std::cout << "emitted" << std::endl;
    for (std::thread& thread : listening) {
        thread.join();
    }
    std::cout << summary(options, book, cast, begun).dump() << std::endl;
    std::_Exit(EXIT_SUCCESS);
}

}  // namespace
}  // namespace mesh::bench

int main(int argc, char** argv)
{
    return mesh::bench::run(mesh::bench::optionsOf(argc, argv));
}
