#include "connector/daemon.hpp"
#include "connector/enroll_command.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/ending.hpp"
#include "shoset/host/log.hpp"
#include "shoset/host/program.hpp"
#include "shoset/host/signals.hpp"

#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

namespace {

using namespace mesh;

// One arena and early trimming: a board with 256 MB has better uses for its memory.
void keepMemorySmall()
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 64 * 1024);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

// An aggregator that runs us for a BMC without an agent names itself: we end with it, however it ends.
Result<void> endWithParent()
{
    const char* parent = std::getenv("BMCMESH_PARENT");
    if (parent == nullptr) {
        return {};
    }
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || std::to_string(::getppid()) != parent) {
        return Error{Code::unavailable, "the aggregator that started this connector is gone"};
    }
    return {};
}

Result<void> run(const host::ProgramOptions& options)
{
    if (Result<void> tied = endWithParent(); !tied) {
        return tied;
    }
    keepMemorySmall();
    Result<connector::Config> config = connector::loadConfig(options.config);
    if (!config) {
        return config.error();
    }
    if (options.check) {
        return {};
    }
    std::error_code ignored;
    std::filesystem::create_directories(options.state, ignored);
    Result<shoset::Context> context = shoset::Context::create();
    if (!context) {
        return context.error();
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
    const auto stop = [&daemon] {
        host::endProcessWithin(limits::endPatience);
        daemon.stop();
    };
    host::Signals signals(loop.context(), stop, reload);
    if (Result<void> started = daemon.start(); !started) {
        return started;
    }
    loop.run();
    return {};
}

host::Command enrollCommand(connector::EnrollOptions& given)
{
    const auto run = [&given](const host::ProgramOptions& options) -> Result<void> {
        given.config = options.config;
        given.state = options.state;
        const Result<std::string> done = connector::enroll(given);
        if (!done) {
            return done.error();
        }
        std::cout << *done << '\n';
        return {};
    };
    return {"enroll",
            "Register this connector with a mesh and write its configuration",
            {{"join_string", "As 'meshctl connector add' prints it; - reads it from standard input", &given.joinString},
             {"--key", "Key file, made unless it is there; default: connector.key beside the configuration", &given.key},
             {"--key-as", "The key's path in the configuration, where the service sees it elsewhere", &given.keyAs},
             {"--force", "Replace a configuration that is there", &given.force},
             {"--target", "The BMC's Redfish service", &given.targetUrl},
             {"--target-user", "User on the BMC; none: no authentication", &given.targetUser},
             {"--target-password-file", "File with the user's password, mode 0600", &given.targetPasswordFile},
             {"--target-ca", "CA of the BMC's certificate, PEM", &given.targetCa},
             {"--secrets-operator", "Key of an operator whose secrets it takes, as 'meshctl secret keygen' prints it", &given.secretsOperator},
             {"--target-insecure", "Do not check the BMC's certificate", &given.targetInsecure}},
            run};
}

}  // namespace

int main(int argc, char** argv)
{
    connector::EnrollOptions enrolment;
    return host::runProgram({"mesh-connectord", "Agent of the mesh on a satellite BMC", MESH_VERSION,
                             "/etc/bmcmesh/connector.yaml", "Directory of the journal and of what the cluster told"},
                            argc, argv, run, {enrollCommand(enrolment)});
}
