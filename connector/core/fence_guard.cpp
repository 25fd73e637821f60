#include "connector/core/fence_guard.hpp"

#include "connector/core/take_number.hpp"

#include <algorithm>
#include <utility>

namespace mesh::connector {

using shoset::Fence;

Result<void> FenceGuard::load(std::string_view content)
{
    Fence stored;
    if (!content.empty() &&
        !(takeNumber(content, ' ', stored.generation) && takeNumber(content, '\n', stored.term) && content.empty())) {
        return Error{Code::corrupt, "expected '<generation> <term>'"};
    }
    highest = durable = stored;
    return {};
}

void FenceGuard::see(const Fence& fence)
{
    highest = std::max(highest, fence);
}

std::optional<std::string> FenceGuard::toSave()
{
    if (saving || highest <= durable) {
        return std::nullopt;
    }
    saving = highest;
    return std::to_string(highest.generation) + " " + std::to_string(highest.term) + "\n";
}

Fence FenceGuard::onSaved(bool saved)
{
    const Fence tried = std::exchange(saving, std::nullopt).value_or(Fence{});
    if (saved) {
        durable = std::max(durable, tried);
    }
    return tried;
}

std::string fenceText(const Fence& fence)
{
    return "generation " + std::to_string(fence.generation) + ", term " + std::to_string(fence.term);
}

}  // namespace mesh::connector
