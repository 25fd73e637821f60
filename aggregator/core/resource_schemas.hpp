#pragma once

#include "aggregator/core/resource_answer.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mesh::aggregator {

// The versions of DMTF's schemas that the facade's own resources follow, from one table: releases 2024.4, and later ones
// where a link to a newer collection needs them.

// "#Session.v1_8_0.Session", "#SessionCollection.SessionCollection". The schema must be in the table.
std::string typeOf(std::string_view schema);
// Where the schema of a value of @odata.type can be read here: "/redfish/v1/JsonSchemas/Session.v1_8_0.json".
std::string schemaUri(std::string_view type);

// JsonSchemas: one JsonSchemaFile per schema of the table, its Id as in Link headers.
OwnCollection schemaCollection();
// Of a JsonSchemaFile, or with ".json" the schema itself, which refers to the one that DMTF publishes. Nothing: no such.
std::optional<Answer> schemaAnswer(const Call& call);

// $metadata: CSDL that refers to the schemas of the table (DSP0266, "OData metadata").
std::string metadataDocument();

}  // namespace mesh::aggregator
