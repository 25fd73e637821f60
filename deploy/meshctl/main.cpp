#include "deploy/meshctl/command_line.hpp"

#include <sodium.h>

#include <string>
#include <string_view>
#include <vector>

int main(int argc, char** argv)
{
    using namespace mesh::ctl;
    if (sodium_init() < 0) {
        return exitFailed;
    }
    Arguments args;
    Actions actions;
    CLI::App app{"Operate a mesh of BMCs", "meshctl"};
    app.set_version_flag("--version", std::string(MESH_VERSION));
    app.require_subcommand(1);
    app.fallthrough();
    addCommands(app, args, actions);
    try {
        app.parse(argc, argv);
    } catch (const CLI::RequiredError& error) {
        const std::vector<std::string> left = app.remaining(true);
        if (left.empty() || !std::string_view(error.what()).starts_with("A subcommand")) {
            return app.exit(error) == 0 ? exitOk : exitUsage;
        }
        return complain({mesh::Code::invalidArgument, "there is no command '" + left.front() + "' here; --help names those that there are"});
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? exitOk : exitUsage;
    }
    const CLI::App* chosen = app.get_subcommands().front();
    if (!chosen->get_subcommands().empty()) {
        chosen = chosen->get_subcommands().front();
    }
    return actions.at(chosen)();
}
