#include "shoset/http/parser.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/http/grammar.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <functional>
#include <type_traits>

namespace mesh::http {

namespace {

namespace beast = boost::beast;
namespace bhttp = boost::beast::http;

constexpr std::size_t maxMethodBytes = 32;
constexpr std::size_t maxChunkExtensionBytes = 256;
constexpr std::size_t shortestChunkedEnd = 5;  // "0\r\n\r\n"
constexpr std::size_t usualHeaders = 16;
constexpr std::size_t startLineRest = maxMethodBytes + sizeof(" HTTP/1.1\r\n");

Error malformed(std::string message)
{
    return {Code::invalidArgument, std::move(message)};
}

std::string_view view(beast::string_view text)
{
    return {text.data(), text.size()};
}

// Beast unfolds obs-fold: then the value lies in a buffer of its own, or a line end lies between the colon and it.
bool isFolded(std::string_view name, std::string_view value, std::string_view input)
{
    const char* inputEnd = input.data() + input.size();
    const char* nameEnd = name.data() + name.size();
    const std::less<const char*> before;
    if (before(value.data(), nameEnd) || before(inputEnd, value.data())) {
        return true;
    }
    return std::find(nameEnd, value.data(), '\r') != value.data();
}

// CR and LF only as a pair, but for a CR at the end, whose LF may follow. `from` was checked before.
bool linesEndProperly(std::string_view text, std::size_t from)
{
    bool afterReturn = from > 0 && text[from - 1] == '\r';
    for (const char c : text.substr(from)) {
        if (afterReturn != (c == '\n')) {
            return false;
        }
        afterReturn = c == '\r';
    }
    return true;
}

// RFC 9112, 3.2: origin-form, absolute-form, or "*" of OPTIONS; a gateway has no use for authority-form.
std::optional<Error> normaliseTarget(RequestHead& head)
{
    const bool ascii = std::all_of(head.target.begin(), head.target.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!ascii || head.target.find('#') != std::string::npos) {
        return malformed("the target has characters that a URI cannot have");
    }
    if (head.target.front() == '/' || (head.target == "*" && head.method == "OPTIONS")) {
        return {};
    }
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!equalsIgnoreCase(std::string_view(head.target).substr(0, scheme.size()), scheme)) {
            continue;
        }
        const std::string rest = head.target.substr(scheme.size());
        const std::size_t authorityEnd = std::min(rest.find_first_of("/?"), rest.size());
        const std::string authority = rest.substr(0, authorityEnd);
        if (authority.empty() || !isHost(authority)) {
            return malformed("the target's authority is not a host");
        }
        setHeader(head.headers, "Host", authority);
        head.target = rest.substr(authorityEnd);
        if (head.target.empty() || head.target.front() != '/') {
            head.target.insert(0, "/");
        }
        return {};
    }
    return malformed("the target must begin with '/'");
}

std::optional<Error> checkHead(RequestHead& head, bool http10)
{
    const auto isHostHeader = [](const Header& header) { return equalsIgnoreCase(header.name, "Host"); };
    const auto hosts = std::count_if(head.headers.begin(), head.headers.end(), isHostHeader);
    if (hosts > 1 || (hosts == 0 && !http10)) {
        return malformed("exactly one Host header is required");
    }
    if (hosts == 1 && !isHost(*findHeader(head.headers, "Host"))) {
        return malformed("the Host header is not a host");
    }
    return normaliseTarget(head);
}

std::optional<Error> checkHead(ResponseHead& head, bool)
{
    if (head.status < 100 || head.status > 599) {
        return malformed("the status is not within 100 to 599");
    }
    return {};
}

}  // namespace

// Named by the contract's Parser<Head>; one type for requests and responses, as Beast's callbacks are the same.
template <class Head>
struct Parser<Head>::Impl final : bhttp::basic_parser<std::is_same_v<Head, RequestHead>> {
    static constexpr bool isRequest = std::is_same_v<Head, RequestHead>;
    using Base = bhttp::basic_parser<isRequest>;
    using ErrorCode = boost::system::error_code;

    Head head;
    Events* events = nullptr;
    std::string_view input;  // of the running put()
    std::optional<Error> failure;
    std::size_t headBytes = 0;
    std::size_t checkedBytes = 0;  // of the input not taken yet, by parseHead()
    bool startLineSeen = false, skippedEmptyLine = false, http10 = false, transferEncodingSeen = false,
         expectsContinue = false, targetTooLong = false, bodyNeedsMore = false, ended = false;

