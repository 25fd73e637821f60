#pragma once

#include "aggregator/core/audit_trail.hpp"

#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mesh::aggregator {

// A database that stores when it is told to.
class FakeHistory final : public HistoryPort {
public:
    void append(std::vector<history::AuditRecord> records, Stored done) override
    {
        asked.push_back({std::move(records), std::move(done)});
    }
    void read(history::AuditQuery query, Read done) override
    {
        queries.push_back(query);
        reads.push_back(std::move(done));
    }
    std::string laneOf(const std::string& tenant) const override { return own.contains(tenant) ? tenant : std::string(); }
    // The oldest transaction ends; false: there is none.
    bool finish(Now now, const Result<void>& outcome = {})
    {
        if (asked.empty()) {
            return false;
        }
        auto [records, done] = std::move(asked.front());
        asked.pop_front();
        if (outcome) {
            stored.insert(stored.end(), records.begin(), records.end());
        }
        done(outcome, now);
        return true;
    }
    bool fail(Now now) { return finish(now, Error{Code::ioError, "the disk is full"}); }

    std::set<std::string> own;  // tenants with a database of their own
    std::deque<std::pair<std::vector<history::AuditRecord>, Stored>> asked;
    std::vector<history::AuditRecord> stored;
    std::vector<history::AuditQuery> queries;
    std::vector<Read> reads;
};

}  // namespace mesh::aggregator
