#include "shoset/host/turns.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace mesh::host {

Turns::Turns(Loop& ownLoop, Core served) : loop(ownLoop), core(std::move(served)), timer(loop.context()) {}

void Turns::end()
{
    if (posted) {
        return;
    }
    posted = true;
    boost::asio::post(loop.context(), [this] {
        posted = false;
        core.flush();
        arm();
    });
}

void Turns::stop()
{
    stopped = true;
    timer.cancel();
}

// Armed again only for an earlier moment: a timer that fires too soon costs one wake-up, setting one costs two calls.
void Turns::arm()
{
    const Instant next = core.nextDeadline();
    if (stopped || next >= armedFor) {
        return;
    }
    armedFor = next;
    timer.expires_after(std::max<Duration>(next - loop.now().mono, Duration{}));
    timer.async_wait([this](const boost::system::error_code& error) {
        if (error) {
            return;
        }
        armedFor = never;
        core.onTimer();
        end();
    });
}

Watchdog::Watchdog(Loop& loop, const Notify& systemd) : notify(systemd), timer(loop.context()) {}

void Watchdog::start()
{
    const std::optional<Duration> interval = notify.watchdogInterval();
    if (!interval) {
        return;
    }
    notify.watchdog();
    timer.expires_after(*interval);
    timer.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            start();
        }
    });
}

}  // namespace mesh::host
