#include "connector/core/bmc_pool.hpp"
#include "shoset/base/rng.hpp"

#include <gtest/gtest.h>

#include <iterator>
#include <map>
#include <vector>

namespace mesh::connector {
namespace {

using Kind = BmcAction::Kind;

// A shell at random: connections open, break and close as they like, and every order is checked against what it knows.
class History {
public:
    explicit History(std::uint64_t seed) : rng(seed) {}

    void step()
    {
        switch (rng.below(10)) {
            case 0:
            case 1:
            case 2: startOne(); break;
            case 3:
            case 4:
            case 5: answerOrBreakOne(); break;
            case 6:
            case 7: openOne(); break;
            case 8: later(Duration(rng.below(500'000'000))); break;
            case 9: loseIdleOne(); break;
        }
        apply();
    }
    void runOut()
    {
        for (int i = 0; i < 1000 && pool.nextDeadline() != never; ++i) {
            later(std::max<Duration>(Duration::zero(), pool.nextDeadline() - now));
            apply();
        }
    }
    void check() const
    {
        for (const auto& [id, exchange] : exchanges) {
            EXPECT_EQ(exchange.ends, 1) << "exchange " << id;
            EXPECT_LE(exchange.written, exchange.repeatable ? 2 : 1) << "exchange " << id;
        }
    }

private:
    struct Known {
        bool repeatable = false;
        int ends = 0, written = 0;
    };

    template <class Container>
    auto any(Container& from)
    {
        return std::next(from.begin(), static_cast<std::ptrdiff_t>(rng.below(from.size())));
    }
    BmcConnection takeAny(std::vector<BmcConnection>& from)
    {
        const auto it = any(from);
        const BmcConnection connection = *it;
        from.erase(it);
        return connection;
    }
    void startOne()
    {
        BmcJob job;
        job.id = exchanges.size() + 1;
        job.repeatable = rng.below(2) == 0;
        job.deadline = now + Duration(rng.below(3'000'000'000));
        exchanges[job.id].repeatable = job.repeatable;
        pool.start(job, now, out);
    }
    void answerOrBreakOne()
    {
        if (carrying.empty()) {
            return;
        }
        const auto it = any(carrying);
        const auto [connection, exchange] = *it;
        carrying.erase(it);
        if (rng.below(4) == 0) {
            const bool nothingSent = rng.below(2) == 0;
            exchanges[exchange].written -= nothingSent ? 1 : 0;
            pool.lost(connection, nothingSent, true, "", now, out);
            return;
        }
        const bool reusable = rng.below(3) > 0;
        ++exchanges[exchange].ends;
        if (reusable) {
            idle.push_back(connection);
        }
        pool.finished(connection, reusable, now, out);
    }
    void openOne()
    {
        if (opening.empty()) {
            return;
        }
        const BmcConnection connection = takeAny(opening);
        if (rng.below(4) == 0) {
            pool.connectFailed(connection, {Code::notSent, ""}, now, out);
        } else {
            idle.push_back(connection);
            pool.connected(connection, now, out);
        }
    }
    void later(Duration by)
    {
        now += by;
        if (pool.nextDeadline() <= now) {
            pool.tick(now, out);
        }
    }
    void loseIdleOne()
    {
        if (!idle.empty()) {
            pool.lost(takeAny(idle), true, true, "", now, out);
        }
    }
    void apply()
    {
        for (const BmcAction& action : out) {
            switch (action.kind) {
                case Kind::connect: opening.push_back(action.connection); break;
                case Kind::send:
                    EXPECT_EQ(std::erase(idle, action.connection), 1u) << "only idle connections are given exchanges";
                    carrying[action.connection] = action.exchange;
                    ++exchanges[action.exchange].written;
                    break;
                case Kind::close:
                    carrying.erase(action.connection);
                    std::erase(opening, action.connection);
                    std::erase(idle, action.connection);
                    break;
                case Kind::fail: ++exchanges[action.exchange].ends; break;
                case Kind::stopped: ADD_FAILURE(); break;
            }
        }
        out.clear();
        EXPECT_EQ(pool.open(), opening.size() + idle.size() + carrying.size());
        EXPECT_LE(pool.open(), options.connections);
        EXPECT_LE(pool.waitingCount(), options.queued + options.connections);
    }

    SeededRng rng;
    BmcPool::Options options{3, 4, 1};
    BmcPool pool{"bmc", options};
    Instant now{1h};
    BmcActions out;
    std::map<BmcExchange, Known> exchanges;
    std::map<BmcConnection, BmcExchange> carrying;
    std::vector<BmcConnection> opening, idle;
};

TEST(BmcPoolHistory, EveryExchangeEndsOnceAndWhatMustNotBeRepeatedIsSentOnce)
{
    for (std::uint64_t seed = 1; seed <= 500 && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        History history(seed);
        for (int step = 0; step < 200; ++step) {
            history.step();
        }
        history.runOut();
        history.check();
    }
}

}  // namespace
}  // namespace mesh::connector
