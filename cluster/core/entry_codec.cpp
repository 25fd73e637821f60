#include "cluster/core/codec.hpp"
#include "cluster/core/feature_level.hpp"
#include "cluster/core/fields_documents.hpp"
#include "cluster/core/fields_enrolments.hpp"
#include "cluster/core/fields_nodes.hpp"
#include "cluster/core/fields_registry.hpp"
#include "cluster/core/fields_tasks.hpp"

#include <algorithm>
#include <utility>

namespace mesh::cluster {

namespace {

template <std::size_t... Index>
bool chooseOperation(Operation& operation, std::uint64_t number, std::index_sequence<Index...>)
{
    return ((number == Index && (operation.emplace<Index>(), true)) || ...);
}

// The lowest that can say it.
FeatureLevel entryLevel(const Command& command)
{
    return std::max(featureLevelOf(command.operation), command.since == 0 ? firstFeatureLevel : clusterFeatureLevel);
}

}  // namespace

Error malformed(const char* what)
{
    return Error{Code::corrupt, std::string(what) + " is malformed"};
}

Error newer(const char* what, std::uint64_t found, std::uint64_t known)
{
    return Error{Code::unsupported, std::string(what) + " " + std::to_string(found) +
                                        " was written by a newer program; this one knows up to " +
                                        std::to_string(known) + " and stops rather than skip it. Upgrade this node"};
}

Result<std::string> encodeCommand(const Command& command)
{
    Encoder encoder;
    encoder.level = entryLevel(command);
    encoder.number(encoder.level);
    encoder.id(command.requestId);
    encoder.time(command.stamp);
    if (encoder.level >= clusterFeatureLevel) {
        encoder.number(command.since);
    }
    encoder.number(command.operation.index());
    // A copy: fields() takes what it could also fill.
    std::visit([&encoder](auto operation) { fields(encoder, operation); }, command.operation);
    if (!encoder.overLimit.empty()) {
        return Error{Code::tooLarge, encoder.overLimit};
    }
    if (encoder.out.size() > limits::maxEntryBytes) {
        return Error{Code::tooLarge, "a change of " + std::to_string(encoder.out.size()) +
                                         " bytes is over the limit of " + std::to_string(limits::maxEntryBytes)};
    }
    return std::move(encoder.out);
}

Result<Command> decodeCommand(std::string_view entry, FeatureLevel knows)
{
    Decoder decoder(entry);
    decoder.number(decoder.level);
    if (!decoder.good || entry.size() > limits::maxEntryBytes) {
        return malformed("an entry");
    }
    if (decoder.level < firstFeatureLevel || decoder.level > knows) {
        return newer("an entry of format", decoder.level, knows);
    }
    Command command;
    std::uint64_t number = 0;
    decoder.id(command.requestId);
    decoder.time(command.stamp);
    if (decoder.level >= clusterFeatureLevel) {
        decoder.number(command.since);
    }
    decoder.number(number);
    constexpr std::size_t known = std::variant_size_v<Operations>;
    if (decoder.good && !chooseOperation(command.operation, number, std::make_index_sequence<known>())) {
        return newer("an entry with operation", number, known - 1);
    }
    if (decoder.good) {
        std::visit([&decoder](auto& operation) { fields(decoder, operation); }, command.operation);
    }
    if (!decoder.good || !decoder.rest.empty() || entryLevel(command) != decoder.level) {
        return malformed("an entry");
    }
    if (neededLevel(command.operation) > knows) {
        return newer("an entry that raises the feature level to", neededLevel(command.operation), knows);
    }
    return command;
}

}  // namespace mesh::cluster
