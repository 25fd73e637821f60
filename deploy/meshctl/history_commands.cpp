#include "cluster/history/core/chain.hpp"
#include "cluster/history/core/syslog.hpp"
#include "deploy/meshctl/admin_request.hpp"
#include "deploy/meshctl/commands.hpp"
#include "deploy/meshctl/query_text.hpp"

#include <algorithm>
#include <functional>
#include <iostream>
#include <optional>
#include <vector>

namespace mesh::ctl {

namespace {

using json = nlohmann::json;

constexpr const char* auditUri = "/mesh/v1/history/audit?limit=1000";
constexpr int verifyAttempts = 3;  // while retention removes what is being read

Result<std::string> queryOf(const HistoryOptions& options)
{
    std::string uri = auditUri;
    if (options.hasTenant) {
        uri += "&tenant=" + escapeValue(options.tenant);
    }
    if (!options.resource.empty()) {
        uri += "&resource=" + escapeValue(options.resource);
    }
    for (const auto& [name, text] : {std::pair("since", &options.since), std::pair("until", &options.until)}) {
        if (!text->empty()) {
            const Result<std::int64_t> seconds = readTime(*text);
            if (!seconds) {
                return seconds.error();
            }
            uri += std::string("&") + name + "=" + std::to_string(std::max<std::int64_t>(*seconds, 0));
        }
    }
    return uri;
}

history::ChainLink linkOf(const json& link)
{
    return {link.at("position").get<std::uint64_t>(), link.at("hash").get<std::string>()};
}

history::StoredAudit recordOf(const json& entry)
{
    history::AuditRecord record;
    record.time = WallTime(std::chrono::microseconds(entry.at("time_us").get<std::int64_t>()));
    record.tenant = entry.at("tenant").get<std::string>();
    record.account = entry.at("account").get<std::string>();
    record.client = entry.at("client").get<std::string>();
    record.node = entry.at("node").get<std::string>();
    record.method = entry.at("method").get<std::string>();
    record.uri = entry.at("uri").get<std::string>();
    record.request = entry.at("request").get<std::string>();
    record.phase = entry.at("phase").get<std::string>() == "intent" ? history::Phase::intent : history::Phase::result;
    record.status = entry.value("status", 0);
    return {entry.value("id", std::uint64_t{0}), std::move(record), linkOf(entry.at("link"))};  // who belongs to a tenant is told none
}

std::vector<history::Chain> chainsOf(const json& page)
{
    std::vector<history::Chain> out;
    for (const json& chain : page.value("chains", json::array())) {
        out.push_back({chain.at("node").get<std::string>(), chain.at("tenant").get<std::string>(), linkOf(chain.at("floor")),
                       linkOf(chain.at("head")), 0});
    }
    return out;
}

// Every page to `take`, until that returns false or there is no more.
Result<void> readPages(Connection& connection, const std::string& uri, const std::function<bool(const json&)>& take)
{
    std::string after;
    bool told = false;
    while (true) {
        const Result<json> page = ask(connection, "GET", uri + after, nullptr);
        if (!page) {
            return page.error();
        }
        try {
            noteElsewhere(*page, told);
            if (!take(*page) || !page->contains("next")) {
                return {};
            }
            const json& next = page->at("next");
            after = "&after=" + (next.is_string() ? escapeValue(next.get<std::string>()) : std::to_string(next.get<std::uint64_t>()));
        } catch (const json::exception&) {
            return Error{Code::corrupt, "the node's answer is not what it should be"};
        }
    }
}

std::string lineOf(const history::StoredAudit& stored, bool withId)
{
    const history::AuditRecord& record = stored.record;
    const bool intent = record.phase == history::Phase::intent;
    const std::string end = intent ? "begun" : record.status == 0 ? "no answer" : std::to_string(record.status);
    return history::preciseTime(record.time) + "  " + (record.tenant.empty() ? "-" : record.tenant) + "  " +
           (record.account.empty() ? "-" : record.account) + "  " + record.client + "  " + record.node + "  " + record.method + " " +
           record.uri + "  " + end + (withId ? "  " + record.request : "");
}

struct Verified {
    std::vector<history::Chain> chains;
    std::optional<std::string> broken;
    std::uint64_t records = 0;
};

Result<Verified> walk(Connection& connection, const std::string& uri)
{
    Verified found;
    std::optional<history::TrailVerifier> verifier;
    const Result<void> read = readPages(connection, uri, [&](const json& page) {
        if (!verifier) {
            found.chains = chainsOf(page);
            verifier.emplace(found.chains);
        }
        for (const json& entry : page.at("records")) {
            if (!found.broken) {
                found.broken = verifier->take(recordOf(entry));
            }
        }
        return !found.broken;
    });
    if (!read) {
        return read.error();
    }
    found.broken = found.broken ? found.broken : verifier->finish();
    found.records = verifier->taken();
    return found;
}

bool sameFloors(const std::vector<history::Chain>& before, const std::vector<history::Chain>& after)
{
    for (const history::Chain& chain : before) {
        for (const history::Chain& later : after) {
            if (chain.node == later.node && chain.tenant == later.tenant && chain.floor != later.floor) {
                return false;
            }
        }
    }
    return true;
}

int verifyTrail(Connection& connection, const std::string& uri)
{
    Result<Verified> found = walk(connection, uri);
    for (int attempt = 1; found && found->broken && attempt < verifyAttempts; ++attempt) {
        Result<Verified> again = walk(connection, uri);
        if (again && sameFloors(found->chains, again->chains)) {
            break;
        }
        found = std::move(again);
    }
    if (!found) {
        return complain(found.error());
    }
    if (connection.json) {
        std::cout << json{{"verified", !found->broken}, {"records", found->records}, {"problem", found->broken.value_or("")}} << '\n';
        return found->broken ? exitFailed : exitOk;
    }
    return found->broken ? complain({Code::corrupt, *found->broken})
                         : done({}, std::to_string(found->records) + " records in " + std::to_string(found->chains.size()) +
                                        " chains are as they were stored");
}

}  // namespace

int historyAudit(Connection connection, const HistoryOptions& options)
{
    if (options.verify && (!options.since.empty() || !options.until.empty() || !options.resource.empty())) {
        return complain({Code::invalidArgument, "a chain is verified whole: leave --since, --until and --resource out"});
    }
    const Result<std::string> uri = queryOf(options);
    if (!uri) {
        return complain(uri.error());
    }
    if (options.verify) {
        return verifyTrail(connection, *uri);
    }
    json all = json::array();
    const Result<void> read = readPages(connection, *uri, [&](const json& page) {
        for (const json& entry : page.at("records")) {
            if (connection.json) {
                all.push_back(entry);
            } else {
                const history::StoredAudit stored = recordOf(entry);
                std::cout << (options.syslog ? history::syslogLine(stored) : lineOf(stored, options.ids)) << '\n';
            }
        }
        return true;
    });
    if (read && connection.json) {
        std::cout << json{{"records", std::move(all)}} << '\n';
    }
    return read ? exitOk : complain(read.error());
}

}  // namespace mesh::ctl
