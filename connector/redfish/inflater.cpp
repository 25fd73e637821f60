#include "connector/redfish/inflater.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <array>
#include <new>

#include <zlib.h>

namespace mesh::connector {

namespace {

constexpr int gzipWindow = 15 + 16;
constexpr int zlibWindow = 15;
constexpr int bareWindow = -15;
constexpr std::size_t pieceBytes = 16 * 1024;

}  // namespace

struct Inflater::Zlib {
    Format format = Format::gzip;
    z_stream stream{};
    bool begun = false, ended = false;
    bool full = false;  // the last piece filled the room: there may be more although no input waits
    std::array<Bytef, pieceBytes> piece;
};

Inflater::Inflater(Format format) : zlib(std::make_unique<Zlib>())
{
    zlib->format = format;
    if (inflateInit2(&zlib->stream, format == Format::gzip ? gzipWindow : zlibWindow) != Z_OK) {
        throw std::bad_alloc();
    }
}

Inflater::~Inflater()
{
    inflateEnd(&zlib->stream);
}

bool Inflater::drained() const
{
    return waiting.empty() && !zlib->full;
}

bool Inflater::finished() const
{
    return in == 0 || (zlib->ended && waiting.empty());
}

void Inflater::feed(std::string_view compressed)
{
    waiting.append(compressed);
    in += compressed.size();
}

Result<std::string_view> Inflater::next(std::size_t room)
{
    if (room == 0 || (waiting.empty() && !zlib->full)) {
        return std::string_view();
    }
    z_stream& stream = zlib->stream;
    if (!waiting.empty() && !zlib->begun) {
        zlib->begun = true;
        // A zlib header says method 8 in its low four bits; no encoder begins bare deflate data so.
        if (zlib->format == Format::deflate && (waiting.front() & 15) != 8) {
            inflateReset2(&stream, bareWindow);
        }
    }
    if (!waiting.empty() && zlib->ended) {
        zlib->ended = false;  // gzip members may follow each other
        inflateReset(&stream);
    }
    room = std::min(room, zlib->piece.size());
    stream.next_in = reinterpret_cast<Bytef*>(waiting.data());
    stream.avail_in = static_cast<uInt>(waiting.size());
    stream.next_out = zlib->piece.data();
    stream.avail_out = static_cast<uInt>(room);
    const int status = inflate(&stream, Z_NO_FLUSH);
    waiting.erase(0, waiting.size() - stream.avail_in);
    const std::size_t made = room - stream.avail_out;
    out += made;
    zlib->full = status == Z_OK && stream.avail_out == 0;
    zlib->ended = status == Z_STREAM_END;
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
        return Error{Code::corrupt, std::string("its compressed body is damaged: ") +
                                        (stream.msg != nullptr ? stream.msg : "unknown reason")};
    }
    if (out > limits::inflateFreeBytes && out > in * limits::maxInflateRatio) {
        return Error{Code::corrupt, "its compressed body grows more than " + std::to_string(limits::maxInflateRatio) +
                                        " times when decoded"};
    }
    return std::string_view(reinterpret_cast<const char*>(zlib->piece.data()), made);
}

}  // namespace mesh::connector
