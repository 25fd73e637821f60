#pragma once

#include "shoset/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace mesh::shoset {

// A ZeroMQ context: one I/O thread of its own, so that a flood on its endpoints cannot stall another context's. The
// value is a handle; every socket keeps one, and the context ends with the last: no order of destruction can hang.
// All sockets of one context are used on one thread, the loop's.
class Context {
public:
    // Code::unavailable when the process has no descriptors or threads left.
    static Result<Context> create();

    // The `void*` of libzmq's functions; valid while a copy of this handle lives.
    void* handle() const;
    // A number that this context gave to nobody before. Names inproc endpoints and connections.
    std::uint64_t nextSerial() const;

private:
    struct State;
    explicit Context(std::shared_ptr<State> owned) : state(std::move(owned)) {}
    std::shared_ptr<State> state;
};

// Raises the soft limit of open descriptors to `wanted`, or as far as the hard limit allows, never lowers it. Returns
// what holds now: every link costs one descriptor.
Result<std::size_t> raiseDescriptorLimit(std::size_t wanted);

}  // namespace mesh::shoset
