#pragma once

#include "connector/core/worker_rules.hpp"
#include "connector/core/workers.hpp"
#include "shoset/zmq/context.hpp"
#include "shoset/zmq/listener.hpp"
#include "shoset/zmq/zap.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace mesh::connector {

// All are called on the loop's thread, never from inside send().
struct WorkerSocketHandlers {
    std::function<void(WorkerId id, const LocalPeer& peer, std::string_view frame)> onMessage;
    std::function<void(WorkerId id)> onGone;
    std::function<void()> onBatchEnd;  // after a batch of the above
    std::function<bool()> isBusy;      // workers have commands: their end has to be noticed at once
};

// The Unix socket that workers attach to. Only users whom `rules` names get in; who they are is what the kernel says. While
// nobody is attached it costs no wake-up. The file and its folder are open to the process's group (0660, 0750).
class WorkerSocket {
public:
    // The folder is made if it is missing. Code::unavailable names the path.
    static Result<std::unique_ptr<WorkerSocket>> open(const shoset::Context& context, boost::asio::io_context& loop,
                                                      const std::string& path, WorkerRules rules, WorkerSocketHandlers handlers);
    // Code::notSent: that connection is no more.
    Code send(WorkerId id, std::string word);

private:
    WorkerSocket(boost::asio::io_context& loop, WorkerSocketHandlers called);
    void heard(WorkerId id, std::string_view user, std::string_view frame);
    void lookLater();

    WorkerSocketHandlers handlers;
    boost::asio::steady_timer timer;
    bool looking = false;  // the timer runs
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);  // while this object lives, for what waits in the loop
    std::unique_ptr<shoset::Zap> zap;  // ends after the listener
    std::unique_ptr<shoset::MeshListener> listener;
};

}  // namespace mesh::connector
