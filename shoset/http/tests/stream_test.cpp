#include "shoset/http/tests/loopback.hpp"

#include <boost/asio/error.hpp>

namespace mesh::http {
namespace {

namespace errors = boost::asio::error;

// What holds for both kinds of stream.
class AnyStream : public Loopback, public testing::WithParamInterface<bool> {
protected:
    void SetUp() override
    {
        std::shared_ptr<ServerTls> serverTls;
        std::shared_ptr<ClientTls> clientTls;
        if (GetParam()) {
            const auto made = makeSelfSigned({"localhost"}, {"127.0.0.1"}, 1);
            ASSERT_TRUE(made);
            serverTls = *makeServerTls(made->certificatePem, made->keyPem);
            clientTls = *makeClientTls({"", "", true});
        }
        connectBoth(serverTls, clientTls);
        ASSERT_TRUE(*served) << served->error().message;
        ASSERT_TRUE(*connected) << connected->error().message;
    }
};
INSTANTIATE_TEST_SUITE_P(Kinds, AnyStream, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& kind) { return kind.param ? "Tls" : "Plain"; });

TEST_P(AnyStream, CarriesBytesBothWays)
{
    EXPECT_EQ(transfer(client(), server(), "hello"), "hello");
    EXPECT_EQ(transfer(server(), client(), std::string("\0\r\n", 3)), std::string("\0\r\n", 3));
}

TEST_P(AnyStream, CarriesMoreThanTheSocketsHold)
{
    std::string large;
    for (std::size_t i = 0; large.size() < 20'000'000; ++i) {
        large += std::to_string(i);
    }
    EXPECT_TRUE(transfer(client(), server(), large) == large);
    EXPECT_TRUE(transfer(server(), client(), large) == large);
}

TEST_P(AnyStream, GathersBuffersOfAllSizes)
{
    const std::vector<std::string> pieces = {"head", "", std::string(20000, 'b'), "x", std::string(16384, 'c'), "end"};
    std::string all;
    std::vector<boost::asio::const_buffer> buffers;
    for (const std::string& piece : pieces) {
        all += piece;
        buffers.emplace_back(piece.data(), piece.size());
    }
    bool sent = false;
    client().write(buffers, [&](boost::system::error_code error, std::size_t size) {
        EXPECT_FALSE(error);
        EXPECT_EQ(size, all.size());
        sent = true;
    });
    buffers.clear();  // the list itself need not stay
    std::string received;
    std::string part(7000, '\0');
    std::function<void()> readOn = [&] {
        server().read(part, [&](boost::system::error_code, std::size_t size) {
            received.append(part, 0, size);
            if (size > 0 && received.size() < all.size()) {
                readOn();
            }
        });
    };
    readOn();
    ASSERT_TRUE(runUntil([&] { return sent && received.size() >= all.size(); }));
    EXPECT_TRUE(received == all);
}

TEST_P(AnyStream, HandlersNeverRunFromInsideTheCall)
{
    bool inCall = true;
    bool written = false;
    const std::string text = "x";
    const boost::asio::const_buffer buffer(text.data(), text.size());
    client().write({&buffer, 1}, [&](auto, auto) {
        EXPECT_FALSE(inCall);
        written = true;
    });
    inCall = false;
    ASSERT_TRUE(runUntil([&] { return written; }));
    EXPECT_EQ(transfer(client(), server(), "y").front(), 'x');
    inCall = true;
    client().close();
    bool failed = false;
    client().write({&buffer, 1}, [&](boost::system::error_code error, auto) {
        EXPECT_FALSE(inCall);
        EXPECT_TRUE(error);
        failed = true;
    });
    inCall = false;
    EXPECT_TRUE(runUntil([&] { return failed; }));
}

TEST_P(AnyStream, ShutdownIsTheOrderlyEnd)
{
    bool done = false;
    client().shutdown([&] { done = true; });
    EXPECT_EQ(readOutcome(server()), errors::eof);
    EXPECT_TRUE(runUntil([&] { return done; }));
}

TEST_P(AnyStream, EndWithoutCloseNotifyIsNotOrderlyUnderTls)
{
    client().close();
    const auto outcome = readOutcome(server());
    ASSERT_TRUE(outcome);
    EXPECT_EQ(*outcome == errors::eof, !GetParam()) << outcome->message();
}

TEST_P(AnyStream, ResetIsSeenAsAnError)
{
    client().reset();
    const auto outcome = readOutcome(server());
    ASSERT_TRUE(outcome && *outcome);
    EXPECT_NE(*outcome, errors::eof);
}

TEST_P(AnyStream, CloseAbortsWhatIsOutstandingAndRepeats)
{
    std::string into(10, '\0');
    std::optional<boost::system::error_code> read;
    std::optional<boost::system::error_code> wrote;
    const std::string large(30'000'000, 'x');
    const boost::asio::const_buffer buffer(large.data(), large.size());
    client().read(into, [&](boost::system::error_code error, std::size_t) { read = error; });
    client().write({&buffer, 1}, [&](boost::system::error_code error, std::size_t) { wrote = error; });
    client().close();
    client().close();
    ASSERT_TRUE(runUntil([&] { return read && wrote; }));
    EXPECT_EQ(*read, errors::operation_aborted);
    EXPECT_TRUE(*wrote);
}

TEST_P(AnyStream, DestructionAbortsWhatIsOutstanding)
{
    std::string into(10, '\0');
    std::optional<boost::system::error_code> read;
    client().read(into, [&](boost::system::error_code error, std::size_t) { read = error; });
    connected.reset();
    ASSERT_TRUE(runUntil([&] { return read.has_value(); }));
    EXPECT_EQ(*read, errors::operation_aborted);
}

class Connect : public Loopback {};

TEST_F(Connect, RefusedIsNotSentAndNamesTheTarget)
{
    const std::string closedPort = port();
    acceptor.close();
    connectStream(context.get_executor(), "127.0.0.1", closedPort, nullptr,
                  [this](auto outcome) { connected.emplace(std::move(outcome)); });
    ASSERT_TRUE(runUntil([this] { return connected.has_value(); }));
    ASSERT_FALSE(*connected);
    EXPECT_EQ(connected->error().code, Code::notSent);
    EXPECT_NE(connected->error().message.find("127.0.0.1:" + closedPort), std::string::npos);
}

TEST_F(Connect, NamesAreResolvedAndUnknownOnesAreNotSent)
{
    connectBoth(nullptr, nullptr, "localhost");
    EXPECT_TRUE(*connected);
    connected.reset();
    connectStream(context.get_executor(), "no such host", port(), nullptr,
                  [this](auto outcome) { connected.emplace(std::move(outcome)); });
    ASSERT_TRUE(runUntil([this] { return connected.has_value(); }));
    ASSERT_FALSE(*connected);
    EXPECT_EQ(connected->error().code, Code::notSent);
}

TEST_F(Connect, CancelEndsInUnavailable)
{
    const auto tls = *makeClientTls({"", "", true});
    // Accepted by the kernel, but nobody answers the handshake.
    auto cancel = connectStream(context.get_executor(), "127.0.0.1", port(), tls,
                                [this](auto outcome) { connected.emplace(std::move(outcome)); });
    bool accepted = false;
    boost::asio::ip::tcp::socket held(context);
    acceptor.async_accept(held, [&](auto) { accepted = true; });
    ASSERT_TRUE(runUntil([&] { return accepted; }));
    EXPECT_FALSE(connected);
    cancel();
    EXPECT_FALSE(connected);
    ASSERT_TRUE(runUntil([this] { return connected.has_value(); }));
    EXPECT_EQ(connected->error().code, Code::unavailable);
    cancel();
}

TEST_F(Connect, CancelAfterSuccessDoesNothing)
{
    const auto made = makeSelfSigned({"localhost"}, {}, 1);
    acceptOne(*makeServerTls(made->certificatePem, made->keyPem));
    auto cancel = connectStream(context.get_executor(), "127.0.0.1", port(), *makeClientTls({"", "", true}),
                                [this](auto outcome) { connected.emplace(std::move(outcome)); });
    ASSERT_TRUE(runUntil([this] { return served && connected; }));
    cancel();
    EXPECT_EQ(transfer(client(), server(), "still there"), "still there");
}

}  // namespace
}  // namespace mesh::http
