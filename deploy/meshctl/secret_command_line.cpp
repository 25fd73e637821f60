#include "deploy/meshctl/command_line.hpp"

namespace mesh::ctl {

void addSecretCommands(CLI::App& app, Arguments& args, Actions& actions)
{
    SecretOptions& options = args.secret;
    CLI::App* secret = app.add_subcommand("secret", "Named secrets, which connectors read and aggregators cannot (registry: cluster)");
    secret->require_subcommand(1);
    const auto add = [&](const std::string& name, const std::string& help, int (*run)(Connection, const SecretOptions&)) {
        CLI::App* command = secret->add_subcommand(name, help);
        if (name != "list") {
            command->add_option("name", options.name, "TENANT/NAME, or NAME with --tenant")->required();
        }
        command->add_option("--tenant", options.tenant, "Its tenant");
        actions[command] = [&args, run] { return run(args.connection, args.secret); };
        return command;
    };
    const auto withKey = [&](CLI::App* command) {
        command->add_option("--operator", options.operatorFile,
                            "Your key file; default: $BMCMESH_OPERATOR, or operator.key in ~/.config/bmcmesh");
        return command;
    };
    const auto withValue = [&](CLI::App* command) {
        command->add_option("--value-file", options.valueFile, "File with the value, mode 0600; default: standard input");
        command->add_flag("--exact", options.exact, "A newline at the end is part of the value");
        return command;
    };
    const auto sealing = [&](CLI::App* command) {
        command->add_flag("--accept-keys", options.acceptKeys, "Connectors have other keys than you have seen before, and you know why");
        command->add_flag("--absent", options.absent, "Seal to the keys seen last of connectors that have not told theirs");
        return withKey(command);
    };
    CLI::App* keygen = withKey(secret->add_subcommand("keygen", "Make an operator's key; prints what goes into connectors' secrets.operators"));
    actions[keygen] = [&args] { return secretKeygen(args.secret, args.connection.json); };
    sealing(withValue(add("put", "Store a new one", &secretPut)))
        ->add_option("--to", options.connectors, "Connectors that may read it, by name; an aggregator is node:NAME")
        ->delimiter(',')
        ->allow_extra_args(false);
    add("list", "Names, versions and who may read them", &secretList);
    withKey(add("get", "Open it here and print it", &secretGet));
    sealing(add("grant", "Let further connectors read it", &secretGrant))
        ->add_option("--to", options.connectors, "By name; an aggregator is node:NAME")
        ->required()
        ->delimiter(',')
        ->allow_extra_args(false);
    sealing(add("revoke", "Seal it anew without these connectors", &secretRevoke))
        ->add_option("--from", options.connectors, "By name")
        ->required()
        ->delimiter(',')
        ->allow_extra_args(false);
    sealing(withValue(add("rotate", "Give it another value; who may read it stays", &secretRotate)));
    add("remove", "Forget it", &secretRemove);
}

}  // namespace mesh::ctl
