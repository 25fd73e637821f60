#pragma once

#include "cluster/history/core/query.hpp"
#include "cluster/history/core/retention.hpp"
#include "shoset/base/result.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mesh::history {

// Audit and events of a node in a database: a file of its own (SQLite, mode 0600), or a server that nodes share (PostgreSQL).
// Blocks; one thread at a time. A connection that was lost is made anew by the next call. Errors name the database and what it
// said; after one, nothing of that call was stored.
class HistoryStore {
public:
    // See database_url.hpp; a password that is in the URL already counts.
    explicit HistoryStore(std::string url, std::string password = {});
    ~HistoryStore();
    HistoryStore(const HistoryStore&) = delete;
    HistoryStore& operator=(const HistoryStore&) = delete;

    // Connects and migrates, as every other call does where that was not done.
    Result<void> open();

    // Until the next call, which opens it again: a node that is not asked needs neither its memory nor a server's connection.
    void close();

    // All in one transaction, on disk when it returns; in the order given they become the next of their chains. Only one
    // process may append for a node.
    Result<std::vector<StoredAudit>> append(const std::vector<AuditRecord>& records);
    // Those that are there already are left out. Also these in one transaction, on disk when it returns; `now`: when that is,
    // which retention goes by. Of each connector they are to come in order.
    Result<void> append(const std::vector<EventRecord>& events, WallTime now);
    Result<AuditPage> audit(const AuditQuery& query);
    // One that `isBeyond` is of a database that has taken another one's place: its reader has to begin anew.
    Result<EventPage> events(const EventQuery& query);
    Result<SourcePage> eventsOf(const SourceQuery& query);
    // Of one tenant or all (nullopt), and of one of its connectors or all that there ever were (empty).
    Result<std::vector<EventHead>> eventHeads(const std::optional<std::string>& tenant = {}, const std::string& connector = {});
    Result<std::vector<EventTotal>> eventTotals();
    // Of the chains of this node; how many records went. Writes nothing where nothing is too much.
    Result<std::uint64_t> pruneAudit(const std::string& node, const RetentionPolicy& policy, WallTime now);
    Result<std::uint64_t> pruneEvents(const RetentionPolicy& policy, WallTime now);

    // Moving one tenant's history elsewhere. What is there already stays, so that a page may be copied again.
    // As audit(), of one tenant, with the chains as they are now in each page; of one node (see AuditQuery), or of all.
    Result<AuditPage> exportAudit(const std::string& tenant, const std::string& node, std::uint64_t after, std::size_t limit);
    // Code::refused where another history is there under the names of these chains. How many were not there before.
    Result<std::uint64_t> importAudit(const AuditPage& page);
    Result<EventExport> exportEvents(const std::string& tenant, std::uint64_t after, std::size_t limit, std::size_t maxBytes);
    Result<void> importEvents(const EventExport& page);
    Result<EventIds> eventIds(const std::string& tenant);
    // Where readers who have seen so much of another database go on in this one.
    Result<EventLanding> landing(const std::string& tenant, const EventIds& seenElsewhere);
    // Removes up to so many records of the tenant, and what is known of it when there are none any more. Whether there are more.
    Result<bool> drop(const std::string& tenant, std::size_t limit);
    // For the next connection; the one there is stays.
    void setPassword(std::string fresh) { password = std::move(fresh); }

private:
    struct Open;
    template <class Work>
    auto run(Work work) -> Result<decltype(work())>;

    const std::string url;
    std::string password;
    std::unique_ptr<Open> database;  // null: to be opened
    std::map<std::pair<std::string, std::string>, Chain> chains;  // of node and tenant, as they are in the database
};

}  // namespace mesh::history
