#include "deploy/meshctl/command_line.hpp"

#include <cctype>
#include <cstdint>

namespace mesh::ctl {

namespace {

void addConnection(CLI::App& app, Connection& connection)
{
    app.add_option("--url", connection.url, "Facade, such as https://10.0.0.1:8443")->envname("BMCMESH_URL");
    app.add_option("--user", connection.user, "User name")->envname("BMCMESH_USER");
    app.add_option("--password-file", connection.passwordFile, "File with the password, mode 0600")
        ->envname("BMCMESH_PASSWORD_FILE");
    app.add_option("--cacert", connection.caFile, "CA of the facade's certificate, PEM")->envname("BMCMESH_CACERT");
    app.add_option("--context", connection.context, "Name in contexts.yaml")->envname("BMCMESH_CONTEXT");
    app.add_flag("--json", connection.json, "One JSON document as output");
}

void addHttp(CLI::App& app, Arguments& args, Actions& actions)
{
    for (const std::string method : {"get", "post", "patch", "delete"}) {
        CLI::App* command = app.add_subcommand(method, "HTTP " + method + " through the facade");
        command->add_option("uri", args.http.target, "Path, or what stands below /redfish/v1/")->required();
        if (method == "post" || method == "patch") {
            command->add_option("body", args.http.body, "JSON, @file, or - for standard input");
        }
        command->add_option("-H,--header", args.http.headers, "'Name: value'");
        command->add_flag("-i,--include", args.http.include, "Print status and headers, too");
        actions[command] = [&args, method] {
            args.http.method = method;
            for (char& c : args.http.method) {
                c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
            }
            return http(args.connection, args.http);
        };
    }
    CLI::App* state = app.add_subcommand("status", "What the node knows of peers and satellites");
    actions[state] = [&args] { return status(args.connection); };
}

void addMap(CLI::App& app, Arguments& args, Actions& actions)
{
    CLI::App* map = app.add_subcommand("map", "Map URIs of a satellite to the facade's, one a line; - where it is not one");
    map->add_option("uri", args.map.uris, "URIs; none: one a line from standard input");
    CLI::App* body = app.add_subcommand("localise", "Map all URIs of a body on standard input");
    body->add_option("--uri", args.map.satelliteUri, "The body's own URI on the satellite: turns on the Id and self rules");
    body->add_option("--as", args.map.facadeUri, "The URI on the facade that it was asked for");
    body->add_option("--content-type", args.map.contentType, "Of the body")->capture_default_str();
    for (CLI::App* command : {map, body}) {
        command->add_option("--prefix", args.map.prefix, "The satellite's prefix")->required();
        command->add_option("--host", args.map.hosts, "Host of the satellite in absolute URLs");
        command->add_flag("--reverse", args.map.reverse, "From the facade to the satellite");
    }
    actions[map] = [&args] { return mapUris(args.map); };
    actions[body] = [&args] { return localise(args.map); };
}

void addAccount(CLI::App& app, Arguments& args, Actions& actions)
{
    CLI::App* account = app.add_subcommand("account", "Accounts of the facade");
    account->require_subcommand(1);
    const std::map<std::string, int (*)(Connection, const AccountOptions&)> commands{
        {"add", &accountAdd}, {"list", &accountList}, {"remove", &accountRemove}, {"password", &accountPassword}};
    for (const auto& [name, run] : commands) {
        CLI::App* command = account->add_subcommand(name);
        command->add_option("--file", args.account.file, "State file of a node that is not running");
        if (name != "list") {
            command->add_option("name", args.account.user, "User name")->required();
        }
        if (name == "add") {
            command->add_option("--role", args.account.role, "Administrator, Operator or ReadOnly")->capture_default_str();
            command->add_option("--tenant", args.account.tenant, "Tenant; none: the whole system");
            command->add_flag("--password-change-required", args.account.passwordChangeRequired);
        }
        if (name == "add" || name == "password") {
            command->add_option("--new-password-file", args.account.newPasswordFile, "File with the password, mode 0600")
                ->required();
        }
        actions[command] = [&args, function = run] { return function(args.connection, args.account); };
    }
}

void addCluster(CLI::App& app, Arguments& args, Actions& actions)
{
    CLI::App* cluster = app.add_subcommand("cluster", "The aggregators that agree with each other");
    cluster->require_subcommand(1);
    const auto add = [&](const std::string& name, const std::string& help, std::function<int()> run) {
        CLI::App* command = cluster->add_subcommand(name, help);
        actions[command] = std::move(run);
        return command;
    };
    const auto offline = [&args](CLI::App* command) {
        command->add_option("--config", args.cluster.config, "Of the node that is not running")
            ->default_val("/etc/bmcmesh/aggregator.yaml");
        command->add_option("--state", args.cluster.state, "Its state directory")->default_val("/var/lib/bmcmesh");
        command->add_option("--key", args.cluster.key, "Its key file, where the service sees it elsewhere (as a credential of systemd's); "
                                                       "by default what the configuration names");
        command->add_flag("--witness", args.cluster.witness, "It runs with --witness (not needed where cluster.witness is true)");
    };
    add("members", "Who belongs to the cluster, and who is primary", [&args] { return clusterMembers(args.connection); });
    add("transfer", "Make another node the primary", [&args] { return clusterTransfer(args.connection, args.cluster); })
        ->add_option("node", args.cluster.node, "Name of the node")
        ->required();
    add("remove", "Remove a node for good", [&args] { return clusterRemove(args.connection, args.cluster); })
        ->add_option("node", args.cluster.node, "Name of the node")
        ->required();
    offline(add("join", "Have the cluster at --url take in this node, which has never run",
                [&args] { return clusterJoin(args.connection, args.cluster); }));
    offline(add("init", "Found a cluster with the members of the configuration (the first start does it, too)",
                [&args] { return clusterInit(args.cluster); }));
    CLI::App* glass = add("break-glass", "On this node's machine: let it order writes without a majority for some time",
                          [&args] { return clusterBreakGlass(args.cluster); });
    offline(glass);
    glass->add_option("--minutes", args.cluster.minutes, "How long; 0 ends it")->required()->check(CLI::Range(0, 24 * 60));
    CLI::App* recover = add("recover", "The majority is lost for good: go on with this node alone",
                            [&args] { return clusterRecover(args.cluster); });
    offline(recover);
    recover->add_flag("--yes", args.cluster.yes, "The other nodes will never run again with their data");
    CLI::App* backup = add("backup", "Write what the nodes agree on into a file, a secret: it has the hashes of passwords",
                           [&args] { return clusterBackup(args.connection, args.cluster); });
    CLI::App* restore = add("restore", "On this node's machine: begin a cluster of one with a backup",
                            [&args] { return clusterRestore(args.cluster, args.connection.json); });
    backup->add_option("file", args.cluster.file, "A new file, mode 0600; - for standard output")->required();
    backup->add_flag("--force", args.cluster.force, "Replace a file that is there");
    restore->add_option("file", args.cluster.file, "Of 'meshctl cluster backup', mode 0600; - for standard input")->required();
    offline(restore);
    restore->add_flag("--force", args.cluster.force, "The node belongs to a cluster already: move its data aside");
    restore->add_option("--generation", args.cluster.generation, "Of the new cluster, higher than any that connectors have seen; "
                                                                 "by default the time in milliseconds");
}

void addTenant(CLI::App& app, Arguments& args, Actions& actions)
{
    CLI::App* tenant = app.add_subcommand("tenant", "Tenants, where the cluster keeps them (registry: cluster)");
    tenant->require_subcommand(1);
    CLI::App* add = tenant->add_subcommand("add", "Add one");
    CLI::App* list = tenant->add_subcommand("list", "Their names, one a line, with the quotas that they have");
    CLI::App* quota = tenant->add_subcommand("quota", "Change what is given of its quota; without options: show it");
    CLI::App* remove = tenant->add_subcommand("remove", "Remove one that has neither connectors nor accounts");
    CLI::App* database = tenant->add_subcommand("database", "Where its history lives; with a place: move it there, at every node");
    for (CLI::App* command : {add, quota, remove, database}) {
        command->add_option("name", args.registry.name, "Name of the tenant")->required();
    }
    for (CLI::App* command : {add, quota}) {
        QuotaOptions& given = args.registry.quota;
        const CLI::Range notNegative(std::uint64_t{0}, static_cast<std::uint64_t>(INT64_MAX));
        command->add_option("--messages-per-second", given.messagesPerSecond, "To its connectors, at each node; 0: no quota, as below")
            ->check(notNegative);
        command->add_option("--bytes-in-flight", given.bytesInFlight, "Of what they were asked and have not answered, at each node")
            ->transform(CLI::AsSizeValue(false))
            ->check(notNegative);
        command->add_option("--stored-events", given.storedEvents, "That the history keeps of it")->check(notNegative);
        command->add_option("--connectors", given.connectors, "That it may have")->check(notNegative);
    }
    database->add_option("place", args.registry.database, "sqlite (each node's own), sqlite:NAME (a file of the tenant's own), or "
                                                          "postgresql://USER@HOST/DATABASE, without a password");
    database->add_option("--password-secret", args.registry.passwordSecret,
                         "The tenant's secret with the password, sealed to each node ('secret put --to node:NAME,...')");
    actions[database] = [&args] { return tenantDatabase(args.connection, args.registry); };
    remove->add_flag("--force", args.registry.force, "Its connectors go with it, linked or not; with accounts it stays");
    actions[quota] = [&args] { return tenantQuota(args.connection, args.registry); };
    actions[add] = [&args] { return tenantAdd(args.connection, args.registry); };
    actions[list] = [&args] { return tenantList(args.connection, args.registry); };
    actions[remove] = [&args] { return tenantRemove(args.connection, args.registry); };
}

void addConnector(CLI::App& app, Arguments& args, Actions& actions)
{
    CLI::App* connector = app.add_subcommand("connector", "Connectors, where the cluster keeps them (registry: cluster)");
    connector->require_subcommand(1);
    CLI::App* add = connector->add_subcommand("add", "Make a join string for 'mesh-connectord enroll': a secret, good once");
    add->add_option("--tenant", args.registry.tenant, "Its tenant")->required();
    add->add_option("name", args.registry.name, "Name of the connector")->required();
    add->add_option("--prefix", args.registry.prefix, "Of its resources on the facade; none: made at its first contact");
    add->add_option("--minutes", args.registry.minutes, "How long the join string is good")
        ->capture_default_str()
        ->check(CLI::Range(1, 7 * 24 * 60));
    CLI::App* list = connector->add_subcommand("list", "All connectors, and who may still enrol");
    CLI::App* cancel = connector->add_subcommand("cancel", "Make a join string that was not used useless");
    cancel->add_option("id", args.registry.enrolment, "Of the enrolment, as 'connector list' shows it")->required();
    CLI::App* revoke = connector->add_subcommand("revoke", "Its key is dead on every node at once; it may be enrolled anew");
    CLI::App* rotate = connector->add_subcommand("rotate", "Have it make a new key; the old one dies when it uses the new one");
    rotate->add_option("connector", args.registry.connector, "TENANT/NAME, or NAME with --tenant")->required();
    rotate->add_option("--tenant", args.registry.tenant, "Its tenant");
    rotate->add_flag("--cancel", args.registry.cancel, "It keeps its key after all, unless it has used the new one already");
    CLI::App* remove = connector->add_subcommand("remove", "Forget it, and give its prefix back");
    for (CLI::App* command : {revoke, remove}) {
        command->add_option("connector", args.registry.connector, "TENANT/NAME")->required();
    }
    CLI::App* import = connector->add_subcommand("import", "Take over the tenants and connectors of a registry file");
    import->add_option("file", args.registry.file, "registry.yaml")->required();
    const std::map<CLI::App*, int (*)(Connection, const RegistryOptions&)> commands{
        {add, &connectorAdd},       {list, &connectorList},     {cancel, &connectorCancel},
        {revoke, &connectorRevoke}, {rotate, &connectorRotate}, {remove, &connectorRemove},
        {import, &connectorImport}};
    for (const auto& [command, run] : commands) {
        actions[command] = [&args, function = run] { return function(args.connection, args.registry); };
    }
}

void addSend(CLI::App& app, Arguments& args, Actions& actions)
{
    SendOptions& options = args.send;
    CLI::App* command = app.add_subcommand("send", "Send a command to a worker and wait for its outcome");
    command->add_option("target", options.target, "NAME or TENANT/NAME of a connector; with --type a connector type")->required();
    command->add_option("command", options.command, "Such as power.cycle")->required();
    command->add_option("--payload", options.payload, "JSON, @file, or - for standard input");
    command->add_option("--tenant", options.tenant, "Its tenant; none: your own, or the only one there is");
    command->add_option("--version", options.version, "Of the worker: 1, or 1.2 for at least that");
    command->add_flag("--type", options.ofType, "To any one connector of the type that is linked and offers the command");
    command->add_flag("--all", options.all, "With --type: to all that offer it");
    command->add_flag("--wait,!--no-wait", options.wait, "Until it has ended (default), or just print its id; 'meshctl get /mesh/v1/commands/ID' tells how far it is");
    command->add_option("--timeout", options.timeout, "Seconds in which it has to be done")
        ->capture_default_str()
        ->check(CLI::Range(1, 600));
    actions[command] = [&args] { return send(args.connection, args.send); };
    CLI::App* list = app.add_subcommand("workers", "What the workers of each connector offer");
    actions[list] = [&args] { return workers(args.connection); };
}

void addPolicy(CLI::App& app, Arguments& args, Actions& actions)
{
    CLI::App* policy = app.add_subcommand("policy", "Which connector may send which command to which other one");
    policy->require_subcommand(1);
    CLI::App* allow = policy->add_subcommand("allow", "Let one send a command to another");
    CLI::App* revoke = policy->add_subcommand("revoke", "Not any more");
    CLI::App* list = policy->add_subcommand("list", "Tenant, sender, command and target, one a line");
    for (CLI::App* command : {allow, revoke}) {
        command->add_option("--tenant", args.policy.tenant, "Of both")->required();
        command->add_option("sender", args.policy.sender, "Name of the connector that sends")->required();
        command->add_option("command", args.policy.command, "Such as power.cycle")->required();
        command->add_option("target", args.policy.target, "Name of the connector that executes")->required();
    }
    actions[allow] = [&args] { return policyAllow(args.connection, args.policy); };
    actions[revoke] = [&args] { return policyRevoke(args.connection, args.policy); };
    actions[list] = [&args] { return policyList(args.connection, args.policy); };
}

void addConfig(CLI::App& app, Arguments& args, Actions& actions)
{
    ConfigOptions& options = args.config;
    CLI::App* config = app.add_subcommand("config", "Configuration of connectors: pivots, products and components");
    config->require_subcommand(1);
    const auto add = [&](CLI::App& parent, const char* name, const char* help, int (*run)(Connection, const ConfigOptions&), std::string kind) {
        CLI::App* command = parent.add_subcommand(name, help);
        command->add_option("--tenant", options.tenant, "Its tenant; none: as the file says, your own, or the only one there is");
        actions[command] = [&args, run, kind = std::move(kind)] {
            args.config.kind = kind;
            return run(args.connection, args.config);
        };
        return command;
    };
    constexpr const char* named = "The file, or [TENANT/]KIND/NAME, as component/sled07 or pivot/chassis (of another major version: pivot/2.chassis)";
    CLI::App* apply = add(*config, "apply", "Upload a file; where the mesh says that already nothing changes", &configApply, "");
    CLI::App* get = add(*config, "get", "What is in force, and how far connectors are with it; without a name: all", &configGet, "");
    CLI::App* diff = add(*config, "diff", "By what a file differs from what is in force", &configDiff, "");
    CLI::App* history = add(*config, "history", "Its last versions, and what each has changed", &configHistory, "");
    CLI::App* remove = add(*config, "remove", "Remove it; a connector keeps what it has applied", &configRemove, "");
    get->add_option("name", options.file, named);
    diff->add_option("file", options.file, "YAML, or - for standard input")->required();
    for (CLI::App* command : {history, remove}) {
        command->add_option("name", options.file, named)->required();
    }
    std::vector<CLI::App*> uploads{apply};
    for (const auto& [kind, help] : {std::pair{"pivot", "Contract of a connector type"}, std::pair{"product", "Contract of one product"},
                                     std::pair{"component", "What one connector is given"}}) {
        CLI::App* layer = app.add_subcommand(kind, help);
        layer->require_subcommand(1);
        uploads.push_back(add(*layer, "upload", "As 'config apply', for files of this kind", &configApply, kind));
    }
    for (CLI::App* command : uploads) {
        command->add_option("file", options.file, "YAML, or - for standard input")->required();
        command->add_option("--follows", options.follows, "Only if this version is in force; 0: if there is none");
    }
}

void addHistory(CLI::App& app, Arguments& args, Actions& actions)
{
    CLI::App* history = app.add_subcommand("history", "What a node has recorded");
    history->require_subcommand(1);
    CLI::App* audit = history->add_subcommand("audit", "Who did what to which resource, from where, with what result");
    CLI::Option* tenant = audit->add_option("--tenant", args.history.tenant, "Of this tenant; '' for the system's own");
    audit->add_option("--resource", args.history.resource, "Of this URI and what stands below it");
    audit->add_option("--since", args.history.since, "30s, 90m, 12h, 3d (ago), 2024-05-01 or 2024-05-01T12:00:00Z");
    audit->add_option("--until", args.history.until, "Likewise");
    audit->add_flag("--verify", args.history.verify, "Say whether all is as it was stored; else name the first record that is not");
    audit->add_flag("--syslog", args.history.syslog, "As lines of RFC 5424");
    audit->add_flag("--ids", args.history.ids, "With the id of each request, for 'meshctl trace'");
    actions[audit] = [&args, tenant] {
        args.history.hasTenant = tenant->count() > 0;
        return historyAudit(args.connection, args.history);
    };
}

void addEvents(CLI::App& app, Arguments& args, Actions& actions)
{
    CLI::App* command = app.add_subcommand("events", "What connectors and the mesh itself have told, the oldest first");
    command->add_option("--topic", args.events.topic, "Topic, or with '*' at the end what begins so");
    command->add_option("--connector", args.events.connector, "Of one connector; @NODE: of the mesh itself");
    command->add_option("--tenant", args.events.tenant, "Of one tenant");
    command->add_option("--since", args.events.since, "When it was stored: 30s, 90m, 12h, 3d (ago), 2024-05-01 or 2024-05-01T12:00:00Z");
    command->add_option("--until", args.events.until, "Likewise");
    command->add_flag("-f,--follow", args.events.follow,
                      "Go on with what comes, from now on or since --since; with --json one document a line. --url may be several, "
                      "separated by commas: the next one is asked where one does not answer");
    command->add_flag("--ids", args.events.ids, "With the id of each, for 'meshctl trace'");
    actions[command] = [&args] { return events(args.connection, args.events); };
    CLI::App* traced = app.add_subcommand("trace", "Where one message has been, and when, as all nodes know it");
    traced->add_option("id", args.traced, "As 'meshctl send --no-wait', 'history audit --ids' and 'events --ids' print it; "
                                          "TENANT/NAME:vVERSION of a connector's configuration")
        ->required();
    actions[traced] = [&args] { return trace(args.connection, args.traced); };
}

}  // namespace

void addCommands(CLI::App& app, Arguments& args, Actions& actions)
{
    addConnection(app, args.connection);
    CLI::App* keys = app.add_subcommand("keygen", "Make a CURVE key pair in a new file (0600); prints the public key");
    keys->add_option("file", args.keyFile)->required();
    actions[keys] = [&args] { return keygen(args.keyFile, args.connection.json); };
    addHttp(app, args, actions);
    addMap(app, args, actions);
    addAccount(app, args, actions);
    addCluster(app, args, actions);
    addTenant(app, args, actions);
    addConnector(app, args, actions);
    addSend(app, args, actions);
    addPolicy(app, args, actions);
    addConfig(app, args, actions);
    addHistory(app, args, actions);
    addSecretCommands(app, args, actions);
    addEvents(app, args, actions);
}

}  // namespace mesh::ctl
