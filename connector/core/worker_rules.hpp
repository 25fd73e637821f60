#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::connector {

// A process on this machine, as the kernel proves it.
struct LocalPeer {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t pid = 0;
    bool operator==(const LocalPeer&) const = default;
};

// "1000:1000:4711", as it stands behind the endpoint in ZAP's address field; nullopt for anything else.
std::optional<LocalPeer> parseLocalPeer(std::string_view text);

// `pattern` is a command's name, or "power.*" for all that begin with "power.", or "*".
bool matchesCommand(std::string_view pattern, std::string_view name);
// Of the mesh itself and of the built-in worker: "redfish.…" and "mesh.…".
bool isReservedCommand(std::string_view name);

// Of the mesh itself: topics that no worker emits.
bool isReservedTopic(std::string_view topic);

// Which users may serve which commands as workers, and send which ones to others, may have which secrets, and emit or hear which
// events. Without a grant nobody may attach.
class WorkerRules {
public:
    struct Grant {
        std::set<std::uint32_t> uids;
        std::optional<std::uint32_t> gid;  // of the process; the members of a group beyond that are in `uids`
        std::vector<std::string> commands;
        std::vector<std::string> secrets = {};    // patterns as of commands
        std::vector<std::string> events = {};     // patterns of topics that they may emit
        std::vector<std::string> subscribe = {};  // and listen to
        std::vector<std::string> sends = {};      // patterns as of commands
    };
    WorkerRules() = default;
    explicit WorkerRules(std::vector<Grant> given) : grants(std::move(given)) {}

    bool mayAttach(const LocalPeer& peer) const;
    bool mayServe(const LocalPeer& peer, std::string_view command) const;
    // The named secret in the clear, if the connector has it.
    bool mayHave(const LocalPeer& peer, std::string_view secret) const;
    bool mayEmit(const LocalPeer& peer, std::string_view topic) const;
    // All that the pattern covers.
    bool maySubscribe(const LocalPeer& peer, std::string_view pattern) const;
    // Reserved names, too: to whom it may be sent is for the mesh's policy to say.
    bool maySend(const LocalPeer& peer, std::string_view command) const;
    // Anything at all beside serving commands.
    bool mayDoMoreThanServe(const LocalPeer& peer) const;

private:
    bool anyNames(const LocalPeer& peer, std::vector<std::string> Grant::*patterns, std::string_view name) const;

    std::vector<Grant> grants;
};

}  // namespace mesh::connector
