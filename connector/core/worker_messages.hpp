#pragma once

#include "connector/core/worker_event_words.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"
#include "shoset/core/message.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// What a worker and its connector say to each other: one JSON object a frame, described in connector/worker/README.md.
namespace mesh::connector {

constexpr std::uint32_t workerProtocol = 1;

struct WorkerVersion {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    auto operator<=>(const WorkerVersion&) const = default;
};
std::string versionText(const WorkerVersion& version);

struct WorkerRegister {
    struct Command {
        std::string name;
        std::string schema;  // JSON in its shortest form; empty: any payload
    };
    std::string worker;  // its name: of those of one name a newer version takes the older one's place
    std::string type;    // connector type
    WorkerVersion version;
    std::vector<Command> commands;  // none: it emits events, or listens
    bool configuration = false;     // it takes configurations, and answers them
};

struct WorkerReply {
    MessageId id;
    shoset::ReplyState state = shoset::ReplyState::success;
    std::uint32_t progress = 0;  // percent, of ON_GOING
    std::string text;            // what it is doing, or why it failed
    std::string failure;         // of FAIL: its own code, never empty
    std::string payload;         // JSON in its shortest form, or empty
};

// Its answer to a configuration.
struct WorkerConfigured {
    std::uint64_t version = 0;
    bool applied = false;
    std::string reason;  // of a refusal
};

struct WorkerPing {};
struct WorkerDrain {};  // it wants no further command
struct WorkerBye {
    std::string reason;
};

// It asks for a secret.
struct WorkerSecretAsk {
    std::string id;    // of its own choice, stands in the answer
    std::string name;
};

// It wants others to execute a command.
struct WorkerSend {
    std::uint64_t ref = 0;  // of its own choice, stands in the answers
    shoset::Target to;
    std::string command;
    std::string type;       // connector type that the worker there has to be of; empty: any
    WorkerVersion version;  // and its version, as an asker says it; 0.0: any
    std::string payload;    // JSON in its shortest form, or empty
    Duration within{};
    std::optional<Error> wrong = {};  // why it is not sent; the worker is told
};

using WorkerMessage = std::variant<WorkerRegister, WorkerReply, WorkerPing, WorkerDrain, WorkerBye, WorkerConfigured, WorkerSecretAsk, WorkerSend,
                                   WorkerEmit, WorkerSubscribe, WorkerUnsubscribe, WorkerTaken>;

// Code::invalidArgument with a sentence for who writes the worker. Names and numbers are checked, whether it may serve the
// commands is not. A reply whose texts are too long is cut, one whose payload is too large is a FAIL: it was executed. What is
// wrong with a command that it sends stands in that.
Result<WorkerMessage> parseWorkerMessage(std::string_view frame);

// A command on its way to a worker.
struct WorkerTask {
    MessageId id;
    std::string name;
    std::string payload;  // JSON
    std::string user;     // on whose behalf
    Instant deadline = never;
};
std::string commandFor(const WorkerTask& task, Now now);
// Of what it has sent: it is on its way, under this id.
std::string sentWord(std::uint64_t ref, const MessageId& id);
// How that goes on, or ended. Nil: it was given no id. `payload`: of whoever has executed it, or empty.
std::string answerWord(std::uint64_t ref, const MessageId& id, const shoset::Reply& reply, std::string_view payload);
// `missing`: commands that a pivot asks for; until its version has them nothing of it is offered.
std::string registeredWord(const std::vector<std::string>& missing);
// Both are JSON.
std::string configurationWord(std::uint64_t version, const std::string& values, const std::string& resources);
std::string refusedWord(std::string_view reason);
std::string byeWord(std::string_view reason);  // it may attach again
std::string drainWord();                       // it will get no further command
std::string drainedWord();                     // and the last one has ended
std::string pongWord();
// `value`: in base64. The word is a secret.
std::string secretWord(const WorkerSecretAsk& ask, std::uint64_t version, std::string_view value);
std::string noSecretWord(const WorkerSecretAsk& ask, const Error& why);
std::string strangerWord();  // to one that is not registered: it should be, first

}  // namespace mesh::connector
