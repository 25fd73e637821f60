#pragma once

#include "aggregator/core/commands.hpp"
#include "aggregator/core/mesh.hpp"
#include "cluster/core/state_engine.hpp"
#include "shoset/base/rng.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mesh::aggregator {

// Commands that another node took: only it knows how far they are. Whoever asks here is told what the others answer, each of whom
// is asked over the mesh: a command "mesh.command" from node to node, with {"id", "seen", "wait_ms"} as its body, and the document
// as the reply's. One that does not fit there comes without what the workers have answered.
class CommandLookup {
public:
    // A document; notFound: no node has it, or those that may have it cannot be asked, which the sentence names; full: too many ask.
    using Done = std::function<void(Result<std::string> document, Now now)>;

    CommandLookup(Mesh& mesh, const cluster::StateEngine& engine, Commands& commands, Rng& rng);

    // `done` once, later or at once. With `seen`, the node that has it waits for another revision, `wait` at most.
    void ask(const MessageId& command, std::optional<std::uint64_t> seen, Duration wait, Done done, Now now);
    // Another node asks. False: that is no such question.
    bool onAsked(const shoset::Address& from, const MessageId& id, const shoset::Command& command, std::string_view payload, Now now);
    // False: it answers no question of this node.
    bool onReply(const shoset::Address& from, const MessageId& id, const shoset::Reply& reply, std::string_view payload, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const;

private:
    struct Question {
        std::set<shoset::Address> asked;   // those that have not answered
        std::set<shoset::Address> silent;  // those that cannot be asked
        Instant until{};
        Done done;
    };
    void answer(const shoset::Address& to, const MessageId& id, const MessageId& command, Now now);
    void end(const MessageId& question, Now now);

    Mesh& mesh;
    const cluster::StateEngine& engine;
    Commands& commands;
    Rng& rng;
    std::unordered_map<MessageId, Question> questions;
};

}  // namespace mesh::aggregator
