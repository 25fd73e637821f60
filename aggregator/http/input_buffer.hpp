#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace mesh::aggregator {

// Bytes received and not yet parsed, at most limits::httpBufferBytes. What is small stays small: an idle connection
// holds 4 KiB. The span of prepare() stays valid until the next prepare(), whatever is consumed meanwhile.
class InputBuffer {
public:
    // Room to read into; grows where `manyComing` or little room is left. Empty when the buffer is full.
    std::span<char> prepare(bool manyComing);
    void commit(std::size_t size) { last += size; }
    std::string_view bytes() const { return {data.get() + first, last - first}; }
    void consume(std::size_t size) { first += size; }
    void discard() { first = last; }
    bool empty() const { return first == last; }

private:
    void moveTo(std::size_t newCapacity);

    std::unique_ptr<char[]> data;
    std::size_t capacity = 0;
    std::size_t first = 0;
    std::size_t last = 0;
};

}  // namespace mesh::aggregator
