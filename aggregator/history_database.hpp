#pragma once

#include "aggregator/syslog_socket.hpp"
#include "cluster/history/history_store.hpp"
#include "shoset/base/result.hpp"
#include "shoset/host/blocking_worker.hpp"
#include "shoset/host/loop.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace mesh::aggregator {

// One of the history's databases, with a thread of its own: one that does not answer keeps nobody else's waiting. Loop thread. In a
// shared_ptr: what it was asked holds it until `done` has returned, and who may let go of it before calls stop().
class HistoryDatabase : public std::enable_shared_from_this<HistoryDatabase> {
public:
    // `syslog`: path of a socket that gets what the audit stores; empty: none. `turn` after each answer.
    HistoryDatabase(host::Loop& loop, std::string url, std::string password, const std::string& syslog, std::function<void()> turn);
    ~HistoryDatabase();

    // Returns when what was given to it is done. Nothing is taken any more.
    void stop();
    // For the connections from now on. False: it is that already.
    bool setPassword(const std::string& password);
    // `question` on its thread, `done` later on the loop in any case, also where too much waits (full).
    template <class Answer>
    void ask(std::function<Result<Answer>(history::HistoryStore&)> question, std::function<void(Result<Answer>)> done)
    {
        auto answer = std::make_shared<Result<Answer>>(Error{Code::full, "too much waits for the history's database"});
        submit([this, answer, question = std::move(question)] { *answer = question(store); },
               [this, answer, done = std::move(done)] {
                   onOutcome(*answer ? Result<void>{} : Result<void>(answer->error()));
                   done(std::move(*answer));
                   turn();
               });
    }
    // How many went to nobody, as well.
    void append(std::vector<history::AuditRecord> records, std::function<void(Result<void>, std::uint64_t dropped)> done);

    const std::string& url() const { return where; }

    // Kept for it by who records.
    std::size_t reading = 0;             // reads under way
    std::size_t sinceSweep = 0;          // records of the audit that were stored
    std::uint64_t eventBytesSinceSweep = 0;
    std::size_t eventsSinceSweep = 0;

private:
    void submit(std::function<void()> job, std::function<void()> done);
    void onOutcome(const Result<void>& outcome);
    void closeLater();

    host::Loop& loop;
    const std::string where;
    const std::function<void()> turn;
    boost::asio::steady_timer closer;
    history::HistoryStore store;            // the worker's, but for its making and its end
    std::unique_ptr<SyslogSocket> syslog;   // as well; null: not wanted
    std::string knownPassword;
    bool failing = false;
    std::shared_ptr<int> alive = std::make_shared<int>();
    host::BlockingWorker worker;
};

}  // namespace mesh::aggregator
