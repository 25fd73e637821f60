#pragma once

#include "aggregator/core/mesh.hpp"
#include "cluster/core/state_engine.hpp"
#include "shoset/base/rng.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mesh::aggregator {

// What each node knows for itself and the others may ask: over the mesh, as a command from node to node by a name of its own
// ("mesh.command") with a JSON object as its body; a SUCCESS has the answer, a JSON document, as its body. A node that does not know
// such a name stays silent.
class PeerQuestions {
public:
    enum class Heard : std::uint8_t {
        goOn,    // the others may know more
        enough,  // nobody else is waited for
        noHelp,  // as if it had stayed silent
    };
    // What one of them has answered; an error has its code and nothing else.
    using OnAnswer = std::function<Heard(const shoset::Address& node, const Result<std::string>& document, Now now)>;
    // Once, when all have answered, one was enough, or time is up; with the nodes that could not be asked or have not answered.
    using OnEnd = std::function<void(const std::set<shoset::Address>& silent, Now now)>;
    // Another node asks; answered once with answer(), at once or later.
    using Handler = std::function<void(const shoset::Address& from, const MessageId& id, std::string_view body, Now now)>;

    PeerQuestions(Mesh& mesh, const cluster::StateEngine& engine, Rng& rng);

    // Set once, before the first frame.
    void handle(std::string name, Handler handler) { handlers.emplace(std::move(name), std::move(handler)); }
    // All other nodes but witnesses. Its end may be told before this returns. The error: limits::maxPeerQuestions are open.
    Result<void> ask(const std::string& name, const std::string& body, Duration patience, OnAnswer onAnswer, OnEnd onEnd, Now now);
    // Code::tooLarge is told in place of a document over limits::maxPayloadBytes.
    void answer(const shoset::Address& to, const MessageId& id, const Result<std::string>& document, Now now);

    // False: it is no question that anybody answers here.
    bool onAsked(const shoset::Address& from, const MessageId& id, const shoset::Command& command, std::string_view body, Now now);
    // False: it answers no question of this node.
    bool onReply(const shoset::Address& from, const MessageId& id, const shoset::Reply& reply, std::string_view body, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const;

private:
    struct Question {
        std::set<shoset::Address> asked;   // those that have not answered
        std::set<shoset::Address> silent;  // those that cannot be asked, or were no help
        Instant until{};
        OnAnswer onAnswer;
        OnEnd onEnd;
    };
    void end(const MessageId& question, Now now);

    Mesh& mesh;
    const cluster::StateEngine& engine;
    Rng& rng;
    std::map<std::string, Handler, std::less<>> handlers;
    std::unordered_map<MessageId, Question> questions;
};

// "agg-b, agg-c".
std::string listOf(const std::set<shoset::Address>& nodes);

}  // namespace mesh::aggregator
