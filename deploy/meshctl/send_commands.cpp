#include "deploy/meshctl/admin_request.hpp"
#include "deploy/meshctl/commands.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <iostream>
#include <iterator>
#include <thread>

namespace mesh::ctl {

namespace {

using json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr const char* commandsUri = "/mesh/v1/commands";
constexpr const char* policiesUri = "/mesh/v1/policies";
constexpr int waitSeconds = 10;                                 // of one question how far it is
constexpr auto answerPatience = std::chrono::seconds(10);       // beyond the command's own time, for a node that is away
constexpr auto pauseAfterFailure = std::chrono::milliseconds(500);
constexpr auto pauseAfterChange = std::chrono::milliseconds(200);  // with many connectors something changes all the time

// A worker's words, in UTF-8, must not steer the terminal: neither C0 nor C1 (U+0080 to U+009F, of which some terminals take one
// for ESC [).
std::string printable(std::string text)
{
    const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (byte(i) < 0x20 || byte(i) == 0x7f) {
            text[i] = ' ';
        } else if (byte(i) == 0xc2 && i + 1 < text.size() && byte(i + 1) >= 0x80 && byte(i + 1) < 0xa0) {
            text.replace(i, 2, " ");
        }
    }
    return text;
}

Result<json> payloadFrom(const std::string& argument)
{
    Result<std::string> text = argument;
    if (argument == "-") {
        text = std::string(std::istreambuf_iterator<char>(std::cin), {});
    } else if (argument.starts_with('@')) {
        text = host::readFile(argument.substr(1), limits::maxPayloadBytes);
    }
    if (!text) {
        return text.error();
    }
    try {
        return json::parse(*text);
    } catch (const json::parse_error& error) {
        return Error{Code::invalidArgument, "the payload is not JSON from byte " + std::to_string(error.byte) + " on; @FILE reads one from a file"};
    }
}

Result<json> bodyOf(const SendOptions& options)
{
    json body{{"command", options.command}, {"timeout", options.timeout}};
    body[options.ofType ? "type" : "target"] = options.target;
    if (options.all && !options.ofType) {
        return Error{Code::invalidArgument, "--all goes with --type"};
    }
    if (options.all) {
        body["all"] = true;
    }
    for (const auto& [name, value] : {std::pair{"tenant", &options.tenant}, std::pair{"version", &options.version}}) {
        if (!value->empty()) {
            body[name] = *value;
        }
    }
    if (!options.payload.empty()) {
        Result<json> payload = payloadFrom(options.payload);
        if (!payload) {
            return payload.error();
        }
        body["payload"] = std::move(*payload);
    }
    return body;
}

// One line that is written over; nothing where nobody looks.
class ProgressLine {
public:
    ~ProgressLine() { clear(); }
    void show(const json& command)
    {
        if (!terminal) {
            return;
        }
        const json replies = command.value("replies", json::array());
        std::string line;
        if (replies.size() == 1) {
            const json& reply = replies.front();
            line = reply.value("connector", "") + "  " + std::to_string(reply.value("progress", 0)) + " %  " + reply.value("text", "");
        } else {
            std::size_t ended = 0;
            for (const json& reply : replies) {
                ended += reply.value("state", "") == "ON_GOING" ? 0 : 1;
            }
            line = std::to_string(ended) + " of " + std::to_string(replies.size()) + " have ended";
        }
        std::cerr << "\r\033[K" << printable(line.substr(0, lineLength)) << std::flush;
        shown = true;
    }
    void clear()
    {
        if (shown) {
            std::cerr << "\r\033[K" << std::flush;
            shown = false;
        }
    }

private:
    static constexpr std::size_t lineLength = 78;
    const bool terminal = isatty(STDERR_FILENO) == 1;
    bool shown = false;
};

// Who does not wait any longer is told what goes on. On a thread of its own, which has the signals from now on.
void leaveOnSignal(const std::string& id)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::thread([signals, farewell = "\nmeshctl: command " + id + " goes on; 'meshctl get " + commandsUri + "/" + id + "' tells how far it is\n"] {
        int number = 0;
        sigwait(&signals, &number);
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, farewell.data(), farewell.size());
        ::_exit(128 + number);
    }).detach();
}

bool isUnderWay(const json& command)
{
    return command.value("state", "") == "ON_GOING";
}

