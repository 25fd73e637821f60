#include "aggregator/http/output_queue.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::aggregator {

void OutputQueue::push(std::string bytes, Kind kind)
{
    if (!bytes.empty()) {
        segments.push_back({std::move(bytes), kind});
    }
}

std::size_t OutputQueue::front(std::span<boost::asio::const_buffer> into) const
{
    std::size_t filled = 0;
    std::size_t room = limits::httpWriteBytes;
    std::size_t skip = offset;
    for (auto segment = segments.begin(); segment != segments.end() && filled < into.size() && room > 0; ++segment) {
        const std::size_t size = std::min(segment->bytes.size() - skip, room);
        into[filled++] = {segment->bytes.data() + skip, size};
        room -= size;
        skip = 0;
    }
    return filled;
}

std::size_t OutputQueue::consume(std::size_t size)
{
    std::size_t payload = 0;
    while (size > 0 && !empty()) {
        const Segment& segment = segments.front();
        const std::size_t step = std::min(size, segment.bytes.size() - offset);
        payload += segment.kind == Kind::payload ? step : 0;
        size -= step;
        offset += step;
        if (offset == segment.bytes.size()) {
            segments.pop_front();
            offset = 0;
        }
    }
    return payload;
}

}  // namespace mesh::aggregator
