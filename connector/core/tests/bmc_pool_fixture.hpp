#pragma once

#include "connector/core/bmc_pool.hpp"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace mesh::connector {

// Drives the pool and keeps what it ordered.
struct BmcPoolTest : testing::Test {
    BmcPool pool{"bmc", BmcPool::Options{3, 4, 1}};
    Instant now{1h};
    BmcActions out;
    std::vector<BmcConnection> connecting, closed;
    std::map<BmcExchange, BmcConnection> sent;
    std::map<BmcExchange, std::vector<Code>> failed;
    int sends = 0;

    void settle()
    {
        for (const BmcAction& action : out) {
            switch (action.kind) {
                case BmcAction::Kind::connect: connecting.push_back(action.connection); break;
                case BmcAction::Kind::send: sent[action.exchange] = action.connection; ++sends; break;
                case BmcAction::Kind::close: closed.push_back(action.connection); break;
                case BmcAction::Kind::fail: failed[action.exchange].push_back(action.error.code); break;
                case BmcAction::Kind::stopped: break;
            }
        }
        out.clear();
        ASSERT_LE(pool.open(), 3u);
        ASSERT_LE(pool.waitingCount(), 4u + 3u);
    }
    void start(BmcExchange id, bool repeatable = true, Duration deadline = 30s, bool urgent = false)
    {
        BmcJob job;
        job.id = id;
        job.repeatable = repeatable;
        job.urgent = urgent;
        job.deadline = now + deadline;
        pool.start(job, now, out);
        settle();
    }
    void connectAll()
    {
        std::vector<BmcConnection> ids;
        ids.swap(connecting);
        for (const BmcConnection id : ids) {
            pool.connected(id, now, out);
            settle();
        }
    }
    void failConnect(Code code = Code::notSent)
    {
        const BmcConnection id = connecting.front();
        connecting.erase(connecting.begin());
        pool.connectFailed(id, {code, "why"}, now, out);
        settle();
    }
    void finish(BmcExchange id, bool reusable = true)
    {
        pool.finished(sent.at(id), reusable, now, out);
        settle();
    }
    void lose(BmcConnection connection, bool nothingSent = false, bool replayable = true)
    {
        pool.lost(connection, nothingSent, replayable, "reset", now, out);
        settle();
    }
    void tick(Duration later)
    {
        now += later;
        pool.tick(now, out);
        settle();
    }
    // A connection that has served exchange 1000 and is idle.
    BmcConnection usedConnection()
    {
        start(1000);
        connectAll();
        finish(1000);
        sends = 0;
        return sent.at(1000);
    }
    Code code(BmcExchange id) { return failed[id].size() == 1 ? failed[id][0] : Code::ok; }
};

}  // namespace mesh::connector
