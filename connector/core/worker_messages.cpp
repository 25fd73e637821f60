#include "connector/core/worker_messages.hpp"

#include "connector/core/worker_event_parsing.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"
#include "shoset/core/outcome.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <utility>

namespace mesh::connector {

namespace {

using nlohmann::json;
using shoset::ReplyState;

constexpr std::size_t maxAskIdBytes = 64;
constexpr std::size_t wordDepth = 4;  // of a message around the schemas or the payload in it

Error wordError(const std::string& sentence)
{
    return {Code::invalidArgument, sentence};
}

// Empty where it is missing or no text.
std::string textIn(const json& object, const char* name)
{
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string cutTo(std::string text, std::size_t bytes)
{
    if (text.size() > bytes) {
        while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0U) == 0x80U) {
            --bytes;
        }
        text.resize(bytes);
    }
    return text;
}

Result<WorkerVersion> versionFrom(const std::string& text)
{
    WorkerVersion version;
    const char* const end = text.data() + text.size();
    const auto [dot, error] = std::from_chars(text.data(), end, version.major);
    if (error == std::errc() && dot != end && *dot == '.' && version.major > 0) {
        const auto [after, problem] = std::from_chars(dot + 1, end, version.minor);
        if (problem == std::errc() && after == end) {
            return version;
        }
    }
    return wordError("expected 'version' as \"MAJOR.MINOR\", from \"1.0\"");
}

Result<WorkerRegister::Command> servedFrom(const json& entry)
{
    WorkerRegister::Command command;
    command.name = entry.is_object() ? textIn(entry, "name") : std::string();
    if (!isValidName(command.name)) {
        return wordError("expected a 'name' of letters, digits, '.', '_' and '-', at most 63, for each of 'commands'");
    }
    if (const auto schema = entry.find("schema"); schema != entry.end() && !schema->is_null()) {
        command.schema = schema->dump();
    }
    return command;
}

Result<WorkerMessage> registerFrom(const json& document)
{
    if (document.value("protocol", json()) != workerProtocol) {
        return wordError("expected 'protocol' " + std::to_string(workerProtocol) + ": this is the connector's");
    }
    WorkerRegister out;
    out.worker = textIn(document, "worker");
    out.type = textIn(document, "type");
    if (!isValidName(out.worker) || !isValidName(out.type)) {
        return wordError("expected names of letters, digits, '.', '_' and '-', at most 63, for 'worker' and 'type'");
    }
    const Result<WorkerVersion> version = versionFrom(textIn(document, "version"));
    if (!version) {
        return version.error();
    }
    out.version = *version;
    const json commands = document.value("commands", json());
    if (!commands.is_array() || commands.size() > limits::maxWorkerCommands) {
        return wordError("expected 0 to " + std::to_string(limits::maxWorkerCommands) + " 'commands'");
    }
    for (const json& entry : commands) {
        Result<WorkerRegister::Command> command = servedFrom(entry);
        if (!command) {
            return command.error();
        }
        out.commands.push_back(std::move(*command));
    }
    out.configuration = document.value("configuration", json()) == true;
    return WorkerMessage(std::move(out));
}

Result<WorkerMessage> configuredFrom(const json& document, bool applied)
{
    const json version = document.value("version", json());
    if (!version.is_number_unsigned()) {
        return wordError("expected the configuration's 'version' in the answer to it");
    }
    return WorkerMessage(WorkerConfigured{version.get<std::uint64_t>(), applied, cutTo(textIn(document, "reason"), limits::maxConfigReasonBytes)});
}

void failWith(WorkerReply& reply, const char* failure, std::string text)
{
    reply.state = ReplyState::fail;
    reply.failure = failure;
    reply.text = std::move(text);
    reply.payload.clear();
}

Result<WorkerMessage> replyFrom(const json& document)
{
    const Result<MessageId> id = MessageId::fromHex(textIn(document, "id"));
    if (!id) {
        return wordError("expected the command's 'id' in a reply");
    }
    WorkerReply out;
    out.id = *id;
    out.text = cutTo(textIn(document, "text"), limits::maxReplyTextBytes);
    const std::string state = textIn(document, "state");
    if (state == "ON_GOING") {
        out.state = ReplyState::onGoing;
        const json progress = document.value("progress", json(0));
        if (!progress.is_number() || progress < 0 || progress > 100) {
            return wordError("expected a 'progress' of 0 to 100");
        }
        out.progress = static_cast<std::uint32_t>(progress.get<double>());
        return WorkerMessage(std::move(out));
    }
    if (state == "FAIL") {
        out.state = ReplyState::fail;
        out.failure = cutTo(textIn(document, "failure"), limits::maxFailureCodeBytes);
        out.failure = out.failure.empty() ? "failed" : std::move(out.failure);
    } else if (state != "SUCCESS") {
        return wordError("expected a 'state' of ON_GOING, SUCCESS or FAIL");
    }
    if (const auto payload = document.find("payload"); payload != document.end()) {
        out.payload = payload->dump();
    }
    if (out.payload.size() > limits::maxPayloadBytes) {
        failWith(out, "reply_too_large",
                 "it was executed, but its answer is longer than " + std::to_string(limits::maxPayloadBytes) + " bytes");
    }
    return WorkerMessage(std::move(out));
}

Result<WorkerMessage> secretAskFrom(const json& document)
{
    WorkerSecretAsk out{textIn(document, "id"), textIn(document, "name")};
    if (out.id.empty() || out.id.size() > maxAskIdBytes || !isValidName(out.name)) {
        return wordError("expected an 'id' of at most " + std::to_string(maxAskIdBytes) + " bytes and a 'name' in the question for a secret");
    }
    return WorkerMessage(std::move(out));
}

// Everything but `ref`; the error is what is wrong with it.
Result<void> readSend(const json& document, WorkerSend& out)
{
    const json target = document.value("target", json());
    if (target.is_object()) {
        out.to = {textIn(target, "name"), textIn(target, "type"), target.value("all", json()) == true};
    }
    const bool named = isValidName(out.to.name);
    const bool typed = isValidName(out.to.type);
    if (named == typed || out.to.name.empty() == out.to.type.empty() || (out.to.all && named)) {
        return wordError("expected a 'target' of {\"name\"} or {\"type\"}, the latter maybe with \"all\": true");
    }
    out.command = textIn(document, "command");
    out.type = named ? textIn(document, "type") : out.to.type;
    if (!isValidName(out.command) || (!out.type.empty() && !isValidName(out.type))) {
        return wordError("expected names of letters, digits, '.', '_' and '-', at most 63, for 'command' and 'type'");
    }
    if (document.contains("version")) {
        const Result<WorkerVersion> version = versionFrom(textIn(document, "version"));
        if (!version) {
            return version.error();
        }
        out.version = *version;
    }
    const json within = document.value("deadline_ms", json(toMillis(limits::defaultRequestDeadline)));
    if (!within.is_number_integer() || within < 1 || within > toMillis(limits::maxRequestDeadline)) {
        return wordError("expected a 'deadline_ms' of 1 to " + std::to_string(toMillis(limits::maxRequestDeadline)));
    }
    out.within = std::chrono::milliseconds(within.get<std::int64_t>());
    if (const auto payload = document.find("payload"); payload != document.end()) {
        out.payload = payload->dump();
    }
    return {};
}

Result<WorkerMessage> sendFrom(const json& document)
{
    const json ref = document.value("ref", json());
    if (!ref.is_number_unsigned()) {
        return wordError("expected a number 'ref' of 0 and more in what is to be sent");
    }
    WorkerSend out;
    out.ref = ref.get<std::uint64_t>();
    if (const Result<void> read = readSend(document, out); !read) {
        out.wrong = read.error();
    }
    return WorkerMessage(std::move(out));
}

std::string written(const json& document)
{
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string wordWithReason(const char* word, std::string_view reason)
{
    return written({{"message", word}, {"reason", reason}});
}

template <class Word>
Result<WorkerMessage> asMessage(Result<Word> word)
{
    return word ? Result<WorkerMessage>(WorkerMessage(std::move(*word))) : Result<WorkerMessage>(word.error());
}

Result<WorkerMessage> parseEventWord(const std::string& word, const json& document)
{
    if (word == "event") {
        return asMessage(parseEmit(document));
    }
    if (word == "subscribe") {
        return asMessage(parseSubscribe(document));
    }
    if (word == "unsubscribe") {
        return asMessage(parseUnsubscribe(document));
    }
    if (word == "taken") {
        return asMessage(parseTaken(document));
    }
    return wordError("expected a 'message' of register, reply, configured, not_configured, secret, send, event, subscribe, taken, unsubscribe, ping, "
                     "drain or bye");
}

}  // namespace

std::string versionText(const WorkerVersion& version)
{
    return std::to_string(version.major) + "." + std::to_string(version.minor);
}

Result<WorkerMessage> parseWorkerMessage(std::string_view frame)
{
    constexpr std::size_t depth = limits::maxPayloadDepth + wordDepth;
    if (Result<void> fits = shoset::checkJsonBounds(frame, limits::maxWorkerFrameBytes, depth); !fits) {
        return fits.error();
    }
    const json document = json::parse(frame, nullptr, false);
    if (!document.is_object()) {
        return wordError("expected one JSON object in UTF-8 in each frame");
    }
    const std::string word = textIn(document, "message");
    if (word == "register") {
        return registerFrom(document);
    }
    if (word == "reply") {
        return replyFrom(document);
    }
    if (word == "configured" || word == "not_configured") {
        return configuredFrom(document, word == "configured");
    }
    if (word == "ping") {
        return WorkerMessage(WorkerPing{});
    }
    if (word == "drain") {
        return WorkerMessage(WorkerDrain{});
    }
    if (word == "bye") {
        return WorkerMessage(WorkerBye{cutTo(textIn(document, "reason"), limits::maxReplyTextBytes)});
    }
    if (word == "secret") {
        return secretAskFrom(document);
    }
    if (word == "send") {
        return sendFrom(document);
    }
    return parseEventWord(word, document);
}

// The payload is JSON that was checked before, and stands in it as it is.
std::string commandFor(const WorkerTask& task, Now now)
{
    json document{{"message", "command"}, {"id", task.id.hex()}, {"name", task.name}, {"user", task.user}};
    document["deadline_ms"] = task.deadline == never ? toMillis(limits::maxRequestDeadline) : toMillis(task.deadline - now.mono);
    std::string text = written(document);
    text.insert(text.size() - 1, ",\"payload\":" + task.payload);
    return text;
}

std::string sentWord(std::uint64_t ref, const MessageId& id)
{
    return written({{"message", "sent"}, {"ref", ref}, {"id", id.hex()}});
}

std::string answerWord(std::uint64_t ref, const MessageId& id, const shoset::Reply& reply, std::string_view payload)
{
    constexpr std::size_t depth = limits::maxPayloadDepth + 2 * wordDepth;  // of one to all: lists of what each has answered
    json document{{"message", "answer"}, {"ref", ref}, {"state", shoset::stateName(reply.state)}, {"text", cutTo(reply.message, limits::maxReplyTextBytes)}};
    if (!id.isNil()) {
        document["id"] = id.hex();
    }
    if (reply.state == ReplyState::onGoing) {
        document["progress"] = reply.progress;
    } else {
        document["executed"] = shoset::executedWord(reply.state, reply.code, !reply.failure.empty());
    }
    if (reply.state == ReplyState::fail) {
        document["code"] = codeName(reply.code);
        document["failure"] = reply.failure;
    }
    std::string text = written(document);
    if (!payload.empty()) {
        const Result<std::string> checked = shoset::compactJson(payload, limits::maxPayloadBytes, depth);
        text.insert(text.size() - 1, ",\"payload\":" + (checked ? *checked : written(json(std::string(payload)))));
    }
    return text;
}

std::string registeredWord(const std::vector<std::string>& missing)
{
    json word{{"message", "registered"}, {"protocol", workerProtocol}, {"heartbeat_ms", toMillis(limits::workerHeartbeat)}, {"secrets", true}};
    if (!missing.empty()) {
        word["missing"] = missing;
    }
    return written(word);
}

// The texts are JSON that was written here, and stand in it as they are.
std::string configurationWord(std::uint64_t version, const std::string& values, const std::string& resources)
{
    return R"({"message":"configuration","version":)" + std::to_string(version) + R"(,"values":)" + values + R"(,"resources":)" +
           resources + "}";
}

std::string refusedWord(std::string_view reason)
{
    return wordWithReason("refused", reason);
}

std::string byeWord(std::string_view reason)
{
    return wordWithReason("bye", reason);
}

std::string drainWord()
{
    return R"({"message":"drain"})";
}

std::string drainedWord()
{
    return R"({"message":"drained"})";
}

std::string pongWord()
{
    return R"({"message":"pong"})";
}

// Put together by hand, so that there is no other copy of the value than the word itself.
std::string secretWord(const WorkerSecretAsk& ask, std::uint64_t version, std::string_view value)
{
    std::string text = written({{"message", "secret"}, {"id", ask.id}, {"name", ask.name}, {"version", version}});
    text.pop_back();
    text.reserve(text.size() + value.size() + 16);
    text += R"(,"value":")";
    text += value;
    text += "\"}";
    return text;
}

std::string noSecretWord(const WorkerSecretAsk& ask, const Error& why)
{
    return written({{"message", "secret"}, {"id", ask.id}, {"name", ask.name}, {"failure", codeName(why.code)}, {"text", why.message}});
}

std::string strangerWord()
{
    return R"({"message":"stranger"})";
}

}  // namespace mesh::connector
