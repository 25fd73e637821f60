// What the mesh notes of where messages have been.
#include "aggregator/core/mesh.hpp"

namespace mesh::aggregator {

using shoset::Kind;

// What it says of itself is enough here: a router does not look into it.
void Mesh::noteForward(const shoset::Record& record, const shoset::Envelope& envelope, HopFate fate, Code code, std::string_view over, Now now)
{
    const Kind kind = record.prelude.kind;
    const Result<MessageId> id = MessageId::fromBytes(envelope.id);
    if (notes == nullptr || !id || (kind != Kind::command && kind != Kind::reply)) {
        return;
    }
    const std::string_view connector = shoset::isConnector(envelope.source) ? envelope.source : envelope.destination;
    // Who sent what is refused may have made up where to: such a name must not take the place of others in a table that all share.
    const bool isNamed = fate != HopFate::refused || notes->knows(envelope.destination);
    const std::string_view to = isNamed ? envelope.destination : std::string_view();
    notes->add(HopRing::requests, shoset::tenantOf(connector), {kind, fate, code, *id, {}, envelope.source, to, over}, now);
}

void Mesh::noteConfiguration(Kind kind, HopFate fate, const shoset::Address& connector, std::uint64_t document, std::uint64_t version, Now now)
{
    const bool told = kind == Kind::configure;
    if (notes != nullptr && version != 0) {
        notes->add(HopRing::messages, shoset::tenantOf(connector),
                   {.kind = kind, .fate = fate, .id = idOfPlace(document, version), .from = told ? self.name : connector,
                    .to = told ? connector : self.name, .over = told ? connector : shoset::Address()},
                   now);
    }
}

void Mesh::noteConfigured(const shoset::Address& connector, const shoset::Configured& told, Now now)
{
    const HopFate fate = told.state == shoset::ConfiguredState::applied   ? HopFate::succeeded
                         : told.state == shoset::ConfiguredState::refused ? HopFate::failed
                                                                          : HopFate::onGoing;
    noteConfiguration(Kind::configured, fate, connector, told.document, told.version, now);
}

}  // namespace mesh::aggregator
