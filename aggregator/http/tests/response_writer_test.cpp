#include "aggregator/http/response_writer.hpp"

#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

#include <array>

namespace mesh::aggregator {
namespace {

std::string take(OutputQueue& queue, std::size_t* payload = nullptr)
{
    std::string all;
    std::array<boost::asio::const_buffer, 4> buffers;
    while (!queue.empty()) {
        std::size_t size = 0;
        const std::size_t count = queue.front(buffers);
        for (std::size_t i = 0; i < count; ++i) {
            all.append(static_cast<const char*>(buffers[i].data()), buffers[i].size());
            size += buffers[i].size();
        }
        const std::size_t counted = queue.consume(size);
        if (payload != nullptr) {
            *payload += counted;
        }
    }
    return all;
}

// The bytes of one response given at once.
std::string whole(const RequestFacts& facts, ResponseHead head, const std::string& body)
{
    ResponseWriter writer;
    OutputQueue out;
    writer.begin(facts);
    EXPECT_TRUE(writer.start(std::move(head), body, true, out));
    EXPECT_TRUE(writer.ended());
    return take(out);
}

TEST(ResponseWriter, WholeAnswersCarryTheirLengthWhateverTheHeadSaid)
{
    EXPECT_EQ(whole({}, {200, {{"A", "b"}}}, "body"), "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 4\r\n\r\nbody");
    EXPECT_EQ(whole({}, {200, {{"content-length", "99"}}}, "body"), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
    EXPECT_EQ(whole({}, {404, {}}, ""), "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

TEST(ResponseWriter, HopByHopHeadersAreOurs)
{
    const Headers given = {{"Connection", "keep-alive"},
                           {"Transfer-Encoding", "chunked"},
                           {"Keep-Alive", "1"},
                           {"Upgrade", "h2c"},
                           {"Trailer", "X"},
                           {"X", "kept"}};
    EXPECT_EQ(whole({false, false, false}, {200, given}, "b"),
              "HTTP/1.1 200 OK\r\nX: kept\r\nContent-Length: 1\r\nConnection: close\r\n\r\nb");
}

TEST(ResponseWriter, HeadAnswersHaveNoBodyButTheLengthOfOne)
{
    const RequestFacts head{true, false, true};
    EXPECT_EQ(whole(head, {200, {{"Content-Length", "4096"}}}, ""), "HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n");
    EXPECT_EQ(whole(head, {200, {}}, "body"), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
    EXPECT_EQ(whole(head, {200, {}}, ""), "HTTP/1.1 200 OK\r\n\r\n");
}

TEST(ResponseWriter, BodilessStatusesHaveNoBody)
{
    EXPECT_EQ(whole({}, {204, {{"Content-Length", "3"}}}, "abc"), "HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_EQ(whole({}, {304, {{"ETag", "x"}}}, ""), "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n");
}

TEST(ResponseWriter, StreamsAreChunkedOrSizedOrUntilClose)
{
    const auto streamed = [](const RequestFacts& facts, Headers headers, bool* closes) {
        ResponseWriter writer;
        OutputQueue out;
        writer.begin(facts);
        EXPECT_TRUE(writer.start({200, std::move(headers)}, "ab", false, out));
        EXPECT_TRUE(writer.add("", false, out));
        EXPECT_TRUE(writer.add("cde", true, out));
        *closes = writer.closes();
        return take(out);
    };
    bool closes = false;
    EXPECT_EQ(streamed({}, {}, &closes),
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
    EXPECT_FALSE(closes);
    EXPECT_EQ(streamed({}, {{"Content-Length", "5"}}, &closes), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde");
    EXPECT_FALSE(closes);
    EXPECT_EQ(streamed({false, true, true}, {}, &closes), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde");
    EXPECT_TRUE(closes);
    EXPECT_EQ(streamed({false, true, true}, {{"Content-Length", "5"}}, &closes),
              "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nabcde");
    EXPECT_EQ(streamed({}, {{"Content-Length", "nonsense"}}, &closes).find("Content-Length"), std::string::npos);
}

TEST(ResponseWriter, ContradictionsToTheAnnouncedLengthAreFound)
{
    OutputQueue out;
    ResponseWriter tooMuch;
    tooMuch.begin({});
    ASSERT_TRUE(tooMuch.start({200, {{"Content-Length", "3"}}}, "ab", false, out));
    EXPECT_FALSE(tooMuch.add("cd", true, out));
    ResponseWriter tooLittle;
    tooLittle.begin({});
    ASSERT_TRUE(tooLittle.start({200, {{"Content-Length", "3"}}}, "ab", false, out));
    EXPECT_FALSE(tooLittle.add("", true, out));
}

TEST(OutputQueue, CountsPayloadOnlyAndInAnyStep)
{
    for (const std::size_t step : {1u, 3u, 100u}) {
        OutputQueue queue;
        queue.push("head", OutputQueue::Kind::framing);
        queue.push("payload", OutputQueue::Kind::payload);
        queue.push("", OutputQueue::Kind::payload);
        queue.push("tail", OutputQueue::Kind::framing);
        std::size_t payload = 0;
        std::string all;
        std::array<boost::asio::const_buffer, 2> buffers;
        while (!queue.empty()) {
            ASSERT_GT(queue.front(buffers), 0u);
            const std::size_t size = std::min(step, buffers[0].size());
            all.append(static_cast<const char*>(buffers[0].data()), size);
            payload += queue.consume(size);
        }
        EXPECT_EQ(all, "headpayloadtail");
        EXPECT_EQ(payload, 7u);
    }
}

TEST(OutputQueue, OneWriteIsBounded)
{
    OutputQueue queue;
    queue.push(std::string(3 * limits::httpWriteBytes, 'x'), OutputQueue::Kind::payload);
    std::array<boost::asio::const_buffer, 2> buffers;
    EXPECT_EQ(queue.front(buffers), 1u);
    EXPECT_EQ(buffers[0].size(), limits::httpWriteBytes);
    std::size_t payload = 0;
    EXPECT_EQ(take(queue, &payload).size(), 3 * limits::httpWriteBytes);
    EXPECT_EQ(payload, 3 * limits::httpWriteBytes);
}

}  // namespace
}  // namespace mesh::aggregator
