#pragma once

#include "deploy/meshctl/commands.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <map>
#include <string>

namespace mesh::ctl {

// What the command line says, filled by CLI11 while it parses.
struct Arguments {
    Connection connection;
    std::string keyFile;
    HttpOptions http;
    MapOptions map;
    AccountOptions account;
    ClusterOptions cluster;
    RegistryOptions registry;
    SendOptions send;
    PolicyOptions policy;
    ConfigOptions config;
    HistoryOptions history;
    SecretOptions secret;
    EventOptions events;
    std::string traced;  // id of a message
};

// What each subcommand does.
using Actions = std::map<const CLI::App*, std::function<int()>>;

// Adds all options and subcommands to `app`; `args` must outlive both.
void addCommands(CLI::App& app, Arguments& args, Actions& actions);
// Those of them that belong to `secret`.
void addSecretCommands(CLI::App& app, Arguments& args, Actions& actions);

}  // namespace mesh::ctl