    Impl()
    {
        this->eager(true);
        this->body_limit(boost::none);
        this->header_limit(2 * limits::maxHttpHeaderBytes);  // counted exactly in parseHead(), over all of the head
    }

    void fail(Error error, ErrorCode& code)
    {
        failure = std::move(error);
        code = make_error_code(boost::system::errc::protocol_error);
    }

    void on_request_impl(bhttp::verb, beast::string_view method, beast::string_view target, int version,
                         ErrorCode& code) override
    {
        if constexpr (isRequest) {
            startLineSeen = true;
            http10 = version == 10;
            if (method.size() > maxMethodBytes) {
                return fail(malformed("the method is too long"), code);
            }
            if (target.size() > limits::maxHttpTargetBytes) {
                targetTooLong = true;
                return fail({Code::tooLarge, "the target is too long"}, code);
            }
            head.method = view(method);
            head.target = view(target);
            head.headers.reserve(usualHeaders);
        }
    }

    void on_response_impl(int status, beast::string_view, int version, ErrorCode&) override
    {
        if constexpr (!isRequest) {
            startLineSeen = true;
            http10 = version == 10;
            head.status = status;
        }
    }

    void on_field_impl(bhttp::field field, beast::string_view name, beast::string_view value, ErrorCode& code) override
    {
        if (isFolded(view(name), view(value), input)) {
            return fail(malformed("a header is folded over several lines"), code);
        }
        if (this->is_header_done()) {
            return;  // a trailer
        }
        if (head.headers.size() >= limits::maxHttpHeaders) {
            return fail({Code::tooLarge, "too many headers"}, code);
        }
        if (field == bhttp::field::transfer_encoding) {
            if (std::exchange(transferEncodingSeen, true) || http10) {
                return fail(malformed("Transfer-Encoding stands twice, or in HTTP/1.0"), code);
            }
            if (!equalsIgnoreCase(view(value), "chunked")) {
                return fail({Code::unsupported, "the only transfer coding understood is chunked"}, code);
            }
        }
        if (field == bhttp::field::expect) {
            expectsContinue = !http10 && equalsIgnoreCase(view(value), "100-continue");
        }
        head.headers.push_back({std::string(view(name)), std::string(view(value))});
    }

    void on_header_impl(ErrorCode& code) override
    {
        if (auto error = checkHead(head, http10)) {
            return fail(std::move(*error), code);
        }
        std::optional<std::uint64_t> length;
        if (const auto given = this->content_length()) {
            length = *given;
        } else if (this->is_done()) {
            length = 0;
        }
        events->onHead(std::move(head), length);
    }

    void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}

    std::size_t on_body_impl(beast::string_view body, ErrorCode&) override
    {
        if (!body.empty()) {
            events->onBody(view(body));
        }
        return body.size();
    }

    void on_chunk_header_impl(std::uint64_t, beast::string_view extensions, ErrorCode& code) override
    {
        const bool controls = std::any_of(extensions.begin(), extensions.end(),
                                          [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\t'; });
        if (controls || extensions.size() > maxChunkExtensionBytes) {
            fail(malformed("a chunk extension is too long or has control characters"), code);
        }
    }

    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, ErrorCode& code) override
    {
        return on_body_impl(body, code);
    }

    void on_finish_impl(ErrorCode&) override
    {
        ended = true;
        events->onEnd();
    }

    // Within a chunked body Beast asserts that it gets this much when it is called again after asking for more. A body
    // that is not over has at least as much to come, so waiting for it delays nothing for good.
    std::size_t parseBody(std::string_view bytes, bool& needMore)
    {
        if (bodyNeedsMore && bytes.size() < shortestChunkedEnd) {
            needMore = true;
            return 0;
        }
        const std::size_t used = feed(bytes, needMore);
        bodyNeedsMore = needMore;
        return used;
    }

    // One put(); turns Beast's errors into ours, except that more input is needed.
    std::size_t feed(std::string_view bytes, bool& needMore)
    {
        ErrorCode code;
        input = bytes;
        const std::size_t used = this->put(boost::asio::const_buffer(bytes.data(), bytes.size()), code);
        needMore = code == bhttp::error::need_more;
        if (code == bhttp::error::header_limit) {
            failure = Error{Code::tooLarge, "the headers are too large"};
        } else if (code && !needMore && !failure) {
            failure = malformed(code.message());
        }
        return used;
    }

    // Until the head is complete Beast sees no more than the head may have, so the limit is exact however it is cut.
    std::size_t parseHead(std::string_view bytes, bool& needMore)
    {
        const std::size_t room = limits::maxHttpHeaderBytes - headBytes;
        const std::string_view window = bytes.substr(0, room);
        const std::size_t used = feed(window, needMore);
        headBytes += used;
        if (failure || this->is_header_done()) {
            bodyNeedsMore = needMore;
            return used;
        }
        // Once it asked for more, Beast looks at nothing before it sees the end of the head. What can be known to be
        // wrong already is found here, so that the answer does not depend on how the head was cut.
        const std::string_view rest = window.substr(used);
        const std::string_view line = rest.substr(0, limits::maxHttpTargetBytes + startLineRest);
        const bool lineTooLong =
            line.size() == limits::maxHttpTargetBytes + startLineRest && line.find('\n') == std::string_view::npos;
        const std::size_t checked = std::exchange(checkedBytes, rest.size());
        if (!linesEndProperly(rest, used > 0 ? 0 : std::min(checked, rest.size()))) {
            failure = malformed("a line must end with CR LF");
        } else if (isRequest && !startLineSeen && lineTooLong) {
            targetTooLong = true;
            failure = Error{Code::tooLarge, "the target is too long"};
        } else if (window.size() == room) {
            failure = Error{Code::tooLarge, "the headers are too large"};
        }
        return used;
    }
};

