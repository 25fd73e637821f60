#include "aggregator/core/command_lookup.hpp"

#include "cluster/core/state.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr const char* question = "mesh.command";
constexpr std::size_t maxQuestionBytes = 1024;
constexpr std::size_t maxQuestionDepth = 2;

std::string listed(const std::set<shoset::Address>& nodes)
{
    std::string out;
    for (const shoset::Address& node : nodes) {
        out += (out.empty() ? "" : ", ") + node;
    }
    return out;
}

struct Wish {
    MessageId command;
    std::optional<std::uint64_t> seen;
    Duration wait{0};
};

std::optional<Wish> wishIn(std::string_view payload)
{
    if (!shoset::checkJsonBounds(payload, maxQuestionBytes, maxQuestionDepth)) {
        return std::nullopt;
    }
    const json document = json::parse(payload, nullptr, false);
    const json id = document.is_object() ? document.value("id", json()) : json();
    const Result<MessageId> command = id.is_string() ? MessageId::fromHex(id.get<std::string>()) : Error{};
    if (!command) {
        return std::nullopt;
    }
    Wish wish{*command, std::nullopt, Duration{0}};
    const json seen = document.value("seen", json());
    const json wait = document.value("wait_ms", json());
    if (seen.is_number_unsigned()) {
        wish.seen = seen.get<std::uint64_t>();
    }
    if (wait.is_number_unsigned()) {
        const auto most = static_cast<std::uint64_t>(toMillis(limits::maxCommandWait));
        wish.wait = std::chrono::milliseconds(std::min(wait.get<std::uint64_t>(), most));
    }
    return wish;
}

}  // namespace

CommandLookup::CommandLookup(Mesh& links, const cluster::StateEngine& stateEngine, Commands& carried, Rng& random)
    : mesh(links), engine(stateEngine), commands(carried), rng(random)
{
}

void CommandLookup::ask(const MessageId& command, std::optional<std::uint64_t> seen, Duration wait, Done done, Now now)
{
    if (questions.size() >= limits::maxCommandLookups) {
        return done(Error{Code::full, "too many ask for commands that other nodes took"}, now);
    }
    json body{{"id", command.hex()}, {"wait_ms", static_cast<std::uint64_t>(toMillis(wait))}};
    if (seen) {
        body["seen"] = *seen;
    }
    shoset::Command asking;
    asking.name = question;
    Question fresh{{}, {}, now.mono + wait + limits::commandLookupPatience, std::move(done)};
    const MessageId id = MessageId::make(now.wall, rng);
    for (const auto& [number, node] : engine.state().nodes) {
        if (node.witness || node.name == mesh.name()) {
            continue;
        }
        const bool sent = mesh.send(node.name, id, asking, body.dump(), true, fresh.until, now).has_value();
        (sent ? fresh.asked : fresh.silent).insert(node.name);
    }
    const bool nobody = fresh.asked.empty();
    questions.emplace(id, std::move(fresh));
    if (nobody) {
        end(id, now);
    }
}

// Nobody has it who could be asked.
void CommandLookup::end(const MessageId& id, Now now)
{
    const auto found = questions.find(id);
    Question ended = std::move(found->second);
    questions.erase(found);
    ended.silent.merge(ended.asked);
    ended.done(Error{Code::notFound, ended.silent.empty() ? "No node knows such a command, or it was long ago."
                                                          : "No node that can be asked knows such a command; who took it may be " +
                                                                listed(ended.silent) + "."},
               now);
}

bool CommandLookup::onAsked(const shoset::Address& from, const MessageId& id, const shoset::Command& command, std::string_view payload,
                            Now now)
{
    if (command.name != question) {
        return false;
    }
    const std::optional<Wish> wish = wishIn(payload);
    const MessageId wanted = wish ? wish->command : MessageId{};
    const auto later = [this, from, id, wanted](Now then) { answer(from, id, wanted, then); };
    if (!wish || !wish->seen || !commands.await(wanted, *wish->seen, now.mono + wish->wait, later, now)) {
        answer(from, id, wanted, now);
    }
    return true;
}

void CommandLookup::answer(const shoset::Address& to, const MessageId& id, const MessageId& command, Now now)
{
    shoset::Reply reply;
    std::string document;
    if (const CommandRecord* record = commands.record(command)) {
        reply.http.status = 200;
        document = commandDocument(*record);
        document = document.size() > limits::maxPayloadBytes ? commandDocument(*record, false) : document;
    }
    if (document.empty() || document.size() > limits::maxPayloadBytes) {
        reply.state = shoset::ReplyState::fail;
        reply.code = document.empty() ? Code::notFound : Code::tooLarge;
        document.clear();
    }
    mesh.send(to, id, std::move(reply), document, true, never, now);
}

bool CommandLookup::onReply(const shoset::Address& from, const MessageId& id, const shoset::Reply& reply, std::string_view payload,
                            Now now)
{
    const auto found = questions.find(id);
    if (found == questions.end()) {
        return false;
    }
    Question& asked = found->second;
    // One that should have passed on a question could not: who was meant stays silent.
    if (!asked.asked.contains(from) || reply.code == Code::notSent) {
        return true;
    }
    asked.asked.erase(from);
    if (reply.state == shoset::ReplyState::success) {
        const Done done = std::move(asked.done);
        questions.erase(found);
        done(std::string(payload), now);
        return true;
    }
    if (reply.code != Code::notFound) {
        asked.silent.insert(from);
    }
    if (asked.asked.empty()) {
        end(id, now);
    }
    return true;
}

void CommandLookup::onTimer(Now now)
{
    std::vector<MessageId> late;
    for (const auto& [id, asked] : questions) {
        if (asked.until <= now.mono) {
            late.push_back(id);
        }
    }
    std::sort(late.begin(), late.end());
    for (const MessageId& id : late) {
        end(id, now);
    }
}

Instant CommandLookup::nextDeadline() const
{
    Instant next = never;
    for (const auto& [id, asked] : questions) {
        next = std::min(next, asked.until);
    }
    return next;
}

}  // namespace mesh::aggregator
