#include "tests/simulation/checkers.hpp"

#include <cstdlib>
#include <string_view>

namespace mesh::simulation {

namespace {

constexpr std::size_t longBodyBytes = 300 * 1024;
constexpr std::size_t marksOfALine = 16;

}  // namespace

bool isLongPath(const std::string& path)
{
    return path.ends_with("/Attachment");
}

std::string systemOf(const std::string& path)
{
    constexpr std::size_t system = std::string_view("/redfish/v1/Systems/").size();
    return path.substr(0, path.find('/', system));
}

std::string satelliteBody(const std::string& satellite, const std::string& path, std::size_t resets)
{
    const std::string mark = satellite + " " + path + "\n";
    if (!isLongPath(path)) {
        return mark + std::to_string(resets) + " resets\n";
    }
    std::string line;
    for (std::size_t i = 0; i < marksOfALine; ++i) {
        line += mark;
    }
    std::string body;
    while (body.size() < longBodyBytes) {
        body += std::to_string(body.size()) + "\n" + line;
    }
    return body;
}

void Checkers::asked(const std::string& marker, Asked request)
{
    world.trace("ask " + marker + " " + request.satellite + " " + request.path);
    request.writesTold = writesTold[request.satellite + systemOf(request.path)];
    all.emplace(marker, std::move(request));
}

void Checkers::executed(const std::string& marker, const std::string& satellite, const std::string& path)
{
    world.trace("execute " + marker + " " + satellite);
    const auto found = all.find(marker);
    if (found == all.end()) {
        world.fail("a satellite executed what nobody asked: " + marker);
        return;
    }
    Asked& request = found->second;
    if (satellite != request.satellite) {
        world.fail(marker + " for " + request.satellite + " reached " + satellite);
    }
    if (path != request.path) {
        world.fail(marker + " for " + request.path + " reached " + path);
    }
    if (world.now().mono > request.deadline) {
        world.fail(marker + " was executed after its deadline");
    }
    if (++request.executions > 1) {
        ++repeats;
        if (!request.safe) {
            world.fail(marker + " was executed twice");
        }
    }
    if (request.ended && request.status == 503 && !request.safe) {
        world.fail(marker + " was executed after the client was told that it was not sent");
    }
}

void Checkers::answered(const std::string& marker, int status, const std::string& body)
{
    world.trace("answer " + marker + " " + std::to_string(status));
    Asked& request = all.at(marker);
    if (request.ended) {
        world.fail(marker + " was answered twice");
    }
    request.ended = true;
    request.status = status;
    const std::string tenant = request.satellite.substr(0, request.satellite.find('/'));
    const bool foreign = !request.tenant.empty() && request.tenant != tenant;
    if (foreign && status != 404 && status != 503 && status != 401) {
        world.fail(marker + ": an account of " + request.tenant + " got " + std::to_string(status) + " of " + tenant);
    }
    if (status == 200) {
        checkBody(marker, request, body);
    }
    // A read may be answered with what another one brought.
    if (status == 204 && request.executions == 0) {
        world.fail(marker + " succeeded without an execution");
    }
    if (status == 204) {
        ++writesTold[request.satellite + systemOf(request.path)];
    }
    if (status == 503 && !request.safe && request.executions > 0) {
        world.fail(marker + ": the client was told that it was not sent, but it was executed");
    }
    successes += status == 200 || status == 204 ? 1 : 0;
}

// It is the satellite's, whole, and shows every reset that anybody, at whichever node, knew of when it was asked for.
void Checkers::checkBody(const std::string& marker, const Asked& request, const std::string& body)
{
    const std::string mark = satelliteBody(request.satellite, request.path, 0).substr(0, body.find('\n') + 1);
    const std::size_t resets = isLongPath(request.path) || !body.starts_with(mark)
                                   ? 0
                                   : std::strtoull(body.c_str() + mark.size(), nullptr, 10);
    if (body != satelliteBody(request.satellite, request.path, resets)) {
        world.fail(marker + ": the body is not the satellite's, whole");
    } else if (!isLongPath(request.path) && resets < request.writesTold) {
        world.fail(marker + " shows " + std::to_string(resets) + " resets of " + std::to_string(request.writesTold) +
                   " that had ended before it was asked");
    }
}

void Checkers::nodeDied(const std::string& marker)
{
    Asked& request = all.at(marker);
    request.ended = true;
    request.nodeLived = false;
}

void Checkers::finish()
{
    for (const auto& [marker, request] : all) {
        if (!request.ended) {
            world.fail(marker + " never ended");
            return;
        }
    }
}

}  // namespace mesh::simulation
