// Throughput of the localiser per second of processor time, so that other load on the machine does not count.
// Usage: localiser_bench [FILE...]: on the files if any are given, else on made-up bodies.
#include "shoset/uri/localiser.hpp"

#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>

namespace {

using mesh::uri::Asked;
using mesh::uri::Direction;
using mesh::uri::Format;
using mesh::uri::Localiser;
using mesh::uri::UriMap;

struct Case {
    const char* name;
    Format format;
    Direction direction;
    std::string body;
    Asked asked;
    std::size_t piece;
};

// About 4 KB with 20 URIs, indented as BMCs do.
std::string systemBody()
{
    std::string body = "{\n    \"@odata.id\": \"/redfish/v1/Systems/system\",\n    \"Id\": \"system\",\n";
    for (int i = 0; i < 19; ++i) {
        const std::string n = std::to_string(i);
        body += "    \"Property" + n + "\": {\n        \"@odata.id\": \"/redfish/v1/Systems/system/Resource" + n +
                "\",\n        \"Name\": \"A resource of some kind\",\n        \"Reading\": " + n +
                ".25,\n        \"Status\": {\n            \"Health\": \"OK\",\n            \"State\": \"Enabled\"\n"
                "        }\n    },\n";
    }
    return body + "    \"Name\": \"system\"\n}\n";
}

// Members of a log, without white space.
std::string logBody(int entries)
{
    std::string body = R"({"@odata.id":"/redfish/v1/Systems/system/LogServices/EventLog/Entries","Members":[)";
    for (int i = 0; i < entries; ++i) {
        const std::string n = std::to_string(i);
        body += R"({"@odata.id":"/redfish/v1/Systems/system/LogServices/EventLog/Entries/)" + n + R"(","Id":")" + n +
                R"(","AdditionalDataURI":"/redfish/v1/Systems/system/LogServices/EventLog/Entries/)" + n +
                R"(/attachment","Created":"2024-01-01T00:00:00+00:00","EntryType":"Event","Message":"Sensor P12V )"
                R"(crossed a critical high threshold; reading 12.9 V.","Severity":"Critical","Resolved":false},)";
    }
    body.back() = ']';
    return body + "}";
}

std::string eventBody(int events)
{
    std::string body;
    for (int i = 0; i < events; ++i) {
        body += "id: " + std::to_string(i) +
                "\ndata: {\"@odata.type\":\"#Event.v1_7_0.Event\",\"Events\":[{\"EventId\":\"7\",\"MessageId\":"
                "\"OpenBMC.0.4.SensorThreshold\",\"OriginOfCondition\":{\"@odata.id\":"
                "\"/redfish/v1/Chassis/chassis/Sensors/temp\"},\"MessageArgs\":[\"temp\",\"90\"]}]}\n\n";
    }
    return body;
}

void run(const UriMap& map, const Case& test)
{
    std::string out;
    std::size_t bytes = 0;
    double seconds = 0;
    const std::clock_t begin = std::clock();
    while (seconds < 1.0) {
        for (std::size_t done = 0; done < 16 * 1024 * 1024; done += test.body.size()) {
            out.clear();
            Localiser localiser(map, test.direction, test.format, test.asked);
            for (std::size_t at = 0; at < test.body.size(); at += test.piece) {
                (void)localiser.feed(std::string_view(test.body).substr(at, test.piece), out);
            }
            (void)localiser.finish(out);
            bytes += test.body.size();
        }
        seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    }
    std::printf("%-44s %9zu bytes  %11zu in %.2f s  %6.2f GB/s\n", test.name, test.body.size(), bytes, seconds,
                static_cast<double>(bytes) / seconds / 1e9);
}

void runMadeUp(const UriMap& map)
{
    const Asked system{"/redfish/v1/Systems/system", "/redfish/v1/Systems/5B247A_system"};
    const Asked entries{"/redfish/v1/Systems/system/LogServices/EventLog/Entries",
                        "/redfish/v1/Systems/5B247A_system/LogServices/EventLog/Entries"};
    const Direction there = Direction::toFacade;
    const std::string big = logBody(4000);
    run(map, {"4 KB, 20 URIs", Format::json, there, systemBody(), system, 65536});
    run(map, {"4 KB, 20 URIs, by 1000", Format::json, there, systemBody(), system, 1000});
    run(map, {"log, one piece", Format::json, there, big, entries, big.size()});
    run(map, {"log, by 64 KB", Format::json, there, big, entries, 65536});
    run(map, {"event stream, by 4 KB", Format::eventStream, there, eventBody(2000), {}, 4096});
    const std::string base64 = "{\"Data\":\"" + std::string(1 << 20, 'A') + "\"}";
    run(map, {"one long string, by 64 KB", Format::json, there, base64, system, 65536});
    const auto mapped = mesh::uri::localise(map, there, Format::json, systemBody(), system);
    run(map, {"4 KB, 20 URIs, back", Format::json, Direction::toSatellite, mapped.value(), system, 65536});
}

}  // namespace

int main(int argc, char** argv)
{
    const UriMap map("5B247A", {"10.0.0.5"});
    if (argc == 1) {
        runMadeUp(map);
    }
    for (int i = 1; i < argc; ++i) {
        std::ifstream file(argv[i], std::ios::binary);
        const std::string body{std::istreambuf_iterator<char>(file), {}};
        if (!body.empty()) {
            run(map, {argv[i], Format::json, Direction::toFacade, body, {}, 65536});
        }
    }
}
