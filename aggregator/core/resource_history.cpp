#include "aggregator/core/resource_history.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/query_options.hpp"
#include "aggregator/core/resource_body.hpp"
#include "cluster/history/core/syslog.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

#include <optional>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t usualPage = 200;

// The query, or what is wrong with it. `reader`: his tenant.
std::variant<history::AuditQuery, Answer> readQuery(std::string_view text, const std::string& reader, const PagePlaces& places)
{
    history::AuditQuery query;
    query.limit = usualPage;
    for (const auto& [name, value] : queryOptions(text)) {
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
        const std::optional<std::uint64_t> number = name == "after" ? places.read(Paged::audit, reader, value) : wholeNumber(value);
        if (name == "since" && number && *number <= latestSecond) {
            query.since = WallTime(std::chrono::seconds(*number));
        } else if (name == "until" && number && *number <= latestSecond) {
            query.until = WallTime(std::chrono::seconds(*number));
        } else if (name == "after" && number) {
            query.after = *number;
        } else if (name == "limit" && number && *number >= 1 && *number <= limits::maxHistoryPage) {
            query.limit = *number;
        } else if (name == "after" && !reader.empty()) {
            return errorAnswer(400, {"QueryParameterValueFormatError", {value, name}, {}},
                               "This node has given you no such place in what it has recorded: begin anew.");
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

json recordJson(const history::StoredAudit& stored, bool withId)
{
    const history::AuditRecord& record = stored.record;
    json out = json::object();
    if (withId) {
        out["id"] = stored.id;
    }
    out.update({{"time", history::preciseTime(record.time)}, {"tenant", record.tenant}, {"account", record.account}, {"client", record.client},
                {"node", record.node}, {"method", record.method}, {"uri", record.uri}, {"request", record.request},
                {"phase", history::phaseName(record.phase)}});
    if (record.phase == history::Phase::result) {
        out["status"] = record.status;
    }
    out["time_us"] = std::chrono::duration_cast<std::chrono::microseconds>(record.time.time_since_epoch()).count();
    out["link"] = linkJson(stored.link);
    return out;
}

Answer pageAnswer(const history::AuditPage& page, const Call& call, const ResourceContext& context, const std::vector<std::string>& elsewhere)
{
    const bool ofAll = call.tenant().empty();
    json records = json::array();
    for (const history::StoredAudit& stored : page.records) {
        records.push_back(recordJson(stored, ofAll));
    }
    json body{{"records", std::move(records)}};
    if (page.more) {
        const std::uint64_t last = page.records.back().id;
        body["next"] = ofAll ? json(last) : json(context.node.pagePlaces().text(Paged::audit, call.tenant(), last, context.rng));
    }
    for (const history::Chain& chain : page.chains) {
        body["chains"].push_back({{"node", chain.node}, {"tenant", chain.tenant}, {"floor", linkJson(chain.floor)},
                                  {"head", linkJson(chain.head)}, {"bytes", chain.bytes}});
    }
    if (!elsewhere.empty()) {
        body["elsewhere"] = elsewhere;
    }
    return documentAnswer(200, "application/json", jsonText(body));
}

}  // namespace

std::vector<std::string> tenantsElsewhere(const NodeView& node, const std::optional<std::string>& asked)
{
    std::vector<std::string> out;
    for (const PlaceStatus& status : asked ? std::vector<PlaceStatus>{} : node.historyPlaces()) {
        if (status.inUse != ownPlaceShown) {
            out.push_back(status.tenant);
        }
    }
    return out;
}

void HistoryResources::audit(const CallPtr& call) const
{
    if (trail == nullptr || trail->mode() == AuditMode::off) {
        return call->answer(adminRefusal({Code::preconditionFailed, "this node records nothing: history.audit is off"}));
    }
    auto read = readQuery(call->request.query, call->tenant(), context.node.pagePlaces());
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
    std::vector<std::string> elsewhere = tenantsElsewhere(context.node, query.tenant);
    trail->store().read(std::move(query), [this, call, elsewhere = std::move(elsewhere)](const Result<history::AuditPage>& page, Now now) {
        call->now = now;
        if (!page && page.error().code == Code::full) {
            return call->answer(temporarilyUnavailable(page.error().message));
        }
        if (!page && page.error().code == Code::refused) {  // it moved since the page before
            return call->answer(adminRefusal(page.error()));
        }
        call->answer(page ? pageAnswer(*page, *call, context, elsewhere)
                          : temporarilyUnavailable("What was recorded cannot be read now; this node's log says why."));
    });
}

}  // namespace mesh::aggregator
