#include "aggregator/core/resource_trace.hpp"

#include <optional>
#include <utility>

namespace mesh::aggregator {

void TraceResources::read(const CallPtr& call) const
{
    std::optional<TraceKey> key = readTraceKey(call->id);
    if (!key || lookup == nullptr) {  // as of one that nobody has noted
        return call->answer(notFound(call->request.path));
    }
    lookup->ask(call->id, std::move(*key), call->tenant(),
                [call](Result<std::string> document, Now then) {
                    call->now = then;
                    if (document) {
                        return call->answer(documentAnswer(200, "application/json", std::move(*document)));
                    }
                    call->answer(document.error().code == Code::notFound
                                     ? errorAnswer(404, {"ResourceMissingAtURI", {call->request.path}, {}}, document.error().message)
                                     : temporarilyUnavailable(document.error().message));
                },
                call->now);
}

}  // namespace mesh::aggregator
