// A client of a NATS server over TLS, by its text protocol, as fast as one can be: what is sent is gathered into large writes
// wherever nobody waits for it.
//
//     nats_bench CA PORT stream <BYTES> <COUNT>    one sends, another one hears: "streamed <SECONDS>"
//     nats_bench CA PORT ask <BYTES> <COUNT>       one asks, another one answers with as much, one at a time:
//                                                  "asked <SECONDS> <P50> <P99>", microseconds
//     nats_bench CA PORT persist <BYTES> <COUNT>   as stream, into a JetStream on disk that confirms each: "persisted <SECONDS>"
//
// A message that is missing, or is not the one that it should be, ends the program with a sentence.

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace mesh::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t writeBytes = 64 * 1024;
constexpr std::size_t readBytes = 16 * 1024;  // more than one record of TLS is never read at once
constexpr std::size_t mostPings = 8;       // writes that the server has not confirmed
constexpr std::size_t mostUnstored = 1024;  // messages that a stream has not confirmed

[[noreturn]] void fail(const std::string& reason)
{
    std::fprintf(stderr, "%s\n", reason.c_str());
    std::_Exit(EXIT_FAILURE);
}

struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

// One message for us, or a confirmation ("PONG", with nothing else).
struct Told {
    std::string_view reply, payload;
    bool isPong = false;
};

// One connection. One thread.
class NatsLine {
public:
    NatsLine(SSL_CTX* context, std::uint16_t port)
    {
        descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int one = 1;
        ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            fail("the NATS server does not answer");
        }
        char info[8192];
        if (const ssize_t got = ::recv(descriptor, info, sizeof info, 0); got < 5 || std::string_view(info, 5) != "INFO ") {
            fail("this is no NATS server");
        }
        ssl.reset(SSL_new(context));
        SSL_set1_host(ssl.get(), "localhost");
        SSL_set_fd(ssl.get(), descriptor);
        if (SSL_connect(ssl.get()) != 1) {
            fail("no TLS with the NATS server: " + std::to_string(ERR_get_error()));
        }
        put(R"(CONNECT {"verbose":false,"pedantic":false,"tls_required":true,"lang":"c","version":"1"})"
            "\r\nPING\r\n");
        flush();
        if (!next().isPong) {
            fail("the NATS server does not let us in");
        }
    }
    ~NatsLine()
    {
        SSL_shutdown(ssl.get());
        ::close(descriptor);
    }
    NatsLine(const NatsLine&) = delete;
    NatsLine& operator=(const NatsLine&) = delete;

    void put(std::string_view text)
    {
        out.append(text);
        if (out.size() >= writeBytes) {
            flush();
        }
    }
    void publish(std::string_view subject, std::string_view reply, std::string_view payload)
    {
        char length[24];
        const auto end = std::to_chars(length, length + sizeof length, payload.size()).ptr;
        out.append("PUB ").append(subject).append(reply.empty() ? "" : " ").append(reply).append(" ");
        out.append(length, end).append("\r\n").append(payload);
        put("\r\n");
    }
    void subscribe(std::string_view subject)
    {
        put("SUB " + std::string(subject) + " 1\r\nPING\r\n");
        flush();
        while (!next().isPong) {
        }
    }
    void flush()
    {
        for (std::string_view left = out; !left.empty();) {
            const int wrote = SSL_write(ssl.get(), left.data(), static_cast<int>(left.size()));
            if (wrote <= 0) {
                fail("the NATS server closed the connection");
            }
            left.remove_prefix(static_cast<std::size_t>(wrote));
        }
        out.clear();
    }
    bool hasMore() const { return in.find("\r\n", at) != std::string::npos; }

    // Waits for it. Valid until the next call.
    Told next()
    {
        while (true) {
            const std::string_view line = takeLine();
            if (line == "PONG") {
                return {{}, {}, true};
            }
            if (line == "PING") {
                put("PONG\r\n");
                flush();
            } else if (line.starts_with("MSG ")) {
                return takeMessage(line.substr(4));
            } else if (line.starts_with("-ERR")) {
                fail("the NATS server says " + std::string(line));
            }
        }
    }

private:
    // "subject sid [reply] length"
    Told takeMessage(std::string_view words)
    {
        const std::size_t subject = words.find(' ');
        const std::size_t sid = words.find(' ', subject + 1);
        const std::size_t last = words.rfind(' ');
        std::size_t length = 0;
        const auto [end, wrong] = std::from_chars(words.data() + std::min(last + 1, words.size()), words.data() + words.size(), length);
        if (sid == std::string_view::npos || wrong != std::errc()) {
            fail("not understood: " + std::string(words));
        }
        answerTo.assign(last > sid ? words.substr(sid + 1, last - sid - 1) : std::string_view());
        while (in.size() - at < length + 2) {
            read();
        }
        const std::string_view payload = std::string_view(in).substr(at, length);
        at += length + 2;
        return {answerTo, payload, false};
    }
    std::string_view takeLine()
    {
        std::size_t end = in.find("\r\n", at);
        while (end == std::string::npos) {
            read();
            end = in.find("\r\n", at);
        }
        const std::string_view line = std::string_view(in).substr(at, end - at);
        at = end + 2;
        return line;
    }
    void read()
    {
        in.erase(0, std::exchange(at, 0));
        const std::size_t had = in.size();
        in.resize(had + readBytes);
        const int got = SSL_read(ssl.get(), in.data() + had, static_cast<int>(readBytes));
        if (got <= 0) {
            fail("the NATS server closed the connection");
        }
        in.resize(had + static_cast<std::size_t>(got));
    }

    int descriptor = -1;
    std::unique_ptr<SSL, Free> ssl;
    std::string out, in;
    std::size_t at = 0;  // of `in`: taken
    std::string answerTo;
};

