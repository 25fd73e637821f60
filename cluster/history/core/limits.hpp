#pragma once

#include "shoset/base/time.hpp"

#include <cstddef>
#include <cstdint>

// The bounds of history.
namespace mesh::limits {

constexpr std::size_t maxAuditUriBytes = 1024;           // of a record; more is cut
constexpr std::size_t maxAuditNameBytes = 256;           // of an account, a client and a method in one
constexpr std::size_t maxWaitingAudits = 1024;           // requests that wait for their intent to be stored
constexpr std::size_t maxUnstoredResults = 4096;         // results that wait, also for a database that does not answer
constexpr std::size_t maxAuditBatch = 512;               // records that share one transaction
constexpr Duration auditRetry = 5s;                      // after results could not be stored
constexpr Duration auditPatience = 10s;                  // of requests, with a transaction that does not end
constexpr std::size_t maxHistoryReads = 4;               // under way or waiting; the other jobs are for who records
constexpr std::uint64_t historyMaxBytes = 64ull * 1024 * 1024;
constexpr Duration historyKeep = std::chrono::hours(90 * 24);
constexpr Duration historySweep = std::chrono::hours(24);  // between looks for what is too old, where little is stored
constexpr Duration historyIdle = 10s;                    // without a request, before the database is closed until the next
constexpr std::size_t maxHistoryPage = 1000;             // records in one answer
constexpr std::size_t maxHistoryJobs = 64;               // that wait for the database
constexpr std::size_t maxKnownChains = 1024;             // heads remembered
constexpr int historySeconds = 5;                        // for a database server to be reached; and for one statement

}  // namespace mesh::limits
