#include "shoset/zmq/context.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <sys/resource.h>
#include <utility>
#include <zmq.h>

namespace mesh::shoset {

struct Context::State {
    explicit State(void* created) : raw(created) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State()
    {
        zmq_ctx_shutdown(raw);
        while (zmq_ctx_term(raw) != 0 && errno == EINTR) {
        }
    }

    void* raw;
    std::uint64_t serial = 0;
};

Result<Context> Context::create()
{
    void* raw = zmq_ctx_new();
    if (raw == nullptr) {
        return Error{Code::unavailable, std::string("cannot create a ZeroMQ context: ") + zmq_strerror(errno)};
    }
    auto state = std::make_shared<State>(raw);
    if (zmq_ctx_set(raw, ZMQ_IO_THREADS, 1) != 0 || zmq_ctx_set(raw, ZMQ_MAX_SOCKETS, limits::maxZmqSockets) != 0 ||
        zmq_ctx_set(raw, ZMQ_BLOCKY, 0) != 0) {
        return Error{Code::unavailable, std::string("cannot set up a ZeroMQ context: ") + zmq_strerror(errno)};
    }
    return Context(std::move(state));
}

void* Context::handle() const
{
    return state->raw;
}

std::uint64_t Context::nextSerial() const
{
    return ++state->serial;
}

Result<std::size_t> raiseDescriptorLimit(std::size_t wanted)
{
    rlimit now{};
    if (getrlimit(RLIMIT_NOFILE, &now) != 0) {
        return Error{Code::ioError, std::string("cannot read the limit of open files: ") + std::strerror(errno)};
    }
    const rlim_t target = std::min<rlim_t>(wanted, now.rlim_max);
    if (target > now.rlim_cur) {
        now.rlim_cur = target;
        if (setrlimit(RLIMIT_NOFILE, &now) != 0) {
            return Error{Code::ioError, std::string("cannot raise the limit of open files: ") + std::strerror(errno)};
        }
    }
    return static_cast<std::size_t>(now.rlim_cur);
}

}  // namespace mesh::shoset
