#pragma once

#include "aggregator/core/hop_notes.hpp"
#include "aggregator/core/peer_questions.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace mesh::aggregator {

// Where one message has been: what this node has noted, and what the others answer to "mesh.trace", in the order in which it
// happened. The nodes' clocks are compared by these answers: where one differs by more than that can be told, its times are put
// right, and no hop is shown before the one that led to it.
class TraceLookup {
public:
    // {id, node, hops: [{time, at_us, node, tenant, message, kind, what, code, from, to, over, left_us}], clocks: [{node, offset_us,
    // uncertainty_us, corrected}], silent, more}. notFound: nobody has noted anything of it who could be asked; full: too many ask.
    using Done = std::function<void(Result<std::string> document, Now now)>;

    TraceLookup(std::string self, const HopNotes& notes, PeerQuestions& questions);

    // `done` once, later or at once. Of one tenant, or (empty) of all: what is another's is as if it were not there.
    void ask(const std::string& id, TraceKey key, std::string tenant, Done done, Now now);

private:
    struct Trace;
    using TracePtr = std::shared_ptr<Trace>;
    void askAll(const TracePtr& trace, const TraceKey& key, Now now);
    void onEnd(const TracePtr& trace, const std::set<shoset::Address>& silent, Now now);
    void onAsked(const shoset::Address& from, const MessageId& id, std::string_view body, Now now);

    const std::string self;
    const HopNotes& notes;
    PeerQuestions& questions;
};

}  // namespace mesh::aggregator
