#include "aggregator/http/input_buffer.hpp"

#include "shoset/base/limits.hpp"

#include <cstring>

namespace mesh::aggregator {

static constexpr std::size_t smallBytes = 4 * 1024;

std::span<char> InputBuffer::prepare(bool manyComing)
{
    const std::size_t held = last - first;
    if (manyComing && capacity < limits::httpBufferBytes) {
        moveTo(limits::httpBufferBytes);
    } else if (held == 0 && !manyComing && capacity != smallBytes) {
        moveTo(smallBytes);
    } else if (held > capacity / 2 && capacity < limits::httpBufferBytes) {
        moveTo(2 * capacity);
    } else if (first > 0) {
        std::memmove(data.get(), data.get() + first, held);
        first = 0;
        last = held;
    }
    return {data.get() + last, capacity - last};
}

void InputBuffer::moveTo(std::size_t newCapacity)
{
    const std::size_t held = last - first;
    std::unique_ptr<char[]> moved(new char[newCapacity]);
    if (held > 0) {
        std::memcpy(moved.get(), data.get() + first, held);
    }
    data = std::move(moved);
    capacity = newCapacity;
    first = 0;
    last = held;
}

}  // namespace mesh::aggregator
