#include "aggregator/core/command_lookup.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"
#include "tenants/policy.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr const char* question = "mesh.command";
constexpr std::size_t maxQuestionBytes = 1024;
constexpr std::size_t maxQuestionDepth = 2;

struct Wish {
    MessageId command;
    std::string tenant;
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
    const json tenant = document.value("tenant", json());
    Wish wish{*command, tenant.is_string() ? tenant.get<std::string>() : std::string(), std::nullopt, Duration{0}};
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

CommandLookup::CommandLookup(PeerQuestions& toOthers, Commands& carried) : questions(toOthers), commands(carried)
{
    questions.handle(question, [this](const shoset::Address& from, const MessageId& id, std::string_view body, Now now) {
        onAsked(from, id, body, now);
    });
}

void CommandLookup::ask(const MessageId& command, const std::string& tenant, std::optional<std::uint64_t> seen, Duration wait, Done done,
                        Now now)
{
    json body{{"id", command.hex()}, {"wait_ms", static_cast<std::uint64_t>(toMillis(wait))}};
    if (seen) {
        body["seen"] = *seen;
    }
    if (!tenant.empty()) {
        body["tenant"] = tenant;
    }
    const auto found = std::make_shared<std::optional<std::string>>();
    const auto end = [found, done](const std::set<shoset::Address>& silent, Now then) {
        if (*found) {
            return done(std::move(**found), then);
        }
        done(Error{Code::notFound, silent.empty() ? nobodyHasIt
                                                  : "No node that can be asked knows such a command; who took it may be " + listOf(silent) + "."},
             then);
    };
    const auto hear = [found](const shoset::Address&, const Result<std::string>& document, Now) {
        if (document) {
            *found = *document;
            return PeerQuestions::Heard::enough;
        }
        return document.error().code == Code::notFound ? PeerQuestions::Heard::goOn : PeerQuestions::Heard::noHelp;
    };
    if (const Result<void> asked = questions.ask(question, body.dump(), wait + limits::peerQuestionPatience, hear, end, now); !asked) {
        done(Error{Code::full, "too many ask for commands that other nodes took"}, now);
    }
}

void CommandLookup::onAsked(const shoset::Address& from, const MessageId& id, std::string_view body, Now now)
{
    const std::optional<Wish> wish = wishIn(body);
    const CommandRecord* record = wish ? commands.record(wish->command) : nullptr;
    const bool shown = record != nullptr && tenants::mayReach(wish->tenant, record->tenant);
    const MessageId wanted = shown ? wish->command : MessageId{};
    const auto later = [this, from, id, wanted](Now then) { answer(from, id, wanted, then); };
    if (!shown || !wish->seen || !commands.await(wanted, *wish->seen, now.mono + wish->wait, later, now)) {
        answer(from, id, wanted, now);
    }
}

void CommandLookup::answer(const shoset::Address& to, const MessageId& id, const MessageId& command, Now now)
{
    const CommandRecord* record = commands.record(command);
    if (record == nullptr) {
        return questions.answer(to, id, Error{Code::notFound, {}}, now);
    }
    std::string document = commandDocument(*record);
    document = document.size() > limits::maxPayloadBytes ? commandDocument(*record, false) : document;
    questions.answer(to, id, document, now);
}

}  // namespace mesh::aggregator
