#include "deploy/meshctl/admin_request.hpp"

#include "deploy/meshctl/commands.hpp"

#include <iostream>

namespace mesh::ctl {

using json = nlohmann::json;

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
        const json error = parsed.is_object() ? parsed.value("error", json::object()) : json::object();
        return Error{Code::refused, method + " " + target + " was answered " + std::to_string(reply->status) + ": " +
                                        error.value("message", "no reason was given")};
    }
    return parsed;
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
