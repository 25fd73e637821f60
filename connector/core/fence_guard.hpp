#pragma once

#include "shoset/base/result.hpp"
#include "shoset/core/message.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mesh::connector {

// The highest fence that this connector ever saw, across restarts: a primary that was replaced, or one of a state that was
// recovered or restored since, orders nothing any more. What raised it may be executed only once it is durable.
//
// Pure: it gives the content of a file and takes it back at the start. Format: "<generation> <term>\n".
class FenceGuard {
public:
    // The file's content; empty: none was seen yet. Code::corrupt for anything else, since a file that is replaced as a
    // whole is never torn.
    Result<void> load(std::string_view content);

    void see(const shoset::Fence& fence);
    // A higher one was seen. What has no fence is never outranked.
    bool outranks(const shoset::Fence& fence) const { return fence.isSet() && fence < highest; }
    bool isDurable(const shoset::Fence& fence) const { return fence <= durable; }

    // What has to be written now, if anything; answered with onSaved before it gives the next.
    std::optional<std::string> toSave();
    // Returns the highest fence that the file would have had.
    shoset::Fence onSaved(bool saved);

    const shoset::Fence& seen() const { return highest; }

private:
    shoset::Fence highest;
    shoset::Fence durable;
    std::optional<shoset::Fence> saving;
};

std::string fenceText(const shoset::Fence& fence);  // for people: "generation 1, term 4"

}  // namespace mesh::connector
