#pragma once

#include "shoset/base/http.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mesh::connector {

// One exchange with the BMC, named by the connector core; never used again.
using BmcExchange = std::uint64_t;
// Those of the member watch, which has one at a time: before all that wait for clients, so that load does not look like silence.
constexpr BmcExchange watchExchange = BmcExchange{1} << 63;

// What the connector core asks of the BMC's HTTP service. Implemented by connector/redfish over sockets and by the
// simulation over virtual time. Never calls back from inside a call.
class BmcPort {
public:
    virtual ~BmcPort() = default;
    // `head` as localised for the BMC, without Host, authentication and framing headers. `repeatable`: the request may
    // be sent again on another connection although it may have reached the BMC (GET and HEAD).
    // bodyLength: total, or -1 when not known (the body is then chunked).
    virtual void start(BmcExchange id, RequestHead head, std::string body, bool bodyFollows, std::int64_t bodyLength,
                       bool repeatable, Instant deadline) = 0;
    virtual void sendBody(BmcExchange id, std::string piece, bool last) = 0;
    // As many more bytes of the answer's body may be delivered; limits::streamWindowBytes are granted at the start.
    virtual void grant(BmcExchange id, std::size_t bytes) = 0;
    virtual void cancel(BmcExchange id) = 0;
};

// What comes back. Exactly one of onFailure or a last onBody ends an exchange that was not cancelled.
class BmcEvents {
public:
    virtual ~BmcEvents() = default;
    virtual void onHead(BmcExchange id, ResponseHead head, bool bodyFollows, Now now) = 0;
    virtual void onBody(BmcExchange id, std::string_view piece, bool last, Now now) = 0;
    // `bytes` of the request's body have left: the core may give as many more.
    virtual void onBodySent(BmcExchange id, std::size_t bytes, Now now) = 0;
    // Code::notSent (nothing left this machine), refused (BMC's 401 after re-login, certificate check failed),
    // corrupt (broken or cut answer), outcomeUnknown (sent, no answer), deadlineExceeded (as outcomeUnknown, by time),
    // full (too many requests wait for the BMC, or others had all connections until the deadline: not sent). Also after
    // onHead: the answer was cut off midway.
    virtual void onFailure(BmcExchange id, Error error, Now now) = 0;
};

}  // namespace mesh::connector
