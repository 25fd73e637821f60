#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mesh::aggregator {

// What the facade adds to DMTF's schemas below Oem.Bmcmesh. Names, CSDL and JSON schema come from one table.

struct OemProperty {
    std::string_view name;
    std::string_view description;
    bool links = false;  // an array of links to resources; else one string
    bool writable = false;
    bool number = false;  // an integer in place of the string
};

struct OemSchema {
    std::string_view extends;  // the schema of DMTF whose Oem it is: "ManagerAccount"
    std::string_view description;
    std::span<const OemProperty> properties;

    std::string name() const;  // "BmcmeshManagerAccount"
    std::string id() const;    // "BmcmeshManagerAccount.v1_0_0"
    std::string type() const;  // "#BmcmeshManagerAccount.v1_0_0.ManagerAccount"
    std::string csdlUri() const;
};

std::span<const OemSchema> oemSchemas();
// Value of @odata.type in Oem.Bmcmesh of a resource of that schema, which must be in the table.
std::string oemTypeOf(std::string_view extends);

// As $metadata refers to it. Empty: there is no such file ("BmcmeshManagerAccount_v1.xml").
std::string oemCsdl(std::string_view file);
// `uri` is where it is read.
std::string oemJsonSchema(const OemSchema& schema, const std::string& uri);

}  // namespace mesh::aggregator
