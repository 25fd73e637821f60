#include "connector/tests/support.hpp"
#include "connector/worker/worker.hpp"
#include "connector/worker_socket.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"
#include "shoset/host/loop.hpp"
#include "shoset/sealing/secret_bytes.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace mesh::connector {
namespace {

using shoset::ReplyState;

// The library for C++ against the connector's socket and core, each on a thread of its own.
struct WorkerLibraryTest : testing::Test, WorkerPort, WorkerEvents {
    TemporaryFolder folder;
    boost::asio::io_context loop;
    shoset::Context context = *shoset::Context::create();
    Workers workers{WorkerRules({{{::getuid()}, {}, {"test.*"}, {"db"}, {"test.*"}, {"test.*"}, {"other.*"}}}), *this, *this};
    std::unique_ptr<WorkerSocket> socket;
    std::vector<WorkerReply> replies;
    worker::Worker played{{"played", "bench", "1.0", folder / "worker.sock"}};
    Result<void> ended;
    std::thread thread;

    void SetUp() override { open(); }
    void TearDown() override
    {
        played.stop();
        if (thread.joinable()) {
            EXPECT_TRUE(runUntil(loop, [this] { return over.load(); }));
            thread.join();
        }
    }
    void open()
    {
        WorkerSocketHandlers handlers;
        handlers.onMessage = [this](WorkerId id, const LocalPeer& peer, std::string_view frame) {
            workers.onMessage(id, peer, frame, host::systemNow());
        };
        handlers.onGone = [this](WorkerId id) { workers.onGone(id, host::systemNow()); };
        handlers.onBatchEnd = [] {};
        handlers.isBusy = [] { return true; };
        socket = std::move(*WorkerSocket::open(context, loop, folder / "worker.sock", WorkerRules({{{::getuid()}, {}, {"test.*"}}}),
                                               std::move(handlers)));
    }
    void start()
    {
        thread = std::thread([this] {
            ended = played.run(2);
            over = true;
        });
    }
    std::vector<WorkerReply> resultOf(const std::string& name, const std::string& payload)
    {
        replies.clear();
        shoset::Command command;
        command.name = name;
        SeededRng rng(++seed);
        const Now now = host::systemNow();
        EXPECT_TRUE(workers.give(command, {MessageId::make(now.wall, rng), name, payload, "joe", now.mono + 10s}, {}, now).ok());
        EXPECT_TRUE(runUntil(loop, [this] { return !replies.empty() && replies.back().state != ReplyState::onGoing; }));
        return replies;
    }

    Code sendToWorker(WorkerId id, std::string word) override
    {
        told = id;
        return socket->send(id, std::move(word));
    }
    void onWorkerReply(WorkerReply reply, Now) override { replies.push_back(std::move(reply)); }
    void onWorkerLost(const MessageId&, const Error&, Now) override { ++lost; }
    void onOffersChanged(Now) override {}
    void onSecretAsked(WorkerId id, WorkerSecretAsk ask, Now) override
    {
        socket->send(id, value.empty() ? noSecretWord(ask, {Code::notFound, "none"}) : secretWord(ask, 3, value));
    }
    void onWorkerEmit(WorkerId, WorkerEmit word, Now) override { emitted.push_back(std::move(word)); }
    void onWorkerSubscribe(WorkerId, WorkerSubscribe word, Now) override { subscribed.push_back(std::move(word)); }
    void onWorkerRefused(WorkerId id, std::string word, Now) override { socket->send(id, std::move(word)); }
    void onWorkerTaken(WorkerId, const WorkerTaken& word, Now) override { taken = word.total; }
    void onWorkerSend(WorkerId id, WorkerSend send, Now) override
    {
        told = id;
        sends.push_back(std::move(send));
    }

