#include "shoset/host/program.hpp"

#include "shoset/host/log.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>

namespace mesh::host {

namespace {

void addOptions(CLI::App& app, const std::vector<Command::Option>& options)
{
    for (const Command::Option& option : options) {
        if (bool* const* flag = std::get_if<bool*>(&option.value)) {
            app.add_flag(option.name, **flag, option.purpose);
            continue;
        }
        CLI::Option* text = app.add_option(option.name, *std::get<std::string*>(option.value), option.purpose);
        text->capture_default_str()->required(option.name.front() != '-');
    }
}

}  // namespace

int runProgram(const Program& program, int argc, char** argv, const std::function<Result<void>(const ProgramOptions&)>& run,
               const std::vector<Command>& commands, const std::vector<Command::Option>& own)
{
    ProgramOptions options{.config = program.config};
    std::string logFormat = "logfmt";
    CLI::App app{program.purpose, program.name};
    app.set_version_flag("--version", program.version);
    app.add_option("--config", options.config, "Configuration file")->envname("BMCMESH_CONFIG")->capture_default_str();
    app.add_option("--state", options.state, program.statePurpose)->envname("BMCMESH_STATE")->capture_default_str();
    app.add_option("--log-format", logFormat, "logfmt or json")
        ->envname("BMCMESH_LOG_FORMAT")
        ->check(CLI::IsMember({"logfmt", "json"}))
        ->capture_default_str();
    app.add_flag("--check", options.check, "Read the configuration, say what is wrong with it, and end");
    addOptions(app, own);
    app.fallthrough();
    app.require_subcommand(0, 1);
    for (const Command& command : commands) {
        addOptions(*app.add_subcommand(command.name, command.purpose), command.options);
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? EXIT_SUCCESS : 2;
    }
    log::configure({.format = logFormat == "json" ? log::Format::json : log::Format::logfmt});
    std::string event = "start_failed";
    auto chosen = run;
    for (const Command& command : commands) {
        if (app.got_subcommand(command.name)) {
            event = command.name + "_failed";
            chosen = command.run;
        }
    }
    if (const Result<void> ended = chosen(options); !ended) {
        log::error(event, {{"reason", ended.error().message}});
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

}  // namespace mesh::host
