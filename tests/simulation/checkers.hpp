#pragma once

#include "tests/simulation/world.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace mesh::simulation {

// What clients asked, what BMCs did and what clients were told, and whether the three agree.
class Checkers {
public:
    explicit Checkers(World& virtualWorld) : world(virtualWorld) {}

    struct Asked {
        std::string tenant;     // of the account; "": the system's
        std::string satellite;  // "acme/s1"
        std::string path;       // on the satellite
        Instant deadline{};
        bool safe = true;
        unsigned executions = 0;
        std::size_t writesTold = 0;  // resets of the same system whose end somebody had been told when this was asked
        bool ended = false;
        bool nodeLived = true;
        int status = 0;
    };

    // A client's request, with a marker that travels in a header.
    void asked(const std::string& marker, Asked request);
    // The BMC does it.
    void executed(const std::string& marker, const std::string& satellite, const std::string& path);
    // The client has its answer; `body` of a 200, else empty. status 0: cut off.
    void answered(const std::string& marker, int status, const std::string& body);
    // The client's node died, so the client learned nothing.
    void nodeDied(const std::string& marker);
    // At the end of a run: every request has ended.
    void finish();

    std::size_t requests() const { return all.size(); }
    std::size_t succeeded() const { return successes; }
    std::size_t repeatedReads() const { return repeats; }

private:
    World& world;
    void checkBody(const std::string& marker, const Asked& request, const std::string& body);

    std::map<std::string, Asked> all;
    std::map<std::string, std::size_t> writesTold;  // by systemOf()
    std::size_t successes = 0;
    std::size_t repeats = 0;
};

// The body that a satellite gives for a path. That of a system tells how often it was reset.
std::string satelliteBody(const std::string& satellite, const std::string& path, std::size_t resets);
// "/redfish/v1/Systems/1" of what stands below it.
std::string systemOf(const std::string& path);
bool isLongPath(const std::string& path);

}  // namespace mesh::simulation