    std::vector<WorkerEmit> emitted;
    std::vector<WorkerSubscribe> subscribed;
    std::uint64_t taken = 0;
    std::vector<WorkerSend> sends;
    std::atomic<bool> over = false;
    std::uint64_t seed = 0;
    int lost = 0;
    std::string value;  // of the secret, in base64
    WorkerId told = 0;  // the last one
};

TEST_F(WorkerLibraryTest, OneWithoutAConnectorSaysSo)
{
    const std::string log = folder / "stderr";
    const int before = ::dup(STDERR_FILENO);
    const int file = ::open(log.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ASSERT_TRUE(before >= 0 && file >= 0 && ::dup2(file, STDERR_FILENO) >= 0);
    worker::Worker alone({"alone", "bench", "1.0", folder / "none.sock"});
    Result<void> left;
    std::thread runs([&] { left = alone.run(1); });
    const bool said = runUntil(loop, [&log] {
        const Result<std::string> text = host::readFile(log, 4096);
        return text && text->find("no connector at ") != std::string::npos && text->find("none.sock (No such file") != std::string::npos;
    });
    alone.stop();
    runs.join();
    ::dup2(before, STDERR_FILENO);
    ::close(before);
    ::close(file);
    EXPECT_TRUE(said);
    EXPECT_TRUE(left.ok());
}

TEST_F(WorkerLibraryTest, CommandsAreExecutedWithProgressAndFailuresHaveTheirCode)
{
    played.serve("test.echo", "", [](const std::string& payload, worker::Call& call) {
        call.progress(40, "for " + call.user());
        return worker::Outcome::done(payload);
    });
    played.serve("test.fail", "", [](const std::string&, worker::Call& call) {
        return worker::Outcome::failed("as_asked", call.remaining() > std::chrono::seconds(5) ? "in time" : "late");
    });
    played.serve("test.throw", "", [](const std::string&, worker::Call&) -> worker::Outcome { throw std::runtime_error("oh"); });
    start();
    ASSERT_TRUE(runUntil(loop, [this] { return workers.attached() == 1; }));
    std::vector<WorkerReply> said = resultOf("test.echo", R"({"a":1})");
    ASSERT_EQ(said.size(), 2U);
    EXPECT_EQ(said[0].progress, 40U);
    EXPECT_EQ(said[0].text, "for joe");
    EXPECT_EQ(said[1].payload, R"({"a":1})");
    said = resultOf("test.fail", "{}");
    EXPECT_EQ(said.back().failure + ": " + said.back().text, "as_asked: in time");
    said = resultOf("test.throw", "{}");
    EXPECT_EQ(said.back().failure + ": " + said.back().text, "exception: oh");
    played.stop();
    ASSERT_TRUE(runUntil(loop, [this] { return over.load(); }));
    EXPECT_TRUE(ended.ok());
    EXPECT_EQ(workers.attached(), 0U);
    EXPECT_EQ(lost, 0);
}

TEST_F(WorkerLibraryTest, AFunctionAsksForASecretAndIsToldItOrWhyNot)
{
    Result<std::string> found = Error{};
    played.serve("test.read", "", [&](const std::string& payload, worker::Call&) {
        found = played.secret(payload.find("web") == std::string::npos ? "db" : "web");
        return worker::Outcome::done();
    });
    EXPECT_EQ(played.secret("db").error().code, Code::unsupported) << "nobody is attached";
    start();
    ASSERT_TRUE(runUntil(loop, [this] { return workers.attached() == 1; }));
    value = sealing::toBase64(std::string("\0\xff secret", 9));
    EXPECT_EQ(resultOf("test.read", "{}").back().state, ReplyState::success);
    ASSERT_TRUE(found.ok()) << found.error().message;
    EXPECT_EQ(*found, std::string("\0\xff secret", 9));
    EXPECT_EQ(resultOf("test.read", R"({"of":"web"})").back().state, ReplyState::success);
    EXPECT_EQ(found.error().code, Code::permissionDenied);
    value.clear();
    EXPECT_EQ(resultOf("test.read", "{}").back().state, ReplyState::success);
    EXPECT_EQ(found.error().code, Code::notFound);
    EXPECT_EQ(found.error().message, "none");
}

TEST_F(WorkerLibraryTest, AnAnswerThatCannotBePassedOnFailsItsCommandAndNoOther)
{
    const auto nested = [](std::size_t levels) { return std::string(levels, '[') + "1" + std::string(levels, ']'); };
    std::string answer;
    played.serve("test.say", "", [&answer](const std::string&, worker::Call&) { return worker::Outcome::done(answer); });
    played.serve("test.throw", "", [](const std::string&, worker::Call&) -> worker::Outcome { throw 7; });
    start();
    ASSERT_TRUE(runUntil(loop, [this] { return workers.attached() == 1; }));
    const auto failureOf = [&](std::string said) {
        answer = std::move(said);
        return resultOf("test.say", "{}").back().failure;
    };
    EXPECT_EQ(failureOf("{"), "reply_not_json");
    EXPECT_EQ(failureOf("1e999"), "reply_not_json");
    EXPECT_EQ(failureOf(nested(limits::maxPayloadDepth + 1)), "reply_too_deep");
    EXPECT_EQ(failureOf(nested(100000)), "reply_too_deep");
    EXPECT_EQ(failureOf(nested(limits::maxPayloadDepth)), "");
    EXPECT_EQ(failureOf('"' + std::string(limits::maxPayloadBytes, '[') + '"'), "reply_too_large");
    EXPECT_EQ(failureOf('"' + std::string(limits::maxPayloadBytes - 2, '[') + '"'), "");
    EXPECT_EQ(failureOf(R"("\")" + std::string(limits::maxPayloadDepth + 1, '[') + '"'), "");
    EXPECT_EQ(resultOf("test.throw", "{}").back().failure, "exception");
    EXPECT_EQ(workers.counters().malformed, 0U);
    EXPECT_EQ(lost, 0);
}

TEST_F(WorkerLibraryTest, ConfigurationsComeInTheirOrderAndAreAnswered)
{
    std::vector<std::string> taken;  // of the library's thread until `over`
    played.serve("test.echo", "", [](const std::string& payload, worker::Call&) { return worker::Outcome::done(payload); });
    played.configuration([&taken](const std::string& values, const std::string&) -> Result<void> {
        taken.push_back(values);
        return values.find("9") == std::string::npos ? Result<void>() : Error{Code::refused, "too fast"};
    });
    WorkerConfiguration wanted;
    wanted.type = "bench";
    wanted.version = wanted.document = 1;
    wanted.values = R"({"speed":1})";
    workers.configure(wanted, host::systemNow());
    start();
    const auto is = [this](Workers::ConfiguredBy::Who who) { return [this, who] { return workers.configured().workers == who; }; };
    ASSERT_TRUE(runUntil(loop, is(Workers::ConfiguredBy::all)));
    wanted.version = wanted.document = 2;
    wanted.values = R"({"speed":9})";
    workers.configure(wanted, host::systemNow());
    EXPECT_EQ(workers.configured().workers, Workers::ConfiguredBy::waiting);
    ASSERT_TRUE(runUntil(loop, is(Workers::ConfiguredBy::refused)));
    EXPECT_EQ(workers.configured().reason, "worker played 1.0: too fast");
    EXPECT_EQ(resultOf("test.echo", "7").back().payload, "7") << "it goes on all the same";
    played.stop();
    ASSERT_TRUE(runUntil(loop, [this] { return over.load(); }));
    EXPECT_EQ(taken, (std::vector<std::string>{R"({"speed":1})", R"({"speed":9})"}));
}

TEST_F(WorkerLibraryTest, OneOfWhichAMessageIsRefusedRegistersAnew)
{
    played.serve("test.echo", "", [](const std::string& payload, worker::Call&) { return worker::Outcome::done(payload); });
    start();
    ASSERT_TRUE(runUntil(loop, [this] { return workers.attached() == 1; }));
    EXPECT_EQ(resultOf("test.echo", "7").back().payload, "7");
    workers.onMessage(told, {::getuid(), ::getgid(), 1}, "nonsense", host::systemNow());
    ASSERT_EQ(workers.attached(), 0U);
    ASSERT_TRUE(runUntil(loop, [this] { return workers.attached() == 1; }));
    EXPECT_EQ(resultOf("test.echo", "8").back().payload, "8");
    EXPECT_FALSE(over.load());
}

TEST_F(WorkerLibraryTest, WhatItSendsIsAnsweredWithProgressOrLostWithItsRegistration)
{
    played.serve("test.echo", "", [](const std::string& payload, worker::Call&) { return worker::Outcome::done(payload); });
    start();
    ASSERT_TRUE(runUntil(loop, [this] { return workers.attached() == 1; }));
    std::atomic<bool> answered = false;
    worker::Answer got;
    unsigned percent = 0;
    const auto send = [&] {
        answered = false;
        return std::thread([&] {
            got = played.send({.name = "s2", .version = "1.0"}, "other.thing", R"({"a":1})", std::chrono::seconds(10),
                              [&percent](unsigned told, const std::string&) { percent = told; });
            answered = true;
        });
    };
    std::thread asker = send();
    ASSERT_TRUE(runUntil(loop, [this] { return !sends.empty(); }));
    EXPECT_FALSE(sends[0].wrong) << sends[0].wrong->message;
    EXPECT_EQ(sends[0].to.name, "s2");
    EXPECT_EQ(sends[0].payload, R"({"a":1})");
    EXPECT_EQ(sends[0].within, Duration(std::chrono::seconds(10)));
    sendToWorker(told, sentWord(sends[0].ref, MessageId{}));
    shoset::Reply reply;
    reply.state = ReplyState::onGoing;
    reply.progress = 40;
    sendToWorker(told, answerWord(sends[0].ref, {}, reply, {}));
    reply.state = ReplyState::fail;
    reply.code = Code::refused;
    reply.failure = "too_loud";
    sendToWorker(told, answerWord(sends[0].ref, {}, reply, "[1]"));
    ASSERT_TRUE(runUntil(loop, [&answered] { return answered.load(); }));
    asker.join();
    EXPECT_EQ(percent, 40U);
    EXPECT_EQ(got.success, false);
    EXPECT_EQ(got.code + " " + got.failure + " " + got.executed + " " + got.payload, "refused too_loud yes [1]");

    asker = send();
    ASSERT_TRUE(runUntil(loop, [this] { return sends.size() == 2; }));
    workers.onMessage(told, {::getuid(), ::getgid(), 1}, "nonsense", host::systemNow());
    ASSERT_TRUE(runUntil(loop, [&answered] { return answered.load(); }));
    asker.join();
    EXPECT_EQ(got.code + " " + got.executed, "outcome_unknown unknown");
    EXPECT_EQ(played.send({.name = "s2"}, "other.thing", "{").code, "invalid_argument");
    EXPECT_EQ(played.send({.name = "s2"}, "other.thing", std::string(limits::maxPayloadBytes + 1, ' ')).code, "too_large");
}

TEST_F(WorkerLibraryTest, ARefusalEndsItWithTheReason)
{
    played.serve("other.thing", "", [](const std::string&, worker::Call&) { return worker::Outcome::done(); });
    start();
    ASSERT_TRUE(runUntil(loop, [this] { return over.load(); }));
    ASSERT_FALSE(ended.ok());
    EXPECT_NE(ended.error().message.find("other.thing"), std::string::npos) << ended.error().message;
}

TEST_F(WorkerLibraryTest, ItAttachesAgainWhenTheConnectorWasRestarted)
{
    played.serve("test.echo", "", [](const std::string& payload, worker::Call&) { return worker::Outcome::done(payload); });
    start();
    ASSERT_TRUE(runUntil(loop, [this] { return workers.attached() == 1; }));
    socket.reset();
    context = *shoset::Context::create();  // as another process has another one
    open();
    workers.onTimer({host::systemNow().mono + 2 * limits::workerPatience, {}});
    ASSERT_EQ(workers.attached(), 0U);
    ASSERT_TRUE(runUntil(loop, [this] { return workers.attached() == 1; }));
    EXPECT_EQ(resultOf("test.echo", "7").back().payload, "7");
}

// Emits on a thread of its own, as run() has to go on meanwhile.
struct Emitting {
    Emitting(worker::Worker& from, const std::string& topic, const std::string& payload)
        : thread([this, &from, topic, payload] {
              result = from.emit(topic, "n", payload);
              done = true;
          })
    {
    }
    ~Emitting() { thread.join(); }
    Emitting(const Emitting&) = delete;
    Emitting& operator=(const Emitting&) = delete;

    Result<worker::Accepted> result = Error{};
    std::atomic<bool> done = false;
    std::thread thread;
};

TEST_F(WorkerLibraryTest, AnEventIsEmittedWhenTheConnectorHasAcceptedIt)
{
    start();
    ASSERT_TRUE(runUntil(loop, [this] { return workers.attached() == 1; }));
    EXPECT_EQ(played.emit("test.a", "n", "{").error().code, Code::invalidArgument);
    Emitting first(played, "test.a", R"({"a":1})");
    ASSERT_TRUE(runUntil(loop, [this] { return emitted.size() == 1; }));
    EXPECT_EQ(emitted[0].topic + emitted[0].name + emitted[0].payload, R"(test.an{"a":1})");
    EXPECT_FALSE(first.done.load());
    socket->send(told, acceptedWord(emitted[0].ref, 9, 42));
    ASSERT_TRUE(runUntil(loop, [&] { return first.done.load(); }));
    ASSERT_TRUE(first.result.ok());
    EXPECT_EQ(first.result->sequence, 42U);

    Emitting second(played, "test.a", "");
    ASSERT_TRUE(runUntil(loop, [this] { return emitted.size() == 2; }));
    socket->send(told, notAcceptedWord(emitted[1].ref, "outbox_full", "too much"));
    ASSERT_TRUE(runUntil(loop, [&] { return second.done.load(); }));
    EXPECT_EQ(second.result.error().code, Code::full);
    EXPECT_EQ(second.result.error().message, "outbox_full: too much");

    Emitting third(played, "other", "");
    ASSERT_TRUE(runUntil(loop, [&] { return third.done.load(); }));
    EXPECT_EQ(third.result.error().code, Code::permissionDenied);
}

TEST_F(WorkerLibraryTest, ListenersHearEventsInOrderAndGoOnFromWhereTheyWere)
{
    std::mutex mutex;
    std::vector<std::string> heard;
    played.listen({"test.*"}, [&](const worker::Event& event) {
        const std::lock_guard lock(mutex);
        heard.push_back(event.source + " " + event.payload + " " + std::to_string(event.lost));
    });
    start();
    ASSERT_TRUE(runUntil(loop, [this] { return subscribed.size() == 1; }));
    EXPECT_TRUE(subscribed[0].fromNow);
    shoset::Event event{7, 5, "test.a", "n", WallTime{}, 0, 0};
    socket->send(told, eventWord(subscribed[0].subscription, "acme/s2", event, "1"));
    event.sequence = 6;
    event.lostTo = 8;
    socket->send(told, eventWord(subscribed[0].subscription, "acme/s2", event, ""));
    ASSERT_TRUE(runUntil(loop, [this] { return taken == 2; }));
    {
        const std::lock_guard lock(mutex);
        EXPECT_EQ(heard, (std::vector<std::string>{"acme/s2 1 0", "acme/s2  3"}));
    }
    socket->send(told, strangerWord());
    ASSERT_TRUE(runUntil(loop, [this] { return subscribed.size() == 2; }));
    EXPECT_EQ(subscribed[1].cursors, (std::vector<shoset::EventCursor>{{"acme/s2", 7, 8}}));
    EXPECT_EQ(subscribed[1].subscription, subscribed[0].subscription);
}

}  // namespace
}  // namespace mesh::connector
