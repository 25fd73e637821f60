#pragma once

#include "aggregator/core/commands.hpp"
#include "aggregator/core/peer_questions.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace mesh::aggregator {

// Commands that another node took: only it knows how far they are. Whoever asks here is told what the others answer, each of whom
// is asked "mesh.command" with {"id", "tenant", "seen", "wait_ms"}, and answers with the document. One that does not fit there comes
// without what the workers have answered. What is of another tenant than the one that is named is as if it were not there, which a node of
// an older release does not see to.
class CommandLookup {
public:
    // A document; notFound: no node has it, or those that may have it cannot be asked, which the sentence names; full: too many ask.
    using Done = std::function<void(Result<std::string> document, Now now)>;
    static constexpr const char* nobodyHasIt = "No node knows such a command, or it was long ago.";

    CommandLookup(PeerQuestions& questions, Commands& commands);

    // `done` once, later or at once. `tenant`: who wants to know; empty: the system. With `seen`, the node that has it waits for
    // another revision, `wait` at most.
    void ask(const MessageId& command, const std::string& tenant, std::optional<std::uint64_t> seen, Duration wait, Done done, Now now);

private:
    void onAsked(const shoset::Address& from, const MessageId& id, std::string_view body, Now now);
    void answer(const shoset::Address& to, const MessageId& id, const MessageId& command, Now now);

    PeerQuestions& questions;
    Commands& commands;
};

}  // namespace mesh::aggregator
