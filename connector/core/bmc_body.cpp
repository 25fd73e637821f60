#include "connector/core/bmc_body.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace mesh::connector {

BmcBody::BmcBody(std::int64_t length)
    : kind(length < 0 ? Framing::chunked : Framing::length),
      announced(length < 0 ? 0 : static_cast<std::uint64_t>(length)),
      last(false),
      ended(length >= 0)
{
}

BmcBody::~BmcBody()
{
    explicit_bzero(data.data(), data.size());
}

Result<void> BmcBody::add(std::string_view piece, bool lastPiece)
{
    if (last) {
        return Error{Code::invalidArgument, "a piece of a body after its last"};
    }
    const std::uint64_t total = added + piece.size();
    if (kind == Framing::length && (total > announced || (lastPiece && total < announced))) {
        return Error{Code::invalidArgument, "a body of " + std::to_string(total) + " bytes where " +
                                                std::to_string(announced) + " were announced"};
    }
    data.append(piece);
    added = total;
    last = lastPiece;
    return {};
}

void BmcBody::take(std::string& out, std::size_t room)
{
    const std::size_t count = std::min(room, data.size() - at);
    if (count > 0 && kind == Framing::chunked) {
        char digits[16];
        const auto end = std::to_chars(digits, digits + sizeof(digits), count, 16).ptr;
        out.append(digits, end).append("\r\n");
    }
    out.append(data, at, count);
    if (count > 0 && kind == Framing::chunked) {
        out.append("\r\n");
    }
    at += count;
    if (last && !ended && at == data.size()) {
        out.append("0\r\n\r\n");
        ended = true;
    }
}

std::size_t BmcBody::acknowledge()
{
    const std::uint64_t taken = dropped + at;
    const std::uint64_t fresh = taken > reported ? taken - reported : 0;
    reported += fresh;
    if (added > limits::inlineBodyBytes && (at == data.size() || at >= limits::chunkBytes)) {
        dropped += at;
        data.erase(0, at);
        at = 0;
    }
    return static_cast<std::size_t>(fresh);
}

bool BmcBody::hasMore() const
{
    return at < data.size() || (last && !ended);
}

bool BmcBody::complete() const
{
    return last && ended && at == data.size();
}

void BmcBody::rewind()
{
    at = 0;
    ended = kind != Framing::chunked;
}

}  // namespace mesh::connector
