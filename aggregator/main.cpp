#include "aggregator/daemon.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/log.hpp"
#include "shoset/host/signals.hpp"
#include "shoset/zmq/context.hpp"

#include <CLI/CLI.hpp>
#include <sodium.h>

#include <cstdlib>
#include <filesystem>

namespace {

struct Options {
    std::string config = "/etc/bmcmesh/aggregator.yaml";
    std::string state = "/var/lib/bmcmesh";
    std::string logFormat = "logfmt";
    bool check = false;
};

int fail(const mesh::Error& error)
{
    mesh::log::error("start_failed", {{"reason", error.message}});
    return EXIT_FAILURE;
}

int run(const Options& options)
{
    using namespace mesh;
    Result<aggregator::Config> config = aggregator::loadConfig(options.config);
    if (!config) {
        return fail(config.error());
    }
    if (options.check) {
        return EXIT_SUCCESS;
    }
    if (sodium_init() < 0) {
        return fail({Code::unavailable, "libsodium does not start"});
    }
    std::error_code ignored;
    std::filesystem::create_directories(options.state, ignored);
    if (Result<std::size_t> raised = shoset::raiseDescriptorLimit(limits::maxLinks + limits::maxHttpConnections + 256);
        !raised) {
        log::warning("few_descriptors", {{"reason", raised.error().message}});
    }
    host::Loop loop;
    aggregator::Daemon daemon(loop, std::move(*config), options.config, options.state, host::Notify::fromEnvironment());
    host::Signals signals(loop.context(), [&daemon] { daemon.stop(); }, [&daemon] { daemon.reload(); });
    if (Result<void> started = daemon.start(); !started) {
        return fail(started.error());
    }
    loop.run();
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv)
{
    Options options;
    CLI::App app{"Node of the mesh: routes to satellites and shows them as one Redfish service", "mesh-aggregatord"};
    app.set_version_flag("--version", std::string(MESH_VERSION));
    app.add_option("--config", options.config, "Configuration file")->envname("BMCMESH_CONFIG")->capture_default_str();
    app.add_option("--state", options.state, "Directory for what the node keeps")
        ->envname("BMCMESH_STATE")
        ->capture_default_str();
    app.add_option("--log-format", options.logFormat, "logfmt or json")
        ->envname("BMCMESH_LOG_FORMAT")
        ->check(CLI::IsMember({"logfmt", "json"}))
        ->capture_default_str();
    app.add_flag("--check", options.check, "Read the configuration, say what is wrong with it, and end");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? EXIT_SUCCESS : 2;
    }
    mesh::log::configure({mesh::log::Level::info,
                          options.logFormat == "json" ? mesh::log::Format::json : mesh::log::Format::logfmt});
    return run(options);
}
