#include "aggregator/core/facade_resources.hpp"

#include "cluster/core/sessions.hpp"
#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

Answer jsonAnswer(int status, const json& body, Headers extra = {})
{
    Headers headers{{"Content-Type", "application/json"}, {"OData-Version", "4.0"}, {"Cache-Control", "no-cache"}};
    headers.insert(headers.end(), extra.begin(), extra.end());
    return {{status, std::move(headers)}, body.dump(-1, ' ', false, json::error_handler_t::replace)};
}

}  // namespace

FacadeResources::FacadeResources(cluster::StateEngine& stateEngine, Credentials& logins, PasswordPort& passwordPort,
                                 const Satellites& known, const NodeView& self, Rng& random)
    : engine(stateEngine), credentials(logins), passwords(passwordPort), satellites(known), node(self), rng(random)
{
}

bool FacadeResources::isOpen(const std::string& method, const std::string& path) const
{
    const bool read = method == "GET" || method == "HEAD";
    return (read && (path == "/redfish" || path == "/redfish/" || path == "/redfish/v1" || path == "/redfish/v1/" ||
                     path == "/healthz" || path == "/redfish/v1/odata" || path == "/redfish/v1/$metadata"));
}

bool FacadeResources::ownsCollection(const std::string& collection) const
{
    return collection == "AggregationService/AggregationSources";
}

std::vector<std::string> FacadeResources::ownMembers(const std::string&, const Principal&) const
{
    return {};
}

void FacadeResources::handle(OwnRequest request, Now now, Done done)
{
    if (request.path == "/redfish") {
        done(jsonAnswer(200, {{"v1", "/redfish/v1/"}}), now);
    } else if (request.path == "/redfish/v1") {
        done(jsonAnswer(200, {{"@odata.id", "/redfish/v1/"},
                              {"@odata.type", "#ServiceRoot.v1_16_0.ServiceRoot"},
                              {"Id", "RootService"},
                              {"Name", "bmcmesh"},
                              {"RedfishVersion", "1.18.0"},
                              {"UUID", node.serviceUuid()},
                              {"Systems", {{"@odata.id", "/redfish/v1/Systems"}}},
                              {"Chassis", {{"@odata.id", "/redfish/v1/Chassis"}}},
                              {"Managers", {{"@odata.id", "/redfish/v1/Managers"}}}}),
             now);
    } else if (request.path == "/healthz") {
        done(jsonAnswer(node.notReady().empty() ? 200 : 503, {{"ready", node.notReady().empty()}, {"reason", node.notReady()}}), now);
    } else {
        done(errorAnswer(404, {"ResourceMissingAtURI", {request.path}, {}}), now);
    }
}

}  // namespace mesh::aggregator
