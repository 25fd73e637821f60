#pragma once

#include "shoset/base/result.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::connector {

// Whom the connector dials. Until an aggregator has told a list of all of them, those of the configuration; from then on,
// across restarts, those of the list. The configured ones stay in reserve for the case that none of the list answers, so
// that there is always somebody to dial, and an operator who changes the configuration is heard. But one that the list
// does not have was removed: as it stands in the configuration it is forgotten until a later list has it again.
//
// Pure: it gives the content of a file and takes it back at the start. Format: JSON
//   {"generation": 1, "revision": 42, "aggregators": [{"name": …, "endpoint": …, "key": …}], "forgotten": [the same]}
class Contacts {
public:
    explicit Contacts(std::vector<shoset::AggregatorAddress> configured);

    // The file's content; empty: no list was told yet. Code::corrupt, and as if it were empty, for what is none.
    Result<void> load(std::string_view content);
    std::string content() const;

    enum class Taken { newer, known, older, malformed };
    Taken take(const shoset::Aggregators& told);

    bool hasList() const { return !told.list.empty(); }
    bool isListed(const shoset::AggregatorAddress& address) const;
    // Without repeats, those of the list first; `reserve`: none of them answers.
    std::vector<shoset::AggregatorAddress> toDial(bool reserve) const;

private:
    std::vector<shoset::AggregatorAddress> configured;
    std::vector<shoset::AggregatorAddress> forgotten;  // configured once, and not in the list
    shoset::Aggregators told;
};

}  // namespace mesh::connector
