#pragma once

#include "shoset/base/result.hpp"
#include "shoset/core/message.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::connector {

// What the enroller asks of its shell. Never calls back from inside a call.
class EnrolPort {
public:
    virtual ~EnrolPort() = default;
    // Dials this enrolment endpoint instead of the one before, again whenever its connection ends.
    virtual void dial(const shoset::AggregatorAddress& address) = 0;
    virtual void send(std::string frame) = 0;
};

// Registers the key of this connector, with which its shell connects: asks one aggregator after the other, giving each
// limits::enrolPatience, until one accepts. The secret may be told repeatedly: it is used up by one key, not by one answer.
class Enroller {
public:
    Enroller(std::vector<shoset::AggregatorAddress> aggregators, std::string secret, EnrolPort& port);

    void start(Now now);
    void onConnected(Now now);
    // The transport's complaint; it goes on trying.
    void onTrouble(const std::string& reason);
    void onFrame(std::string_view frame, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const { return deadline; }

    // How it ended. The error is the first refusal's, else Code::unavailable; its message names every aggregator.
    const std::optional<Result<shoset::Enrolled>>& outcome() const { return ended; }

private:
    void tryNext(Now now);
    void giveUpOn(const Error& error, Now now);
    Result<shoset::Enrolled> answerIn(std::string_view frame) const;

    const std::vector<shoset::AggregatorAddress> aggregators;
    const std::string secret;
    EnrolPort& port;
    std::size_t current = 0;
    Instant deadline = never;
    std::string trouble;  // of the one that is asked now
    Error failure;
    std::optional<Result<shoset::Enrolled>> ended;
};

}  // namespace mesh::connector
