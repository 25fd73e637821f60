#pragma once

#include "shoset/base/time.hpp"

#include <cstddef>

// Every bound of the system, in one place. A queue, cache, retry or buffer without a name here is a defect.
namespace mesh::limits {

// Frames and links.
constexpr std::size_t maxFrameBytes = 256 * 1024;        // MAXMSGSIZE of every mesh socket
constexpr std::size_t coalesceBytes = 64 * 1024;         // records for one peer in one loop turn share a message up to here
constexpr std::size_t maxHeaderBytes = 48 * 1024;        // protobuf header of one record
constexpr std::size_t inlineBodyBytes = 64 * 1024;       // a body up to here travels with its request or reply
constexpr std::size_t chunkBytes = 64 * 1024;            // one piece of a streamed body
constexpr std::size_t streamWindowBytes = 512 * 1024;    // credit granted ahead per stream and hop
constexpr std::size_t peerQueueBytes = 4 * 1024 * 1024;  // waiting for one peer beyond its socket's high-water mark
constexpr int socketHighWaterMark = 1000;                // messages, per peer
constexpr int maxHops = 4;
constexpr std::size_t maxLinks = 8192;
constexpr std::size_t maxAggregators = 16;

// Time.
constexpr Duration heartbeatInterval = 100ms;            // of a link among few peers; grows with their number
constexpr Duration heartbeatTimeout = 300ms;
constexpr Duration reconnectInitial = 100ms;
constexpr Duration reconnectMax = 500ms;
constexpr Duration handshakeTimeout = 5s;
constexpr Duration defaultRequestDeadline = 30s;
constexpr Duration maxRequestDeadline = 600s;
constexpr Duration collectionDeadline = 2s;

// Requests in flight.
constexpr std::size_t maxPendingRequests = 16384;        // per node
constexpr std::size_t maxPendingPerConnector = 256;
constexpr std::size_t maxRememberedReplies = 1024;       // of finished commands, for repeats, per connector
constexpr std::size_t maxRememberedReplyBytes = 1024 * 1024;
constexpr std::size_t maxJournalEntries = 4096;

// HTTP, both sides.
constexpr std::size_t maxHttpHeaderBytes = 32 * 1024;
constexpr std::size_t maxHttpTargetBytes = 8 * 1024;
constexpr std::size_t maxHttpHeaders = 100;
constexpr std::size_t maxHttpConnections = 2048;
constexpr std::size_t maxOwnBodyBytes = 256 * 1024;      // of requests to resources that the facade owns
constexpr std::uint64_t maxRequestBodyBytes = 512ull * 1024 * 1024;
constexpr std::size_t httpBufferBytes = 64 * 1024;
constexpr Duration httpIdleTimeout = 60s;
constexpr Duration httpHeaderTimeout = 10s;
constexpr std::size_t bmcConnections = 8;                // of one connector to its BMC
constexpr std::size_t bmcQueuedRequests = 256;           // waiting for one of them

// Members that a connector announces.
constexpr Duration memberPollInterval = 30s;
constexpr std::size_t maxMembersPerSatellite = 4096;
constexpr std::size_t maxMemberBodyBytes = 1024 * 1024;
constexpr std::size_t maxUriBytes = 2048;

// Accounts and sessions.
constexpr std::size_t maxAccounts = 200;
constexpr std::size_t maxSessions = 1000;
constexpr std::size_t maxPasswordBytes = 256;
constexpr Duration credentialMemory = 60s;
constexpr std::size_t maxRememberedCredentials = 256;
constexpr std::size_t maxWaitingPasswordChecks = 32;
constexpr std::size_t maxBlockingJobs = 256;

}  // namespace mesh::limits
