#pragma once

#include "shoset/base/http.hpp"
#include "shoset/base/result.hpp"
#include "shoset/http/format.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace mesh::http {

// HTTP/1.1 framing (RFC 9112) over Boost.Beast's parser: bytes in, head and body pieces out. Pure: no socket, no clock.
// Limits are those of limits.hpp; a message over one is Code::tooLarge, a transfer coding other than "chunked"
// Code::unsupported, anything malformed Code::invalidArgument. After an error every call gives the same error.
// Strict where leniency lets two parsers disagree on where a message ends (request smuggling): lone LF or CR, obs-fold,
// white space before a colon, control characters, both Content-Length and Transfer-Encoding, differing or repeated
// ones, Transfer-Encoding in HTTP/1.0, and in requests a missing, repeated or malformed Host are all errors. One empty
// line before a request is skipped (RFC 9112, 2.2). A target in absolute-form becomes origin-form, its authority the
// Host (3.2.2). Trailers and chunk extensions are checked and dropped.
template <class Head>
class Parser {
public:
    // Must not call the parser from inside an event.
    struct Events {
        virtual ~Events() = default;
        // contentLength is empty for chunked or until-close bodies.
        virtual void onHead(Head head, std::optional<std::uint64_t> contentLength) = 0;
        virtual void onBody(std::string_view piece) = 0;
        virtual void onEnd() = 0;
    };

    Parser();
    ~Parser();
    Parser(Parser&&) noexcept;
    Parser& operator=(Parser&&) noexcept;

    // Consumes as much of `bytes` as belongs to the current message, calling events; returns how many bytes it took
    // (all of them, unless the message ended or more input is needed to go on: keep the rest and call again with more;
    // the rest is never more than limits::maxHttpHeaderBytes, so a buffer of limits::httpBufferBytes always suffices).
    Result<std::size_t> consume(std::string_view bytes, Events& events);
    // The peer closed the connection: ends an until-close body, or is an error in mid-message.
    Result<void> finish(Events& events);
    // For the next message on the same connection.
    void reset();
    // A response to HEAD (or a 1xx/204/304) has no body whatever its headers say. Call before consume().
    void expectNoBody();

    bool started() const;   // at least one byte of the message was consumed
    bool done() const;      // the message ended
    bool headDone() const;  // onHead was called
    bool keepAlive() const;  // valid once the head was seen
    bool expectsContinue() const;
    bool http10() const;        // HTTP/1.0, valid once the head was seen
    bool targetTooLong() const;  // Code::tooLarge was for the request's target, not for its headers

private:
    struct Impl;
    std::unique_ptr<Impl> impl;
};

using RequestParser = Parser<RequestHead>;
using ResponseParser = Parser<ResponseHead>;

}  // namespace mesh::http
