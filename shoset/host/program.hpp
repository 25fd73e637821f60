#pragma once

#include "shoset/base/result.hpp"

#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace mesh::host {

struct Program {
    std::string name;
    std::string purpose;
    std::string version;
    std::string config;        // where its configuration is unless the operator says otherwise
    std::string statePurpose;  // what it keeps in its state directory
};

struct ProgramOptions {
    std::string config;
    std::string state = "/var/lib/bmcmesh";
    bool check = false;  // end once the configuration is known to be good
};

// What a program can do beside running as a daemon: `mesh-connectord enroll`.
struct Command {
    struct Option {
        std::string name;  // "--key", or the name of an argument, which is required then
        std::string purpose;
        std::variant<std::string*, bool*> value;  // holds the default
    };
    std::string name;
    std::string purpose;
    std::vector<Option> options;
    std::function<Result<void>(const ProgramOptions&)> run;
};

// What main() of a daemon is: reads the command line (flag before environment before default), configures the log, and
// calls `run`. Returns the exit status: 2 for a wrong command line, 1 for an error of `run`, which is logged as
// start_failed. Before threads start. One of `commands` on the command line is run instead, and its error is logged as
// NAME_failed.
// `own`: options of this program's daemon beside those that all have.
int runProgram(const Program& program, int argc, char** argv, const std::function<Result<void>(const ProgramOptions&)>& run,
               const std::vector<Command>& commands = {}, const std::vector<Command::Option>& own = {});

}  // namespace mesh::host
