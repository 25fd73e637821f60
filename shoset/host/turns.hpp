#pragma once

#include "shoset/host/loop.hpp"
#include "shoset/host/notify.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>

namespace mesh::host {

// Gives a pure core its turns. Whatever events one pass of the loop brings, their output leaves together, once, at the
// end; and the core is called again when its next deadline has come. Loop thread.
class Turns {
public:
    struct Core {
        std::function<void()> flush;
        std::function<Instant()> nextDeadline;
        std::function<void()> onTimer;
    };
    Turns(Loop& loop, Core core);

    // After each event that was given to the core.
    void end();
    // No timers any more.
    void stop();

private:
    void arm();

    Loop& loop;
    const Core core;
    boost::asio::steady_timer timer;
    Instant armedFor = never;
    bool posted = false;
    bool stopped = false;
};

// Tells systemd that the loop lives, as often as it wants to hear it; a service that falls silent is restarted.
class Watchdog {
public:
    Watchdog(Loop& loop, const Notify& notify);
    void start();

private:
    const Notify& notify;
    boost::asio::steady_timer timer;
};

}  // namespace mesh::host
