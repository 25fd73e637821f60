#include "aggregator/core/resource_commands.hpp"

#include "aggregator/core/command_deeds.hpp"
#include "aggregator/core/redfish_rules.hpp"
#include "aggregator/core/resource_answer.hpp"
#include "aggregator/core/resource_body.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"
#include "shoset/core/redfish_command.hpp"
#include "tenants/policy.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view here = "/mesh/v1/commands/";

constexpr std::array commandRules{PropertyRule{"command", Takes::text, true}, PropertyRule{"target", Takes::text},
                                  PropertyRule{"type", Takes::text},          PropertyRule{"all", Takes::flag},
                                  PropertyRule{"tenant", Takes::text},        PropertyRule{"version", Takes::text},
                                  PropertyRule{"payload", Takes::json},       PropertyRule{"timeout", Takes::integer},
                                  PropertyRule{"wait", Takes::integer}};

Answer refusalOf(const Error& error)
{
    switch (error.code) {
        case Code::invalidArgument: return errorAnswer(400, {"GeneralError", {}, {}}, error.message);
        case Code::permissionDenied: return errorAnswer(403, {"GeneralError", {}, {}}, error.message);
        case Code::notFound: return errorAnswer(404, {"GeneralError", {}, {}}, error.message);
        case Code::tooLarge: return errorAnswer(413, {"PayloadTooLarge", {}, {}}, error.message);
        case Code::notSent:
        case Code::full:
        case Code::unavailable: return temporarilyUnavailable(error.message);
        default: return errorAnswer(409, {"GeneralError", {}, {}}, error.message);
    }
}

Answer commandAnswer(const CommandRecord& record, int status)
{
    Answer answer = documentAnswer(status, "application/json", commandDocument(record));
    answer.head.headers.push_back({"Location", std::string(here) + record.id.hex()});
    return answer;
}

std::optional<std::uint32_t> numberIn(std::string_view text)
{
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// "1" or "1.2"; empty is any.
Result<void> takeVersion(std::string_view text, Wanted& wanted)
{
    if (text.empty()) {
        return {};
    }
    const std::size_t dot = text.find('.');
    const auto major = numberIn(text.substr(0, dot));
    const auto minor = dot == std::string_view::npos ? std::optional<std::uint32_t>(0) : numberIn(text.substr(dot + 1));
    if (!major || *major == 0 || !minor) {
        return Error{Code::invalidArgument, "a version is \"1\" or \"1.2\", from 1 on"};
    }
    wanted.major = *major;
    wanted.minor = *minor;
    return {};
}

Result<Duration> secondsIn(const RequestBody& body, std::string_view name, Duration fallback, Duration least, Duration most)
{
    const std::int64_t* given = body.integer(name);
    const auto lowest = std::chrono::duration_cast<std::chrono::seconds>(least).count();
    const auto highest = std::chrono::duration_cast<std::chrono::seconds>(most).count();
    if (given != nullptr && (*given < lowest || *given > highest)) {
        return Error{Code::invalidArgument, std::string(name) + " is " + std::to_string(lowest) + " to " + std::to_string(highest) + " seconds"};
    }
    return given == nullptr ? fallback : Duration(std::chrono::seconds(*given));
}

// The number behind `name=` in a query.
std::optional<std::uint32_t> numberOf(std::string_view query, std::string_view name)
{
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
            return numberIn(pair.substr(name.size() + 1));
        }
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
    }
    return std::nullopt;
}

json offerDocument(const shoset::Address& connector, const Satellite* satellite, const shoset::Offer& offer)
{
    json list = json::array();
    for (const shoset::OfferedCommand& command : offer.commands) {
        list.push_back({{"name", command.name}, {"schema", toHex(command.schema)}});
    }
    return {{"tenant", std::string(shoset::tenantOf(connector))},
            {"connector", std::string(shoset::nameOf(connector))},
            {"linked", satellite != nullptr && satellite->linked},
            {"type", offer.type},
            {"version", std::to_string(offer.major) + "." + std::to_string(offer.minor)},
            {"commands", std::move(list)}};
}

}  // namespace

void CommandResources::set(Commands& carrier, const OfferBook& book, CommandLookup* others)
{
    elsewhere = others;
    commands = &carrier;
    offers = &book;
}

