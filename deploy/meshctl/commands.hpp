#pragma once

#include "deploy/meshctl/session.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// Each command prints its result on stdout, problems on stderr, and returns the exit status.
namespace mesh::ctl {

enum Exit : int { exitOk = 0, exitFailed = 1, exitUsage = 2, exitUnreachable = 3, exitPartly = 4 };

int complain(const Error& error);

int keygen(const std::string& file, bool json);

struct HttpOptions {
    std::string method;
    std::string target;
    std::string body;  // literal, @file, or "-" for stdin
    std::vector<std::string> headers;
    bool include = false;
};
int http(Connection connection, const HttpOptions& options);
int status(Connection connection);

struct MapOptions {
    std::string prefix;
    std::vector<std::string> uris;  // none: one a line from stdin
    std::vector<std::string> hosts;
    bool reverse = false;
    std::string satelliteUri;
    std::string facadeUri;
    std::string contentType = "application/json";
};
int mapUris(const MapOptions& options);
int localise(const MapOptions& options);

struct AccountOptions {
    std::string file;  // offline: the node's accounts file; empty: through the facade
    std::string user;
    std::string role = "ReadOnly";
    std::string tenant;
    std::string newPasswordFile;
    bool passwordChangeRequired = false;
};
int accountAdd(Connection connection, const AccountOptions& options);
int accountList(Connection connection, const AccountOptions& options);
int accountRemove(Connection connection, const AccountOptions& options);
int accountPassword(Connection connection, const AccountOptions& options);

struct ClusterOptions {
    std::string node;    // name
    std::string config;  // of the node that is not running, for those below that need one
    std::string state;   // its --state directory
    std::string key;     // its key file, where the service sees it elsewhere; empty: where the configuration says
    bool yes = false;
    bool witness = false;  // the node will run with --witness
    unsigned minutes = 0;  // of broken glass; 0 ends it
    std::string file;      // of a backup; "-" for standard output or input
    bool force = false;
    std::uint64_t generation = 0;  // of a restored cluster; 0: by the clock
};
int clusterMembers(Connection connection);
// Asks, and waits until it is the primary.
int clusterTransfer(Connection connection, const ClusterOptions& options);
int clusterRemove(Connection connection, const ClusterOptions& options);
// Beside a node that has never run: has the cluster at `connection` take it in.
int clusterJoin(Connection connection, const ClusterOptions& options);
// Beside nodes that do not run.
int clusterInit(const ClusterOptions& options);
int clusterBreakGlass(const ClusterOptions& options);
int clusterRecover(const ClusterOptions& options);
int clusterBackup(Connection connection, const ClusterOptions& options);
// Beside a node that does not run: makes it a cluster of one that begins with the backup.
int clusterRestore(const ClusterOptions& options, bool asJson);

struct SendOptions {
    std::string target;  // NAME, TENANT/NAME, or a connector type
    std::string command;
    std::string payload;  // JSON, @file, or "-" for stdin; empty: none
    std::string tenant;
    std::string version;  // "1" or "1.2"; empty: any
    bool ofType = false;  // `target` is a connector type
    bool all = false;     // to all of the type, else to any one
    bool wait = true;     // until it has ended; else prints its id
    unsigned timeout = 30;  // seconds
};
// A command to workers: the outcome of each connector, one a line. Partly: some of them have not done it.
int send(Connection connection, const SendOptions& options);
// What the workers of each connector offer.
int workers(Connection connection);

struct PolicyOptions {
    std::string tenant;
    std::string sender;   // a connector
    std::string command;
    std::string target;   // another one
};
int policyAllow(Connection connection, const PolicyOptions& options);
int policyRevoke(Connection connection, const PolicyOptions& options);
int policyList(Connection connection, const PolicyOptions& options);

// What is given of a tenant's quota; 0 is none.
struct QuotaOptions {
    std::optional<std::uint64_t> messagesPerSecond;
    std::optional<std::uint64_t> bytesInFlight;
    std::optional<std::uint64_t> storedEvents;
    std::optional<std::uint64_t> connectors;
};

struct SecretOptions {
    std::string name;  // TENANT/NAME, or NAME and
    std::string tenant;
    std::string operatorFile;             // empty: in the user's configuration
    std::vector<std::string> connectors;  // by name
    std::string valueFile;                // empty: standard input
    bool exact = false;       // a newline at the end is part of the value
    bool acceptKeys = false;  // connectors may have other keys than were seen before
    bool absent = false;      // connectors that have not told their keys may still have those that were seen
};
// Sealed and opened here; what goes over the wire is sealed.
int secretKeygen(const SecretOptions& options, bool asJson);
int secretPut(Connection connection, const SecretOptions& options);
int secretList(Connection connection, const SecretOptions& options);
int secretGet(Connection connection, const SecretOptions& options);
int secretGrant(Connection connection, const SecretOptions& options);
int secretRevoke(Connection connection, const SecretOptions& options);
int secretRotate(Connection connection, const SecretOptions& options);
int secretRemove(Connection connection, const SecretOptions& options);

struct RegistryOptions {
    std::string tenant;
    std::string name;       // of a tenant, or of a connector
    std::string connector;  // TENANT/NAME
    std::string enrolment;  // id
    std::string prefix;
    std::string file;
    unsigned minutes = 60;  // that a join string is good for
    bool cancel = false;    // of a rotation
    bool force = false;     // a tenant's connectors go with it
    std::string database;        // where its history is to live; empty: show it
    std::string passwordSecret;  // of the tenant, with the password for that
    QuotaOptions quota;
};
// Who belongs to the mesh, where that is kept in the cluster.
int tenantAdd(Connection connection, const RegistryOptions& options);
int tenantList(Connection connection, const RegistryOptions& options);
// Changes what is given; nothing given: shows it.
int tenantQuota(Connection connection, const RegistryOptions& options);
// Where its history is to live, and how far this node is with that.
int tenantDatabase(Connection connection, const RegistryOptions& options);
int tenantRemove(Connection connection, const RegistryOptions& options);
// Prints the join string, and nothing else.
int connectorAdd(Connection connection, const RegistryOptions& options);
int connectorList(Connection connection, const RegistryOptions& options);
int connectorCancel(Connection connection, const RegistryOptions& options);
int connectorRevoke(Connection connection, const RegistryOptions& options);
// Asks it for a new key, or takes that back. Does not wait for it: the list tells how far it is.
int connectorRotate(Connection connection, const RegistryOptions& options);
int connectorRemove(Connection connection, const RegistryOptions& options);
// Takes a registry file over. Again after a failure: what is there already stays as it is.
int connectorImport(Connection connection, const RegistryOptions& options);

struct ConfigOptions {
    std::string file;    // YAML, or "-" for stdin; where nothing is uploaded also [TENANT/]KIND/NAME
    std::string tenant;  // empty: what the file says, one's own, or the only one there is
    std::string kind;    // that the file has to be of; empty: any
    std::optional<std::uint64_t> follows;  // only if that version is in force
};
// Pivots, products and components: uploads one, shows what is in force and how far connectors are with it, or by what it differs.
int configApply(Connection connection, const ConfigOptions& options);
int configGet(Connection connection, const ConfigOptions& options);
int configDiff(Connection connection, const ConfigOptions& options);
int configHistory(Connection connection, const ConfigOptions& options);
int configRemove(Connection connection, const ConfigOptions& options);

struct HistoryOptions {
    std::string tenant;
    bool hasTenant = false;  // an empty one is the system's own
    std::string resource;    // and what stands below it
    std::string since;       // as people write times
    std::string until;
    bool verify = false;
    bool syslog = false;
    bool ids = false;        // for people, too
};
// Who did what, the oldest first; or whether that is as it was stored.
int historyAudit(Connection connection, const HistoryOptions& options);

struct EventOptions {
    std::string tenant;
    std::string connector;
    std::string topic;  // one, or with "*" at the end what begins so
    std::string since;  // as people write times
    std::string until;
    bool follow = false;
    bool ids = false;   // for people, too
};
// What is stored, the oldest first; to follow is to go on with what is stored from now on, or since a time, until somebody ends it.
// The connection's URL may be several, separated by commas: it is gone on with the next one where one does not answer.
int events(Connection connection, const EventOptions& options);

// Where one message has been, and when: a command, a record of the audit trail, an event, or a connector's configuration. Partly: some
// node could not be asked.
int trace(Connection connection, const std::string& id);

}  // namespace mesh::ctl
