#include "aggregator/core/resource_history.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_body.hpp"
#include "cluster/history/core/syslog.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <map>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::uint64_t latestSecond = 4'000'000'000;  // within WallTime
constexpr std::size_t usualPage = 200;

std::string unescapeOption(std::string_view text)
{
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const Result<std::string> byte = text[at] == '%' ? fromHex(text.substr(at + 1, 2)) : Result<std::string>(Error{});
        if (byte && byte->size() == 1) {
            out += *byte;
            at += 2;
        } else {
            out += text[at] == '+' ? ' ' : text[at];
        }
    }
    return out;
}

std::map<std::string, std::string> optionsOf(std::string_view query)
{
    std::map<std::string, std::string> out;
    while (!query.empty()) {
        const std::string_view one = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), one.size() + 1));
        const std::size_t equals = std::min(one.find('='), one.size());
        out[std::string(one.substr(0, equals))] = unescapeOption(one.substr(std::min(one.size(), equals + 1)));
    }
    return out;
}

Answer wrongOption(const std::string& name, const std::string& value)
{
    return errorAnswer(400, {"QueryParameterValueFormatError", {value, name}, {}});
}

// The query, or what is wrong with it.
std::variant<history::AuditQuery, Answer> readQuery(std::string_view text)
{
    history::AuditQuery query;
    query.limit = usualPage;
    for (const auto& [name, value] : optionsOf(text)) {
        // As records are; a database may refuse anything else.
        if (history::plainText(value, value.size()) != value) {
            return wrongOption(name, value);
        }
        if (name == "tenant") {
            query.tenant = value;
            continue;
        }
        if (name == "resource") {
            query.resource = value;
            continue;
        }
        std::uint64_t number = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        const bool whole = error == std::errc{} && end == value.data() + value.size();
        if (name == "since" && whole && number <= latestSecond) {
            query.since = WallTime(std::chrono::seconds(number));
        } else if (name == "until" && whole && number <= latestSecond) {
            query.until = WallTime(std::chrono::seconds(number));
        } else if (name == "after" && whole && number <= static_cast<std::uint64_t>(INT64_MAX)) {
            query.after = number;
        } else if (name == "limit" && whole && number >= 1 && number <= limits::maxHistoryPage) {
            query.limit = number;
        } else {
            return wrongOption(name, value);
        }
    }
    return query;
}

json linkJson(const history::ChainLink& link)
{
    return {{"position", link.position}, {"hash", link.hash}};
}

json recordJson(const history::StoredAudit& stored)
{
    const history::AuditRecord& record = stored.record;
    json out{{"id", stored.id},         {"time", history::preciseTime(record.time)},
             {"tenant", record.tenant}, {"account", record.account},
             {"client", record.client}, {"node", record.node},
             {"method", record.method}, {"uri", record.uri},
             {"request", record.request}, {"phase", history::phaseName(record.phase)}};
    if (record.phase == history::Phase::result) {
        out["status"] = record.status;
    }
    out["time_us"] = std::chrono::duration_cast<std::chrono::microseconds>(record.time.time_since_epoch()).count();
    out["link"] = linkJson(stored.link);
    return out;
}

Answer pageAnswer(const history::AuditPage& page)
{
    json records = json::array();
    for (const history::StoredAudit& stored : page.records) {
        records.push_back(recordJson(stored));
    }
    json body{{"records", std::move(records)}};
    if (page.more) {
        body["next"] = page.records.back().id;
    }
    for (const history::Chain& chain : page.chains) {
        body["chains"].push_back({{"node", chain.node}, {"tenant", chain.tenant}, {"floor", linkJson(chain.floor)},
                                  {"head", linkJson(chain.head)}, {"bytes", chain.bytes}});
    }
    return documentAnswer(200, "application/json", jsonText(body));
}

}  // namespace

void HistoryResources::audit(const CallPtr& call) const
{
    if (trail == nullptr || trail->mode() == AuditMode::off) {
        return call->answer(adminRefusal({Code::preconditionFailed, "this node records nothing: history.audit is off"}));
    }
    auto read = readQuery(call->request.query);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    auto& query = std::get<history::AuditQuery>(read);
    if (!call->tenant().empty()) {
        if (query.tenant && *query.tenant != call->tenant()) {
            return call->answer(forbidden());
        }
        query.tenant = call->tenant();
    }
    trail->store().read(std::move(query), [call](const Result<history::AuditPage>& page, Now now) {
        call->now = now;
        if (!page && page.error().code == Code::full) {
            return call->answer(temporarilyUnavailable(page.error().message));
        }
        call->answer(page ? pageAnswer(*page)
                          : temporarilyUnavailable("What was recorded cannot be read now; this node's log says why."));
    });
}

}  // namespace mesh::aggregator
