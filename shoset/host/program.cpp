#include "shoset/host/program.hpp"

#include "shoset/host/log.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>

namespace mesh::host {

int runProgram(const Program& program, int argc, char** argv,
               const std::function<Result<void>(const ProgramOptions&)>& run)
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
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? EXIT_SUCCESS : 2;
    }
    log::configure({.format = logFormat == "json" ? log::Format::json : log::Format::logfmt});
    if (const Result<void> ended = run(options); !ended) {
        log::error("start_failed", {{"reason", ended.error().message}});
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

}  // namespace mesh::host
