#include "shoset/core/frame.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::shoset {

namespace {

void putLittle(std::string& out, std::uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; ++i) {
        out.push_back(static_cast<char>(value >> (8 * i)));
    }
}

std::uint64_t getLittle(std::string_view in, std::size_t at, int bytes)
{
    std::uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; --i) {
        value = value << 8 | static_cast<unsigned char>(in[at + static_cast<std::size_t>(i)]);
    }
    return value;
}

void putPrelude(std::string& out, const Prelude& prelude, std::size_t headerLength, std::size_t bodyLength)
{
    out.push_back(static_cast<char>(wireVersion));
    out.push_back(static_cast<char>(prelude.kind));
    out.push_back(static_cast<char>(prelude.flags));
    out.push_back(static_cast<char>(prelude.hops));
    putLittle(out, prelude.remainingMs, 4);
    putLittle(out, static_cast<std::uint64_t>(prelude.sentMicros), 8);
    putLittle(out, headerLength, 4);
    putLittle(out, bodyLength, 4);
}

}  // namespace

void appendRecord(std::string& frame, const Prelude& prelude, std::string_view header, std::string_view body)
{
    frame.reserve(frame.size() + preludeBytes + header.size() + body.size());
    putPrelude(frame, prelude, header.size(), body.size());
    frame.append(header);
    frame.append(body);
}

void appendForwarded(std::string& frame, const Record& record, const Prelude& patched)
{
    putPrelude(frame, patched, record.header.size(), record.body.size());
    frame.append(record.whole.substr(preludeBytes));
}

FrameReader::FrameReader(std::string_view frame) : rest(frame) {}

Result<std::optional<Record>> FrameReader::next()
{
    if (rest.empty()) {
        return std::optional<Record>{};
    }
    if (rest.size() < preludeBytes) {
        return Error{Code::corrupt, "a frame ends within a prelude"};
    }
    if (static_cast<std::uint8_t>(rest[0]) != wireVersion) {
        return Error{Code::unsupported, "wire version " + std::to_string(static_cast<std::uint8_t>(rest[0]))};
    }
    const auto kind = static_cast<std::uint8_t>(rest[1]);
    if (kind == 0 || kind > lastKind) {
        return Error{Code::unsupported, "record kind " + std::to_string(kind)};
    }
    const std::uint64_t headerLength = getLittle(rest, 16, 4);
    const std::uint64_t bodyLength = getLittle(rest, 20, 4);
    if (headerLength > limits::maxHeaderBytes || bodyLength > limits::inlineBodyBytes) {
        return Error{Code::tooLarge, "a record with a header of " + std::to_string(headerLength) +
                                         " and a body of " + std::to_string(bodyLength) + " bytes"};
    }
    const std::uint64_t total = preludeBytes + headerLength + bodyLength;
    if (total > rest.size()) {
        return Error{Code::corrupt, "a record is longer than its frame"};
    }
    Record record;
    record.prelude.kind = static_cast<Kind>(kind);
    record.prelude.flags = static_cast<std::uint8_t>(rest[2]);
    record.prelude.hops = static_cast<std::uint8_t>(rest[3]);
    record.prelude.remainingMs = static_cast<std::uint32_t>(getLittle(rest, 4, 4));
    record.prelude.sentMicros = static_cast<std::int64_t>(getLittle(rest, 8, 8));
    record.header = rest.substr(preludeBytes, headerLength);
    record.body = rest.substr(preludeBytes + headerLength, bodyLength);
    record.whole = rest.substr(0, total);
    rest.remove_prefix(total);
    return std::optional<Record>{record};
}

}  // namespace mesh::shoset
