#pragma once

#include "shoset/base/limits.hpp"
#include "shoset/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mesh::connector {

// The body of one request on its way to the BMC: pieces in, framed bytes out. A body of up to limits::inlineBodyBytes
// is kept until the exchange is over, so that it can be sent once more; of a longer one, what was written is forgotten.
class BmcBody {
public:
    enum class Framing { none, length, chunked };

    BmcBody() = default;
    // length: announced total, or -1 for a chunked body.
    explicit BmcBody(std::int64_t length);
    // Overwrites what it held: the body of a login has the password.
    ~BmcBody();
    BmcBody(const BmcBody&) = delete;
    BmcBody& operator=(const BmcBody&) = delete;
    BmcBody(BmcBody&&) noexcept = default;
    BmcBody& operator=(BmcBody&&) noexcept = default;

    // Code::invalidArgument for more, or in the end less, than was announced, and for anything after the last piece:
    // bytes beyond Content-Length would be taken for another request.
    Result<void> add(std::string_view piece, bool last);
    // Appends up to `room` bytes of the body with its framing to `out`.
    void take(std::string& out, std::size_t room);
    // What was taken has been written: says how many bytes of the body that are since the last call, those written a
    // second time not counted.
    std::size_t acknowledge();

    bool hasMore() const;                          // take() would append something
    bool complete() const;                         // everything was taken
    bool replayable() const { return dropped == 0; }
    void rewind();                                 // from the beginning; only when replayable()
    Framing framing() const { return kind; }
    std::uint64_t length() const { return announced; }

private:
    Framing kind = Framing::none;
    std::uint64_t announced = 0;
    std::uint64_t added = 0;
    std::string data;         // without the `dropped` first bytes
    std::uint64_t dropped = 0;
    std::size_t at = 0;       // within data: first byte not taken
    std::uint64_t reported = 0;
    bool last = true;         // nothing more will be added
    bool ended = true;        // the last chunk was taken
};

}  // namespace mesh::connector
