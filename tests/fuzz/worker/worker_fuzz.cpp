// Any bytes as what a worker says: what is taken keeps its bounds, what is passed on is JSON, and a connector with a worker that
// says it goes on.
#include "connector/core/worker_messages.hpp"
#include "connector/core/workers.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"
#include "shoset/core/redfish_command.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace mesh;
using namespace mesh::connector;

namespace {

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

void requireJson(const std::string& payload)
{
    require(payload.empty() || shoset::compactJson(payload, limits::maxWorkerFrameBytes, limits::maxPayloadDepth + 4).ok());
}

struct Check {
    void operator()(const WorkerRegister& word) const
    {
        require(isValidName(word.worker) && isValidName(word.type) && word.version.major > 0);
        require(word.commands.size() <= limits::maxWorkerCommands);
        for (const WorkerRegister::Command& command : word.commands) {
            require(isValidName(command.name));
        }
    }
    void operator()(const WorkerReply& word) const
    {
        require(word.progress <= 100 && word.text.size() <= limits::maxReplyTextBytes);
        require(word.payload.size() <= limits::maxPayloadBytes && word.failure.size() <= limits::maxFailureCodeBytes);
        require((word.state == shoset::ReplyState::fail) == !word.failure.empty());
        requireJson(word.payload);
    }
    void operator()(const WorkerSend& word) const
    {
        requireJson(word.payload);
        if (!word.wrong) {
            require(isValidName(word.command) && word.to.name.empty() != word.to.type.empty());
            require(word.within > Duration{0} && word.within <= limits::maxRequestDeadline);
        }
        requireJson(answerWord(word.ref, {}, {}, word.payload));
    }
    void operator()(const WorkerConfigured& word) const { require(word.reason.size() <= limits::maxConfigReasonBytes); }
    void operator()(const WorkerSecretAsk& word) const
    {
        require(!word.id.empty() && isValidName(word.name));
        requireJson(noSecretWord(word, {Code::notFound, "none"}));
    }
    void operator()(const WorkerEmit& word) const { requireJson(word.payload); }
    void operator()(const WorkerSubscribe& word) const
    {
        require(isValidName(word.subscription) && !word.topics.empty() && word.topics.size() <= limits::maxSubscriptionTopics);
    }
    void operator()(const WorkerUnsubscribe& word) const { require(isValidName(word.subscription)); }
    void operator()(const WorkerTaken& word) const { require(isValidName(word.subscription)); }
    void operator()(const WorkerPing&) const {}
    void operator()(const WorkerDrain&) const {}
    void operator()(const WorkerBye& word) const { require(word.reason.size() <= limits::maxReplyTextBytes); }
};

class Owner final : public WorkerPort, public WorkerEvents {
public:
    Code sendToWorker(WorkerId, std::string word) override
    {
        requireJson(word);
        return Code::ok;
    }
    void onWorkerReply(WorkerReply, Now) override {}
    void onWorkerLost(const MessageId&, const Error&, Now) override {}
    void onOffersChanged(Now) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view frame(reinterpret_cast<const char*>(data), size);
    if (const Result<WorkerMessage> message = parseWorkerMessage(frame)) {
        std::visit(Check{}, *message);
    }
    if (const auto request = shoset::parseRedfishCommand("redfish.post", frame)) {
        require(request->uri.size() <= limits::maxUriBytes);
        requireJson(request->body);
    }
    Owner owner;
    Workers workers(WorkerRules({{{1000}, {}, {"*"}, {"*"}, {"*"}, {"*"}, {"*"}}}), owner, owner);
    const Now now{Instant{std::chrono::hours(1)}, WallTime{}};
    workers.onMessage(1, {1000, 1000, 7},
                      R"({"message":"register","protocol":1,"worker":"w","type":"t","version":"1.0","commands":[{"name":"c"}]})", now);
    workers.onMessage(1, {1000, 1000, 7}, frame, now);
    workers.onMessage(2, {1000, 1000, 8}, frame, now);
    require(shoset::checkOffers(workers.offers()).ok());
    return 0;
}
