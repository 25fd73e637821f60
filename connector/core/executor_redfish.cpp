// The executor's commands redfish.*: a request to the connector's own BMC as a payload, and the answer as another.
#include "connector/core/execution.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"
#include "shoset/core/redfish_command.hpp"
#include "shoset/uri/classify.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <optional>
#include <utility>

namespace mesh::connector {

using shoset::Reply;
using shoset::ReplyState;

namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 4> shownHeaders{"ETag", "Location", "Allow", "Retry-After"};
constexpr std::size_t maxShownHeaderBytes = 2048;

// What goes to the BMC, in the spelling that the machine's policy is compared with.
Result<RequestHead> headOf(const shoset::RedfishCommand& command)
{
    const Result<uri::Target> target = uri::checkPath(command.uri);
    if (!target) {
        return Error{Code::invalidArgument, target.error().message + "; not executed"};
    }
    if (uri::classify(target->path).kind == uri::PathKind::notRedfish) {
        return Error{Code::invalidArgument, "expected a 'uri' without empty segments; not executed"};
    }
    RequestHead head{command.method, target->path + (target->hasQuery ? "?" + target->query : ""), command.headers};
    if (findHeader(head.headers, "Accept") == nullptr) {
        head.headers.push_back({"Accept", "application/json"});
    }
    if (!command.body.empty()) {
        head.headers.push_back({"Content-Type", "application/json"});
    }
    return head;
}

std::string asText(const json& value)
{
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// {"status", "headers", "body"}; the body is JSON where it is some that may stand there, else a text.
std::string payloadFor(const ResponseHead& head, const std::string& body)
{
    json headers = json::object();
    for (const std::string_view name : shownHeaders) {
        if (const std::string* value = findHeader(head.headers, name)) {
            headers[std::string(name)] = value->substr(0, maxShownHeaderBytes);
        }
    }
    std::string out = asText({{"status", head.status}, {"headers", std::move(headers)}});
    if (!body.empty()) {
        const Result<std::string> document = shoset::compactJson(body, limits::maxPayloadBytes, limits::maxPayloadDepth - 1);
        out.insert(out.size() - 1, ",\"body\":" + (document ? *document : asText(json(body))));
    }
    return out;
}

}  // namespace

void Executor::takeForRedfish(shoset::LinkId link, shoset::Message message, std::string_view body, bool last, Instant deadline,
                              Now now)
{
    const auto& command = std::get<shoset::Command>(message.content);
    const bool otherVersion = command.major > 1 || (command.major == 1 && command.minor > 0);
    Result<shoset::RedfishCommand> wanted =
        !last || body.size() > limits::maxPayloadBytes
            ? Error{Code::tooLarge, "expected a payload of at most " + std::to_string(limits::maxPayloadBytes) + " bytes; not executed"}
        : otherVersion ? Error{Code::unsupported, command.name + " is offered in version 1.0; not executed"}
        : !command.type.empty() && command.type != shoset::redfishType
            ? Error{Code::notFound, "no worker here offers " + command.name + " of " + command.type + "; not executed"}
            : shoset::parseRedfishCommand(command.name, body);
    Result<RequestHead> head = wanted ? headOf(*wanted) : Result<RequestHead>(wanted.error());
    if (!head) {
        ++count.refusedInput;
        return refuse(message, link, head.error(), now);
    }
    std::optional<std::string> rule = policy.refusesCommand(command.name);
    rule = rule ? rule : policy.refuses(head->method, policyPath(head->target));
    if (rule) {
        ++count.refusedByPolicy;
        return refuse(message, link, {Code::permissionDenied, "this BMC's own policy refuses " + *rule}, now);
    }
    auto execution = std::make_unique<Execution>();
    execution->direct = true;
    execution->safe = head->method == "GET";
    execution->fence = command.fence;
    execution->requestComplete = true;
    execution->requestBody = std::move(wanted->body);
    execution->request = RequestTranslation::untouched(std::move(*head), static_cast<std::int64_t>(execution->requestBody.size()));
    enter(std::move(execution), message, link, deadline);
}

void Executor::takePiece(Execution& execution, std::string_view piece, bool last, Now now)
{
    if (execution.out.size() + piece.size() > limits::maxPayloadBytes) {
        execution.tooLong = true;
        execution.complete = true;
        if (!last) {
            bmc.cancel(execution.number);
        }
        return answerOrHold(execution, now);
    }
    execution.out += piece;
    execution.complete = last;
    if (last) {
        answerOrHold(execution, now);
    } else {
        bmc.grant(execution.number, piece.size());
    }
}

// What was executed and does not fit is a failure that the worker reports, not one of the mesh.
void Executor::sendPayload(Execution& execution, Now now)
{
    Reply reply;
    std::string payload = execution.tooLong ? std::string() : payloadFor(execution.head, execution.out);
    if (execution.tooLong || payload.size() > limits::maxPayloadBytes) {
        reply.state = ReplyState::fail;
        reply.code = Code::refused;
        reply.failure = "reply_too_large";
        reply.message = "it was executed with status " + std::to_string(execution.head.status) + ", but its answer is longer than " +
                        std::to_string(limits::maxPayloadBytes) + " bytes";
        payload.clear();
    } else if (execution.head.status >= 400) {
        reply.state = ReplyState::fail;
        reply.code = Code::refused;
        reply.failure = "http_" + std::to_string(execution.head.status);
        reply.message = "the BMC answered " + std::to_string(execution.head.status);
    } else {
        reply.http.status = 200;
    }
    if (!host.send(execution.origin, execution.link, execution.id, reply, payload, true, now)) {
        ++count.undeliverable;
    }
    if (!execution.safe) {
        remember(execution.id, reply, payload);
    }
    finish(execution);
}

}  // namespace mesh::connector
