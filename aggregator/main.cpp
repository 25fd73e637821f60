#include "aggregator/daemon.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/ending.hpp"
#include "shoset/host/log.hpp"
#include "shoset/host/program.hpp"
#include "shoset/host/scheduling.hpp"
#include "shoset/host/signals.hpp"
#include "shoset/zmq/context.hpp"

#include <sodium.h>

#include <filesystem>

namespace {

using namespace mesh;

Result<void> run(const host::ProgramOptions& options, bool witness)
{
    Result<aggregator::Config> config = aggregator::loadConfig(options.config, witness);
    if (!config) {
        return config.error();
    }
    if (options.check) {
        const Result<tenants::Registry> registry = aggregator::readRegistry(*config);
        return registry ? Result<void>{} : registry.error();
    }
    if (sodium_init() < 0) {
        return Error{Code::unavailable, "libsodium does not start"};
    }
    std::error_code ignored;
    std::filesystem::create_directories(options.state, ignored);
    if (Result<std::size_t> raised = shoset::raiseDescriptorLimit(limits::maxLinks + limits::maxHttpConnections + 256);
        !raised) {
        log::warning("few_descriptors", {{"reason", raised.error().message}});
    }
    host::serveAtOnce();
    host::Loop loop;
    if (config->busyPoll) {
        loop.pollBusily();
    }
    aggregator::Daemon daemon(loop, std::move(*config), options.config, options.state, host::Notify::fromEnvironment());
    const auto stop = [&daemon] {
        host::endProcessWithin(limits::endPatience);
        daemon.stop();
    };
    host::Signals signals(loop.context(), stop, [&daemon] { daemon.reload(); });
    if (Result<void> started = daemon.start(); !started) {
        host::endProcessWithin(limits::endPatience);
        return started;
    }
    loop.run();
    return {};
}

}  // namespace

int main(int argc, char** argv)
{
    bool witness = false;
    return host::runProgram({"mesh-aggregatord", "Node of the mesh: routes to satellites and shows them as one Redfish service",
                             MESH_VERSION, "/etc/bmcmesh/aggregator.yaml", "Directory for what the node keeps"},
                            argc, argv, [&witness](const host::ProgramOptions& options) { return run(options, witness); }, {},
                            {{"--witness", "Vote without a facade and without connectors, so that two other nodes have a majority "
                                           "(also cluster.witness: true)", &witness}});
}