template <class Head>
Parser<Head>::Parser() : impl(std::make_unique<Impl>())
{
}

template <class Head>
Parser<Head>::~Parser() = default;
template <class Head>
Parser<Head>::Parser(Parser&&) noexcept = default;
template <class Head>
Parser<Head>& Parser<Head>::operator=(Parser&&) noexcept = default;

template <class Head>
Result<std::size_t> Parser<Head>::consume(std::string_view bytes, Events& events)
{
    std::size_t used = 0;
    bool needMore = false;
    impl->events = &events;
    if (Impl::isRequest && !impl->got_some() && !impl->skippedEmptyLine && bytes.substr(0, 2) == "\r\n") {
        impl->skippedEmptyLine = true;
        used = 2;
    }
    if (Impl::isRequest && !impl->got_some() && bytes.substr(used) == "\r" && !impl->skippedEmptyLine) {
        return used;
    }
    while (!impl->failure && !impl->ended && !needMore && used < bytes.size()) {
        const std::string_view rest = bytes.substr(used);
        used += impl->is_header_done() ? impl->parseBody(rest, needMore) : impl->parseHead(rest, needMore);
    }
    if (needMore && bytes.size() - used > limits::maxHttpHeaderBytes) {
        impl->failure = Error{Code::tooLarge, "a chunk's header or the trailers are too large"};
    }
    if (impl->failure) {
        return *impl->failure;
    }
    return used;
}

template <class Head>
Result<void> Parser<Head>::finish(Events& events)
{
    impl->events = &events;
    if (impl->failure) {
        return *impl->failure;
    }
    if (impl->ended || !impl->got_some()) {
        return {};
    }
    boost::system::error_code code;
    impl->put_eof(code);
    if (code) {
        impl->failure = malformed("the connection was closed in the middle of a message");
        return *impl->failure;
    }
    return {};
}

template <class Head>
void Parser<Head>::reset()
{
    std::destroy_at(impl.get());
    std::construct_at(impl.get());
}

template <class Head>
void Parser<Head>::expectNoBody()
{
    impl->skip(true);
}

template <class Head>
bool Parser<Head>::started() const
{
    return impl->got_some();
}

template <class Head>
bool Parser<Head>::done() const
{
    return impl->ended;
}

template <class Head>
bool Parser<Head>::headDone() const
{
    return impl->is_header_done();
}

template <class Head>
bool Parser<Head>::keepAlive() const
{
    return impl->is_header_done() && impl->keep_alive();
}

template <class Head>
bool Parser<Head>::expectsContinue() const
{
    return impl->expectsContinue;
}

template <class Head>
bool Parser<Head>::http10() const
{
    return impl->http10;
}

template <class Head>
bool Parser<Head>::targetTooLong() const
{
    return impl->targetTooLong;
}

template class Parser<RequestHead>;
template class Parser<ResponseHead>;

}  // namespace mesh::http