// The asker's own; the system's may leave it out where there is one tenant only. Empty: it has to be told.
std::string CommandResources::tenantFor(const Call& call, std::string given) const
{
    if (!given.empty() || !call.tenant().empty()) {
        return given.empty() ? call.tenant() : given;
    }
    std::set<std::string_view> tenants;
    for (const auto& [address, satellite] : context.satellites.all()) {
        tenants.insert(satellite.tenant);
    }
    return tenants.size() == 1 ? std::string(*tenants.begin()) : std::string();
}

Result<CommandAsk> CommandResources::askOf(const Call& call, const RequestBody& body) const
{
    CommandAsk ask;
    ask.user = call.who->user;
    ask.wanted.command = *body.text("command");
    ask.wanted.type = body.textOr("type", "");
    ask.to.name = body.textOr("target", "");
    ask.tenant = body.textOr("tenant", "");
    if (shoset::isConnector(ask.to.name)) {
        const std::string tenant(shoset::tenantOf(ask.to.name));
        if (!ask.tenant.empty() && ask.tenant != tenant) {
            return Error{Code::invalidArgument, "the target is of another tenant than the one that is named"};
        }
        ask.tenant = tenant;
        ask.to.name = shoset::nameOf(ask.to.name);
    }
    ask.tenant = tenantFor(call, std::move(ask.tenant));
    if (ask.tenant.empty()) {
        return Error{Code::invalidArgument, "say which tenant is meant"};
    }
    ask.to.all = body.flag("all") != nullptr && *body.flag("all");
    if (ask.to.name.empty()) {
        ask.to.type = ask.wanted.type;
    } else if (ask.to.all) {
        return Error{Code::invalidArgument, "`all` is for a connector type, not for one target"};
    }
    ask.payload = body.textOr("payload", "");
    if (shoset::nestingOfJson(ask.payload) > limits::maxPayloadDepth) {
        return Error{Code::invalidArgument, "a payload nests at most " + std::to_string(limits::maxPayloadDepth) + " deep"};
    }
    if (const Result<void> version = takeVersion(body.textOr("version", ""), ask.wanted); !version) {
        return version.error();
    }
    const Result<Duration> timeout =
        secondsIn(body, "timeout", limits::defaultRequestDeadline, std::chrono::seconds(1), limits::maxRequestDeadline);
    if (!timeout) {
        return timeout.error();
    }
    ask.deadline = call.now.mono + *timeout;
    return ask;
}

// What he may ask for, as far as it can be read.
std::optional<CommandAsk> CommandResources::readableAsk(const Call& call) const
{
    const auto read = readBody(call.request, commandRules);
    const RequestBody* body = std::get_if<RequestBody>(&read);
    Result<CommandAsk> ask = body == nullptr ? Result<CommandAsk>(Error{}) : askOf(call, *body);
    return ask && tenants::mayReach(call.tenant(), ask->tenant) ? std::optional(std::move(*ask)) : std::nullopt;
}

Result<void> CommandResources::reserve(Call& call) const
{
    std::optional<CommandAsk> ask = readableAsk(call);
    if (!ask) {
        return {};
    }
    Result<std::shared_ptr<Admission>> reserved = commands->reserve(std::move(*ask), call.now);
    if (!reserved) {
        return reserved.error();
    }
    call.admission = std::move(*reserved);
    return {};
}

// What cannot be read, or names what is not the asker's, stands in his own trail as the path it was sent to.
void CommandResources::describe(const Call& call, Deed& deed) const
{
    const std::optional<CommandAsk> ask = readableAsk(call);
    if (!ask) {
        return;
    }
    for (const std::string* name : {&ask->tenant, &ask->to.name, &ask->to.type, &ask->wanted.command}) {
        if (!name->empty() && !isValidName(*name)) {
            return;
        }
    }
    deed.tenant = ask->tenant;
    deed.uri = commandUri(ask->tenant, ask->to, ask->wanted.command, ask->payload);
}

