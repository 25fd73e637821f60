#include "connector/core/worker_rules.hpp"

#include "shoset/core/message.hpp"

#include <algorithm>
#include <charconv>

namespace mesh::connector {

namespace {

// What the kernel says of a user whom this process's user namespace does not know: it could be anybody.
constexpr std::uint32_t overflowUid = 65534;

bool concerns(const WorkerRules::Grant& grant, const LocalPeer& peer)
{
    return peer.uid != overflowUid && (grant.uids.contains(peer.uid) || (grant.gid && *grant.gid == peer.gid));
}

}  // namespace

std::optional<LocalPeer> parseLocalPeer(std::string_view text)
{
    LocalPeer peer;
    const char* at = text.data();
    const char* const end = at + text.size();
    for (std::uint32_t* part : {&peer.uid, &peer.gid, &peer.pid}) {
        if (part != &peer.uid && (at == end || *at++ != ':')) {
            return std::nullopt;
        }
        const auto [after, error] = std::from_chars(at, end, *part);
        if (error != std::errc()) {
            return std::nullopt;
        }
        at = after;
    }
    return at == end ? std::optional(peer) : std::nullopt;
}

bool matchesCommand(std::string_view pattern, std::string_view name)
{
    if (pattern == "*" || pattern == name) {
        return true;
    }
    return pattern.ends_with(".*") && name.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool isReservedCommand(std::string_view name)
{
    return name == "redfish" || name == "mesh" || name.starts_with("redfish.") || name.starts_with("mesh.");
}

bool isReservedTopic(std::string_view topic)
{
    return isReservedCommand(topic);
}

bool WorkerRules::mayAttach(const LocalPeer& peer) const
{
    return std::any_of(grants.begin(), grants.end(), [&](const Grant& grant) { return concerns(grant, peer); });
}

bool WorkerRules::mayServe(const LocalPeer& peer, std::string_view command) const
{
    return anyNames(peer, &Grant::commands, command);
}

bool WorkerRules::mayHave(const LocalPeer& peer, std::string_view secret) const
{
    return anyNames(peer, &Grant::secrets, secret);
}

bool WorkerRules::anyNames(const LocalPeer& peer, std::vector<std::string> Grant::*patterns, std::string_view name) const
{
    return std::any_of(grants.begin(), grants.end(), [&](const Grant& grant) {
        return concerns(grant, peer) && std::any_of((grant.*patterns).begin(), (grant.*patterns).end(),
                                                    [&](const std::string& each) { return matchesCommand(each, name); });
    });
}

bool WorkerRules::mayEmit(const LocalPeer& peer, std::string_view topic) const
{
    return std::any_of(grants.begin(), grants.end(), [&](const Grant& grant) {
        return concerns(grant, peer) && std::any_of(grant.events.begin(), grant.events.end(), [&](const std::string& each) {
                   return shoset::topicMatches(each, topic);
               });
    });
}

// What begins as all that the wanted pattern covers does is granted whole: the granted one covers a pattern as it covers a topic.
bool WorkerRules::maySubscribe(const LocalPeer& peer, std::string_view pattern) const
{
    const auto covers = [pattern](std::string_view granted) {
        return granted == pattern || (granted.ends_with('*') && pattern.starts_with(granted.substr(0, granted.size() - 1)));
    };
    return std::any_of(grants.begin(), grants.end(), [&](const Grant& grant) {
        return concerns(grant, peer) && std::any_of(grant.subscribe.begin(), grant.subscribe.end(), covers);
    });
}

bool WorkerRules::maySend(const LocalPeer& peer, std::string_view command) const
{
    return anyNames(peer, &Grant::sends, command);
}

bool WorkerRules::mayDoMoreThanServe(const LocalPeer& peer) const
{
    return std::any_of(grants.begin(), grants.end(), [&](const Grant& grant) {
        return concerns(grant, peer) &&
               !(grant.secrets.empty() && grant.events.empty() && grant.subscribe.empty() && grant.sends.empty());
    });
}

}  // namespace mesh::connector