class Bench {
public:
    Bench(const std::string& authority, std::uint16_t at, std::size_t size, std::size_t wanted)
        : context(SSL_CTX_new(TLS_client_method())), port(at), bytes(std::max<std::size_t>(size, 20)), count(wanted)
    {
        SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
        if (SSL_CTX_load_verify_locations(context.get(), authority.c_str(), nullptr) != 1) {
            fail(authority + " cannot be read");
        }
    }

    void stream()
    {
        NatsLine hearing(context.get(), port), sending(context.get(), port);
        hearing.subscribe("bench.stream");
        const Clock::time_point begun = Clock::now();
        std::thread hear([&] { hearAll(hearing); });
        std::size_t pings = 0, filled = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::string payload = payloadOf(i);
            sending.publish("bench.stream", {}, payload);
            if (filled += payload.size(); filled >= writeBytes) {
                filled = 0;
                ++pings;
                sending.put("PING\r\n");
                while (pings > mostPings || (pings > 0 && sending.hasMore())) {
                    pings -= sending.next().isPong ? 1 : 0;
                }
            }
        }
        sending.flush();
        hear.join();
        tell("streamed", begun);
    }

    void ask()
    {
        NatsLine answering(context.get(), port), asking(context.get(), port);
        answering.subscribe("bench.ask");
        asking.subscribe("bench.answer");
        std::thread answer([&] {
            for (std::size_t i = 0; i < count; ++i) {
                const Told told = answering.next();
                answering.publish(told.reply, {}, told.payload);
                answering.flush();
            }
        });
        std::vector<double> micros;
        const Clock::time_point begun = Clock::now();
        for (std::size_t i = 0; i < count; ++i) {
            const Clock::time_point asked = Clock::now();
            asking.publish("bench.ask", "bench.answer", payloadOf(i));
            asking.flush();
            if (asking.next().payload != payloadOf(i)) {
                fail("the answer to " + std::to_string(i) + " is another one");
            }
            micros.push_back(std::chrono::duration<double, std::micro>(Clock::now() - asked).count());
        }
        answer.join();
        std::sort(micros.begin(), micros.end());
        tell("asked", begun, " " + std::to_string(micros[count / 2]) + " " + std::to_string(micros[count * 99 / 100]));
    }

    void persist()
    {
        NatsLine hearing(context.get(), port), sending(context.get(), port);
        sending.subscribe("bench.stored");
        sending.publish("$JS.API.STREAM.CREATE.BENCH", "bench.stored",
                        R"({"name":"BENCH","subjects":["bench.kept"],"storage":"file","max_bytes":-1})");
        sending.flush();
        if (const std::string said(sending.next().payload); said.find("\"error\"") != std::string::npos) {
            fail("no stream: " + said);
        }
        hearing.subscribe("bench.kept");
        const Clock::time_point begun = Clock::now();
        std::thread hear([&] { hearAll(hearing); });
        std::size_t sent = 0, stored = 0;
        while (stored < count) {
            for (; sent < count && sent - stored < mostUnstored; ++sent) {
                sending.publish("bench.kept", "bench.stored", payloadOf(sent));
            }
            sending.flush();
            do {
                if (const Told told = sending.next(); told.payload.find("\"error\"") != std::string_view::npos) {
                    fail("not stored: " + std::string(told.payload));
                }
                ++stored;
            } while (stored < sent && sending.hasMore());
        }
        hear.join();
        tell("persisted", begun);
    }

private:
    std::string payloadOf(std::size_t number) const
    {
        std::string text = std::to_string(number) + " ";
        text.resize(bytes, 'x');
        return text;
    }
    void hearAll(NatsLine& line) const
    {
        for (std::size_t i = 0; i < count; ++i) {
            const Told told = line.next();
            if (told.payload.size() != bytes || std::strtoul(told.payload.data(), nullptr, 10) != i) {
                fail("after " + std::to_string(i) + " messages another one came than was to come");
            }
        }
    }
    void tell(const char* what, Clock::time_point begun, const std::string& more = {}) const
    {
        std::printf("%s %.6f%s\n", what, std::chrono::duration<double>(Clock::now() - begun).count(), more.c_str());
        std::fflush(stdout);
    }

    std::unique_ptr<SSL_CTX, Free> context;
    const std::uint16_t port;
    const std::size_t bytes;
    const std::size_t count;
};

}  // namespace
}  // namespace mesh::bench

int main(int argc, char** argv)
{
    const std::string verb = argc == 6 ? argv[3] : "";
    if (verb != "stream" && verb != "ask" && verb != "persist") {
        std::fprintf(stderr, "usage: nats_bench CA PORT stream|ask|persist BYTES COUNT\n");
        return 2;
    }
    mesh::bench::Bench bench(argv[1], static_cast<std::uint16_t>(std::strtoul(argv[2], nullptr, 10)), std::strtoul(argv[4], nullptr, 10),
                             std::strtoul(argv[5], nullptr, 10));
    verb == "stream" ? bench.stream() : verb == "ask" ? bench.ask() : bench.persist();
    return 0;
}
