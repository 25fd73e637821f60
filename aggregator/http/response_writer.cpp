#include "aggregator/http/response_writer.hpp"

#include "shoset/http/format.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace mesh::aggregator {

namespace {

using Kind = OutputQueue::Kind;

bool isFraming(const Header& header)
{
    static constexpr std::array<std::string_view, 8> names = {
        "Connection",       "Content-Length", "Transfer-Encoding", "Keep-Alive",
        "Proxy-Connection", "Upgrade",        "Trailer",           "TE"};
    return std::any_of(names.begin(), names.end(),
                       [&](std::string_view name) { return equalsIgnoreCase(name, header.name); });
}

std::optional<std::uint64_t> announcedLength(const Headers& headers)
{
    const std::string* text = findHeader(headers, "Content-Length");
    std::uint64_t value = 0;
    if (text == nullptr || text->empty()) {
        return {};
    }
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size()) {
        return {};
    }
    return value;
}

bool hasNoBody(int status)
{
    return status < 200 || status == 204 || status == 304;
}

}  // namespace

void ResponseWriter::begin(const RequestFacts& facts)
{
    *this = {};
    request = facts;
    keepAlive = facts.keepAlive;
}

bool ResponseWriter::start(ResponseHead head, std::string body, bool last, OutputQueue& out)
{
    frame(head, body.size(), last);
    std::string bytes;
    http::appendResponse(bytes, head);
    out.push(std::move(bytes), Kind::framing);
    phase = Phase::body;
    return add(std::move(body), last, out);
}

void ResponseWriter::frame(ResponseHead& head, std::size_t bodySize, bool last)
{
    auto length = announcedLength(head.headers);
    std::erase_if(head.headers, isFraming);
    framing = Framing::none;
    if (hasNoBody(head.status)) {
        if (head.status != 304) {
            length = {};
        }
    } else if (request.head) {
        if (!length && last && bodySize > 0) {
            length = bodySize;
        }
    } else if (last || length) {
        framing = Framing::length;
        length = last ? bodySize : *length;
        remaining = *length;
    } else if (request.http10) {
        framing = Framing::untilClose;
        keepAlive = false;
    } else {
        framing = Framing::chunked;
        head.headers.push_back({"Transfer-Encoding", "chunked"});
    }
    if (length) {
        head.headers.push_back({"Content-Length", std::to_string(*length)});
    }
    if (!keepAlive) {
        head.headers.push_back({"Connection", "close"});
    } else if (request.http10) {
        head.headers.push_back({"Connection", "keep-alive"});
    }
}

bool ResponseWriter::add(std::string piece, bool last, OutputQueue& out)
{
    const std::size_t size = piece.size();
    if (framing == Framing::none) {
        dropped += size;
    } else if (framing == Framing::length) {
        if (size > remaining || (last && size < remaining)) {
            return false;
        }
        remaining -= size;
        out.push(std::move(piece), Kind::payload);
    } else if (framing == Framing::untilClose) {
        out.push(std::move(piece), Kind::payload);
    } else if (size > 0) {
        out.push(http::chunkPrefix(size), Kind::framing);
        out.push(std::move(piece), Kind::payload);
        out.push(last ? std::string("\r\n").append(http::lastChunk) : "\r\n", Kind::framing);
    } else if (last) {
        out.push(std::string(http::lastChunk), Kind::framing);
    }
    if (last) {
        phase = Phase::ended;
    }
    return true;
}

std::size_t ResponseWriter::takeDropped()
{
    return std::exchange(dropped, 0);
}

}  // namespace mesh::aggregator