void CommandResources::create(const CallPtr& call) const
{
    auto read = readBody(call->request, commandRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    const RequestBody& body = std::get<RequestBody>(read);
    if (!body.ignored.empty()) {  // what is ignored here would be done, yet not as it was meant
        return call->answer(badRequest(body.ignored));
    }
    Result<CommandAsk> ask = askOf(*call, body);
    const Result<Duration> wait = secondsIn(body, "wait", Duration{0}, Duration{0}, limits::maxCommandWait);
    if (!ask || !wait) {
        return call->answer(refusalOf(ask ? wait.error() : ask.error()));
    }
    if (!tenants::mayReach(call->tenant(), ask->tenant)) {
        commands->tellRefused(call->tenant(), call->who->user, noSuchTarget(*ask), call->now);
        return call->answer(refusalOf(noSuchTarget(*ask)));
    }
    if (shoset::isRedfishCommand(ask->wanted.command)) {
        const auto needed = requirementOfRedfish(ask->wanted.command, ask->payload);
        if (needed && !tenants::allows(call->who->privileges, *needed)) {
            return call->answer(forbidden());
        }
    }
    ask->admission = std::move(call->admission);
    ask->about = call->recorded;
    const Result<MessageId> started = commands->start(std::move(*ask), call->now);
    if (!started) {
        commands->tellRefused(call->tenant(), call->who->user, started.error(), call->now);
        return call->answer(refusalOf(started.error()));
    }
    answerAtEnd(call, *started, call->now.mono + *wait, call->now);
}

void CommandResources::answerAtEnd(const CallPtr& call, const MessageId& id, Instant until, Now now) const
{
    call->now = now;
    const CommandRecord* record = commands->record(id);
    if (record == nullptr) {
        return call->answer(refusalOf({Code::outcomeUnknown, "what became of it was forgotten, as too much is under way"}));
    }
    const auto again = [this, call, id, until](Now then) { answerAtEnd(call, id, until, then); };
    if (!commands->await(id, record->revision, until, again, now)) {
        call->answer(commandAnswer(*record, record->ended ? 200 : 202));
    }
}

// Whose it is stands in the document.
void CommandResources::readElsewhere(const CallPtr& call, const MessageId& id) const
{
    const auto given = std::chrono::seconds(numberOf(call->request.query, "wait").value_or(0));
    elsewhere->ask(id, call->tenant(), numberOf(call->request.query, "seen"), std::min<Duration>(given, limits::maxCommandWait),
                   [call](Result<std::string> document, Now then) {
                       call->now = then;
                       const auto unknown = [&call](const std::string& why) {
                           return errorAnswer(404, {"ResourceMissingAtURI", {call->request.path}, {}}, why);
                       };
                       if (!document) {
                           return call->answer(document.error().code == Code::notFound ? unknown(document.error().message)
                                                                                       : temporarilyUnavailable(document.error().message));
                       }
                       const auto known = nlohmann::json::parse(*document, nullptr, false);
                       const auto tenant = known.is_object() ? known.value("tenant", nlohmann::json()) : nlohmann::json();
                       const bool reached = tenant.is_string() && tenants::mayReach(call->tenant(), tenant.get<std::string>());
                       call->answer(reached ? documentAnswer(200, "application/json", std::move(*document)) : unknown(CommandLookup::nobodyHasIt));
                   },
                   call->now);
}

void CommandResources::read(const CallPtr& call) const
{
    const Result<MessageId> id = MessageId::fromHex(call->id);
    const CommandRecord* record = id ? commands->record(*id) : nullptr;
    const bool reached = record != nullptr && tenants::mayReach(call->tenant(), record->tenant);
    if (!reached && id && elsewhere != nullptr) {  // another tenant's, too, so that it looks and takes as long as one that nobody has
        return readElsewhere(call, *id);
    }
    if (!reached) {
        return call->answer(notFound(call->request.path));
    }
    const auto seen = numberOf(call->request.query, "seen");
    const auto given = std::chrono::seconds(numberOf(call->request.query, "wait").value_or(0));
    const Instant until = call->now.mono + std::min<Duration>(given, limits::maxCommandWait);
    const auto later = [this, call, id = *id](Now then) {
        call->now = then;
        const CommandRecord* now = commands->record(id);
        call->answer(now == nullptr ? notFound(call->request.path) : commandAnswer(*now, 200));
    };
    if (!seen || !commands->await(*id, *seen, until, later, call->now)) {
        call->answer(commandAnswer(*record, 200));
    }
}

Answer CommandResources::workers(const Call& call) const
{
    json list = json::array();
    offers->forEach([&](const shoset::Address& connector, const std::vector<shoset::Offer>& offered) {
        if (tenants::mayReach(call.tenant(), shoset::tenantOf(connector))) {
            for (const shoset::Offer& offer : offered) {
                list.push_back(offerDocument(connector, context.satellites.find(connector), offer));
            }
        }
    });
    return documentAnswer(200, "application/json", json{{"workers", std::move(list)}}.dump());
}

}  // namespace mesh::aggregator
