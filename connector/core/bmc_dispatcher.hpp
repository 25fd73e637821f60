#pragma once

#include "connector/core/bmc_login.hpp"
#include "connector/core/bmc_pool.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace mesh::connector {

// Exchanges that are not the connector core's: logging in and out. The core's ids must not have this bit.
constexpr BmcExchange internalExchange = 1ull << 62;
constexpr bool isInternal(BmcExchange id) { return (id & internalExchange) != 0; }

// Everything a client of the BMC must decide: BmcPool and BmcLogin joined. Pure. The shell reports what happened,
// carries out `actions` in order and empties them after every call.
class BmcDispatcher {
public:
    enum class Answer {
        deliver,
        discard,  // read it to its end, tell nobody
    };

    BmcDispatcher(std::string bmcName, BmcAuth auth, std::string user, const std::string& password, Rng& rng,
                  BmcPool::Options options);

    void start(BmcExchange id, bool repeatable, Instant deadline, Instant now);
    void cancel(BmcExchange id, Instant now);
    void connected(BmcConnection connection, Instant now);
    void connectFailed(BmcConnection connection, const Error& error, Instant now);
    // The first byte of the answer came.
    void answering(BmcConnection connection) { pool.answering(connection); }
    // The final head (not 1xx) of the answer came.
    Answer head(BmcConnection connection, const ResponseHead& head, Instant now);
    // The answer ended. `replayable`: the whole request could be sent again.
    void finished(BmcConnection connection, bool reusable, bool replayable, Instant now);
    // As BmcPool::lost().
    void lost(BmcConnection connection, bool nothingSent, bool replayable, const std::string& why, Instant now);
    void tick(Instant now);
    Instant nextDeadline() const { return pool.nextDeadline(); }
    // Ends all exchanges, then the BMC's session, for which limits::bmcLogoutDeadline is allowed; Kind::stopped follows.
    // Whatever is started later ends in notSent.
    void stop(Instant now);

    // For the shell's `send`: what an internal exchange says, and the header that authenticates (nullptr: none).
    const BmcLogin::Request& internalRequest() const { return request; }
    const Header* credential(BmcExchange id) const;

    BmcActions actions;

    std::size_t open() const { return pool.open(); }
    const BmcPool::Counters& poolCounters() const { return pool.counters(); }
    const BmcLogin::Counters& loginCounters() const { return login.counters(); }

private:
    void fail(BmcExchange id, Code code, const std::string& why);
    void beginLogin(Instant now);
    void startInternal(BmcLogin::Request what, Duration allowed, Instant now);
    void endInternal(Instant now);
    void endSuperseded(Instant now);
    void resend(BmcConnection connection, bool reusable, bool replayable, Instant now);
    void settle(Instant now);

    std::string name;
    BmcPool pool;
    BmcLogin login;
    BmcLogin::Request request;     // of the internal exchange under way
    BmcExchange internal = 0;      // 0: none is
    bool farewell = false;         // it ends a superseded session; a login does not wait for it
    BmcExchange lastInternal = internalExchange;
    std::optional<Result<void>> loginResult;  // head seen, answer not yet read to its end
    bool stopping = false;
};

}  // namespace mesh::connector
