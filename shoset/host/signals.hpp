#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <memory>

namespace mesh::host {

// Process signals as loop events. At most one object per process at a time, made before other threads start.
// The first INT or TERM calls `stop`; a second one ends the process at once with status 128 + signal, even if the loop
// hangs. HUP calls `reload`. PIPE is ignored. The destructor restores what was there before.
class Signals {
public:
    Signals(boost::asio::io_context& context, std::function<void()> stop, std::function<void()> reload);
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

private:
    void wait();

    struct Saved;
    std::function<void()> onStop;
    std::function<void()> onReload;
    boost::asio::posix::stream_descriptor events;
    std::unique_ptr<Saved> saved;
};

}  // namespace mesh::host
