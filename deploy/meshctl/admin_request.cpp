#include "deploy/meshctl/admin_request.hpp"

#include "deploy/meshctl/commands.hpp"

#include <iostream>

namespace mesh::ctl {

using json = nlohmann::json;

namespace {

Error refusalOf(const std::string& method, const std::string& target, int status, const json& parsed)
{
    const json error = parsed.is_object() ? parsed.value("error", json::object()) : json::object();
    return {Code::refused, method + " " + target + " was answered " + std::to_string(status) + ": " +
                               error.value("message", "no reason was given")};
}

}  // namespace

Result<json> ask(Connection& connection, const std::string& method, const std::string& target, const json& body)
{
    if (Result<void> complete = completeConnection(connection); !complete) {
        return complete.error();
    }
    const Headers headers = body.is_null() ? Headers{} : Headers{{"Content-Type", "application/json"}};
    const Result<Reply> reply = request(connection, method, target, body.is_null() ? "" : body.dump(), headers);
    if (!reply) {
        return reply.error();
    }
    json parsed = reply->body.empty() ? json::object() : json::parse(reply->body, nullptr, false);
    if (reply->status >= 300 || !parsed.is_object()) {
        return refusalOf(method, target, reply->status, parsed);
    }
    return parsed;
}

std::string whatIsKnown(const nlohmann::json& member)
{
    if (!member.value("reachable", true)) {
        return "unreachable since " + member.value("unreachable_since", "-");
    }
    if (!member.contains("applied")) {
        return "-";  // it has not said anything yet, or it is of an older version
    }
    std::string out = member.value("role", "") + "  term " + std::to_string(member.value("term", 0ULL)) + "  applied " +
                      std::to_string(member.value("applied", 0ULL)) + "  linked with ";
    std::string peers;
    for (const std::string& peer : member.value("peers", std::vector<std::string>())) {
        peers += (peers.empty() ? "" : ",") + peer;
    }
    const std::string reason = member.value("not_ready", "");
    return out + (peers.empty() ? "nobody" : peers) + "  " + (reason.empty() ? "ready" : "not ready: " + reason);
}

Result<std::string> download(Connection& connection, const std::string& target)
{
    if (Result<void> complete = completeConnection(connection); !complete) {
        return complete.error();
    }
    Result<Reply> reply = request(connection, "GET", target, "", {});
    if (!reply) {
        return reply.error();
    }
    if (reply->status != 200) {
        return refusalOf("GET", target, reply->status, json::parse(reply->body, nullptr, false));
    }
    return std::move(reply->body);
}

int done(const Result<void>& result, const std::string& sentence)
{
    if (!result) {
        return complain(result.error());
    }
    std::cout << sentence << '\n';
    return exitOk;
}

}  // namespace mesh::ctl
