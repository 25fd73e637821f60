#include "deploy/meshctl/admin_request.hpp"
#include "deploy/meshctl/commands.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"

#include <nlohmann/json.hpp>

#include <iostream>
#include <iterator>

namespace mesh::ctl {

namespace {

Result<std::string> bodyFrom(const std::string& argument)
{
    if (argument == "-") {
        return std::string(std::istreambuf_iterator<char>(std::cin), {});
    }
    if (argument.starts_with('@')) {
        return host::readFile(argument.substr(1), limits::maxRequestBodyBytes);
    }
    return argument;
}

// JSON is indented for people; what is not JSON, or was asked for with --json, goes out as it came.
void print(const Reply& reply, bool asItIs)
{
    const auto parsed = asItIs ? nlohmann::ordered_json() : nlohmann::ordered_json::parse(reply.body, nullptr, false);
    if (asItIs || parsed.is_discarded()) {
        std::cout << reply.body;
    } else {
        std::cout << parsed.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
    }
    if (!reply.body.empty() && !reply.body.ends_with('\n')) {
        std::cout << '\n';
    }
}

}  // namespace

int complain(const Error& error)
{
    std::cerr << "meshctl: " << error.message << '\n';
    switch (error.code) {
        case Code::invalidArgument: return exitUsage;
        case Code::notSent:
        case Code::unavailable:
        case Code::outcomeUnknown: return exitUnreachable;
        default: return exitFailed;
    }
}

int http(Connection connection, const HttpOptions& options)
{
    if (Result<void> complete = completeConnection(connection); !complete) {
        return complain(complete.error());
    }
    const Result<std::string> body = bodyFrom(options.body);
    if (!body) {
        return complain(body.error());
    }
    Headers headers{{"Accept", "application/json"}};
    if (!body->empty()) {
        headers.push_back({"Content-Type", "application/json"});
    }
    for (const std::string& text : options.headers) {
        const std::size_t colon = text.find(':');
        if (colon == std::string::npos) {
            return complain({Code::invalidArgument, "expected 'Name: value' for --header, not '" + text + "'"});
        }
        const std::size_t value = text.find_first_not_of(' ', colon + 1);
        setHeader(headers, text.substr(0, colon), value == std::string::npos ? "" : text.substr(value));
    }
    const std::string target = options.target.starts_with('/') ? options.target : "/redfish/v1/" + options.target;
    const Result<Reply> reply = request(connection, options.method, target, *body, headers);
    if (!reply) {
        return complain(reply.error());
    }
    if (options.include) {
        std::cout << "HTTP " << reply->status << '\n';
        for (const Header& header : reply->headers) {
            std::cout << header.name << ": " << header.value << '\n';
        }
        std::cout << '\n';
    }
    print(*reply, connection.json);
    if (reply->status >= 400) {
        std::cerr << "meshctl: " << options.method << ' ' << target << " was answered " << reply->status << '\n';
        return exitFailed;
    }
    return exitOk;
}

namespace {

// Where a tenant's history is, and where it is to be.
std::string lineOfHistory(const nlohmann::json& place)
{
    const std::string phase = place.value("phase", "");
    if (phase == "settled") {
        return place.value("in_use", "");
    }
    const std::string reason = place.value("reason", "");
    return place.value("in_use", "") + ", to go to " + place.value("database", "") + "  " + phase + " (" +
           std::to_string(place.value("copied", std::uint64_t{0})) + " records copied)" + (reason.empty() ? "" : ": " + reason);
}

}  // namespace

int status(Connection connection)
{
    if (Result<void> complete = completeConnection(connection); !complete) {
        return complain(complete.error());
    }
    const Result<Reply> reply = request(connection, "GET", "/mesh/v1/status", {}, {});
    if (!reply) {
        return complain(reply.error());
    }
    const auto parsed = nlohmann::json::parse(reply->body, nullptr, false);
    if (reply->status != 200 || !parsed.is_object()) {
        std::cerr << "meshctl: the node answered " << reply->status << '\n';
        return exitFailed;
    }
    if (connection.json) {
        std::cout << reply->body << '\n';
        return exitOk;
    }
    const std::string reason = parsed.value("not_ready", "");
    std::cout << "node " << parsed.value("node", "") << "  " << parsed.value("software", "") << "  "
              << (reason.empty() ? "ready" : "not ready: " + reason) << "\n\n";
    const auto cluster = parsed.value("cluster", nlohmann::json::object());
    std::cout << "cluster  " << cluster.value("role", "") << "  primary " << cluster.value("primary", "-") << "  generation "
              << cluster.value("generation", std::uint64_t{0}) << "  term " << cluster.value("term", std::uint64_t{0}) << "  applied "
              << cluster.value("applied", std::uint64_t{0}) << "  " << cluster.value("reason", "") << '\n';
    for (const auto& member : cluster.value("members", nlohmann::json::array())) {
        if (!member.value("self", false)) {
            std::cout << "peer  " << member.value("name", "") << "  " << whatIsKnown(member) << '\n';
        }
    }
    int troubled = 0;
    for (const auto& satellite : parsed.value("satellites", nlohmann::json::array())) {
        const std::string trouble = satellite.value("trouble", "");
        troubled += trouble.empty() ? 0 : 1;
        std::cout << "satellite  " << satellite.value("tenant", "") << "/" << satellite.value("name", "") << "  "
                  << satellite.value("prefix", "-") << "  " << (trouble.empty() ? "ok" : trouble) << '\n';
    }
    for (const auto& place : parsed.value("history", nlohmann::json::array())) {
        troubled += place.value("phase", "") == "failed" ? 1 : 0;
        std::cout << "history  " << place.value("tenant", "") << "  " << lineOfHistory(place) << '\n';
    }
    return troubled == 0 ? exitOk : exitPartly;
}

}  // namespace mesh::ctl
