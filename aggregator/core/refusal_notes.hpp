#pragma once

#include "aggregator/core/node_view.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mesh::aggregator {

// Who was refused, of which message (nil: it has no id), and the sentence that it was told, if any.
struct Refusal {
    std::string_view connector = {};  // or
    std::string_view account = {};
    MessageId message = {};
    std::string_view reason = {};
};

// The event that tells of such a refusal; empty: none does, as the sender did nothing wrong, or is over no quota of its own.
std::string_view refusalName(Code code);

// Tells of refused messages as events "mesh.error" of the proved tenant of who sent them (empty: the system's), which its people and the
// system's see: one of each kind in limits::refusalPause, and the next one says how many there were besides (`left_out`). What a
// sender is not told does not stand there either.
class RefusalNotes {
public:
    using Tell = std::function<void(const std::string& tenant, std::string_view name, std::string_view payload, Now now)>;
    explicit RefusalNotes(Tell tell) : teller(std::move(tell)) {}

    void note(std::string_view tenant, std::string_view name, const Refusal& refusal, Now now);
    void addMetrics(std::vector<Counter>& out) const;

private:
    struct Kind {
        Instant until{};
        std::uint64_t leftOut = 0;
    };
    const Tell teller;
    std::map<std::pair<std::string, std::string>, Kind> kinds;  // by tenant and name
    std::uint64_t told = 0;
    std::uint64_t leftOut = 0;
};

}  // namespace mesh::aggregator
