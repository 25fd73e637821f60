#include "shoset/core/message.hpp"

namespace mesh::shoset {

std::string_view tenantOf(std::string_view address)
{
    const std::size_t slash = address.find('/');
    return slash == std::string_view::npos ? std::string_view{} : address.substr(0, slash);
}

std::string_view nameOf(std::string_view address)
{
    const std::size_t slash = address.find('/');
    return slash == std::string_view::npos ? address : address.substr(slash + 1);
}

bool isConnector(std::string_view address)
{
    return address.find('/') != std::string_view::npos;
}

Address connectorAddress(std::string_view tenant, std::string_view name)
{
    return std::string(tenant) + "/" + std::string(name);
}

const char* kindName(Kind kind)
{
    switch (kind) {
        case Kind::hello: return "hello";
        case Kind::helloAck: return "hello_ack";
        case Kind::heartbeat: return "heartbeat";
        case Kind::heartbeatEcho: return "heartbeat_echo";
        case Kind::bye: return "bye";
        case Kind::command: return "command";
        case Kind::reply: return "reply";
        case Kind::chunk: return "chunk";
        case Kind::credit: return "credit";
        case Kind::cancel: return "cancel";
        case Kind::announce: return "announce";
        case Kind::routes: return "routes";
    }
    return "unknown";
}

// The variant's order is the order of the kinds, so that the two cannot drift apart unseen.
Kind kindOf(const Content& content)
{
    static_assert(std::variant_size_v<Content> == lastKind + 1);
    static_assert(std::is_same_v<std::variant_alternative_t<static_cast<std::size_t>(Kind::command), Content>, Command>);
    static_assert(std::is_same_v<std::variant_alternative_t<static_cast<std::size_t>(Kind::routes), Content>, Routes>);
    return static_cast<Kind>(content.index());
}

}  // namespace mesh::shoset
