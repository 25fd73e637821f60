#pragma once

#include "cluster/core/state.hpp"
#include "shoset/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The three layers of configuration, as documents of the cluster that belong to one tenant. A pivot is the contract of a connector
// type in one major version, a product the same for one product, a component what one connector is given. Each is a JSON object:
//
//   {"kind": "pivot",     "type": T, "major": 1, "commands": […], "events": […], "resources": […], "keys": {NAME: SCHEMA}, "required": […]}
//   {"kind": "product",   "product": P, and as a pivot}
//   {"kind": "component", "connector": C, "type": T, "major": 1, "product": P, "values": {NAME: VALUE}, "resources": {TYPE: [NAME]}}
//
// `major` is 1 where it is not given. The documents are named MAJOR.TYPE, PRODUCT and CONNECTOR.
namespace mesh::aggregator {

struct ConfigurationDocument {
    cluster::DocumentName name;
    std::string content;  // JSON in its shortest form, members sorted
};

// "pivot", "product" and "component"; nullopt for what is none of them, empty for another kind of document.
std::optional<cluster::DocumentKind> configurationKind(std::string_view word);
std::string_view configurationWord(cluster::DocumentKind kind);

// One that was uploaded for the tenant, by itself. The error says where in it (a JSON pointer) and what is wrong, never what
// value stood there.
Result<ConfigurationDocument> readConfiguration(const std::string& tenant, std::string_view text);
// Whether it may stand beside the others of its tenant: a component keeps to its pivot and product, a product has its pivot, and
// what changes these leaves every component that is there valid. `connectorType`: of a component's connector in the registry,
// empty where it has none.
Result<void> fitsOthers(const cluster::State& state, const ConfigurationDocument& document, std::string_view connectorType);
// Whether nothing needs it any more.
Result<void> isUnused(const cluster::State& state, const cluster::DocumentName& name);

// What a connector is told.
struct ConnectorConfiguration {
    std::uint64_t version = 0;       // of its component; 0: it has none
    cluster::Revision document = 0;  // the component's revision
    // {"type", "contracts": [{"major", "commands"}], and of a component "major", "values", "resources"}; the contracts are those of
    // its type, which is the component's, or else the registry's.
    std::string body;
};
ConnectorConfiguration configurationFor(const cluster::State& state, const std::string& tenant, const std::string& connector,
                                        std::string_view connectorType);

}  // namespace mesh::aggregator
