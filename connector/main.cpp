#include "connector/daemon.hpp"
#include "shoset/host/log.hpp"
#include "shoset/host/signals.hpp"

#include <CLI/CLI.hpp>
#include <malloc.h>

#include <cstdlib>
#include <filesystem>

namespace {

struct Options {
    std::string config = "/etc/bmcmesh/connector.yaml";
    std::string state = "/var/lib/bmcmesh";
    std::string logFormat = "logfmt";
    bool check = false;
};

// One arena and early trimming: a board with 256 MB has better uses for its memory.
void keepMemorySmall()
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 64 * 1024);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

int fail(const mesh::Error& error)
{
    mesh::log::error("start_failed", {{"reason", error.message}});
    return EXIT_FAILURE;
}

int run(const Options& options)
{
    using namespace mesh;
    Result<connector::Config> config = connector::loadConfig(options.config);
    if (!config) {
        return fail(config.error());
    }
    if (options.check) {
        return EXIT_SUCCESS;
    }
    std::error_code ignored;
    std::filesystem::create_directories(options.state, ignored);
    Result<shoset::Context> context = shoset::Context::create();
    if (!context) {
        return fail(context.error());
    }
    if (config->target.trust.insecure) {
        log::warning("insecure_target", {{"reason", "the BMC's certificate is not checked"}});
    }
    host::Loop loop;
    connector::Daemon daemon(loop, std::move(*config), std::move(*context), options.state, host::Notify::fromEnvironment());
    const auto reload = [&options] {
        const Result<connector::Config> fresh = connector::loadConfig(options.config);
        log::info("reload", {{"accepted", fresh.ok()},
                             {"reason", fresh.ok() ? "takes effect at the next start" : fresh.error().message}});
    };
    host::Signals signals(loop.context(), [&daemon] { daemon.stop(); }, reload);
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
    CLI::App app{"Agent of the mesh on a satellite BMC", "mesh-connectord"};
    app.set_version_flag("--version", std::string(MESH_VERSION));
    app.add_option("--config", options.config, "Configuration file")->envname("BMCMESH_CONFIG")->capture_default_str();
    app.add_option("--state", options.state, "Directory of the journal")->envname("BMCMESH_STATE")->capture_default_str();
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
    keepMemorySmall();
    return run(options);
}