// Asks until it has ended. A node that does not answer for a while may come back. One that refuses to tell, as it has lost the
// command, does not undo that it was accepted: the error is Code::outcomeUnknown in any case.
Result<json> follow(Connection& connection, json command, const SendOptions& options)
{
    const std::string id = command.value("id", "");
    leaveOnSignal(id);
    const auto until = Clock::now() + std::chrono::seconds(options.timeout) + answerPatience;
    ProgressLine progress;
    while (isUnderWay(command)) {
        progress.show(command);
        const std::string question = std::string(commandsUri) + "/" + id + "?seen=" + std::to_string(command.value("revision", 0)) +
                                     "&wait=" + std::to_string(waitSeconds);
        Result<json> told = ask(connection, "GET", question, nullptr);
        if (told) {
            command = std::move(*told);
            if (isUnderWay(command)) {
                std::this_thread::sleep_for(pauseAfterChange);
            }
            continue;
        }
        if (told.error().code == Code::refused || Clock::now() >= until) {
            return Error{Code::outcomeUnknown, "what became of command " + id + " is not known: " + told.error().message};
        }
        std::this_thread::sleep_for(pauseAfterFailure);
    }
    return command;
}

std::string outcomeOf(const json& reply)
{
    std::string line = reply.value("connector", "") + "  " + reply.value("state", "");
    if (reply.value("state", "") == "FAIL") {
        const std::string failure = reply.value("failure", "");
        line += "  " + (failure.empty() ? reply.value("code", "") : failure);
        if (reply.value("executed", "") == "unknown") {
            line += "  (whether it was executed is not known)";
        } else if (reply.value("executed", "") == "no") {
            line += "  (not executed)";
        }
    }
    if (!reply.value("text", "").empty()) {
        line += "  " + reply.value("text", "");
    }
    line = printable(std::move(line));
    if (reply.contains("payload")) {
        line += "  " + reply["payload"].dump(-1, ' ', true, json::error_handler_t::replace);
    } else if (reply.value("payload_dropped", false)) {
        line += "  (the payload was too much to keep)";
    }
    return line;
}

int exitOf(const json& command)
{
    const std::size_t succeeded = command.value("succeeded", std::size_t{0});
    const std::size_t asked = command.value("replies", json::array()).size();
    return succeeded == asked ? exitOk : succeeded > 0 ? exitPartly : exitFailed;
}

}  // namespace

int send(Connection connection, const SendOptions& options)
{
    const Result<json> body = bodyOf(options);
    if (!body) {
        return complain(body.error());
    }
    Result<json> command = ask(connection, "POST", commandsUri, *body);
    if (command && options.wait) {
        command = follow(connection, std::move(*command), options);
    }
    if (!command) {
        return complain(command.error());
    }
    if (connection.json) {
        std::cout << command->dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    } else if (isUnderWay(*command)) {
        std::cout << command->value("id", "") << '\n';
    } else {
        for (const json& reply : command->value("replies", json::array())) {
            std::cout << outcomeOf(reply) << '\n';
        }
    }
    return isUnderWay(*command) ? exitOk : exitOf(*command);
}

int workers(Connection connection)
{
    const Result<json> list = ask(connection, "GET", "/mesh/v1/workers", nullptr);
    if (!list) {
        return complain(list.error());
    }
    if (connection.json) {
        std::cout << *list << '\n';
        return exitOk;
    }
    for (const json& offer : list->value("workers", json::array())) {
        std::cout << offer.value("tenant", "") << "/" << offer.value("connector", "") << "  " << offer.value("type", "") << " "
                  << offer.value("version", "") << "  " << (offer.value("linked", false) ? "linked" : "not linked") << " ";
        for (const json& command : offer.value("commands", json::array())) {
            std::cout << " " << command.value("name", "");
        }
        std::cout << '\n';
    }
    return exitOk;
}

int policyAllow(Connection connection, const PolicyOptions& options)
{
    const json body{{"tenant", options.tenant}, {"sender", options.sender}, {"command", options.command}, {"target", options.target}};
    const Result<json> made = ask(connection, "POST", policiesUri, body);
    return done(made ? Result<void>{} : made.error(), options.sender + " may send " + options.command + " to " + options.target);
}

int policyRevoke(Connection connection, const PolicyOptions& options)
{
    for (const std::string* name : {&options.tenant, &options.sender, &options.command, &options.target}) {
        if (!isValidName(*name)) {
            return complain({Code::invalidArgument, "'" + *name + "' is not a name"});
        }
    }
    const std::string id = options.tenant + ":" + options.sender + ":" + options.command + ":" + options.target;
    const Result<json> gone = ask(connection, "DELETE", std::string(policiesUri) + "/" + id, nullptr);
    return done(gone ? Result<void>{} : gone.error(), options.sender + " may not send " + options.command + " to " + options.target);
}

int policyList(Connection connection, const PolicyOptions&)
{
    const Result<json> list = ask(connection, "GET", policiesUri, nullptr);
    if (!list) {
        return complain(list.error());
    }
    if (connection.json) {
        std::cout << *list << '\n';
        return exitOk;
    }
    for (const json& grant : list->value("policies", json::array())) {
        std::cout << grant.value("tenant", "") << "  " << grant.value("sender", "") << "  " << grant.value("command", "") << "  "
                  << grant.value("target", "") << '\n';
    }
    return exitOk;
}

}  // namespace mesh::ctl
