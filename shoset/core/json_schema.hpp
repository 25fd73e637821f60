#pragma once

#include "shoset/base/result.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace mesh::shoset {

// A JSON Schema (2020-12), of which this much is known: true, false, type, const, enum, properties, required,
// additionalProperties, minProperties, maxProperties, items, minItems, maxItems, minimum, maximum, exclusiveMinimum,
// exclusiveMaximum, minLength, maxLength, allOf, anyOf, oneOf. What only describes is passed over; any other keyword is
// refused when the schema is compiled, so that nobody believes in a rule that is not checked. Neither references nor
// patterns: a check takes at most limits::maxSchemaSteps, whatever schema and payload.
class JsonSchema {
public:
    // At most limits::maxSchemaBytes. Code::invalidArgument says where in the schema, and what is wrong.
    static Result<JsonSchema> compile(std::string_view text);
    JsonSchema(JsonSchema&&) noexcept;
    JsonSchema& operator=(JsonSchema&&) noexcept;
    ~JsonSchema();

    // The payload as compactJson gives it, if it keeps to the schema. The error says where (a JSON pointer, `root` for the
    // whole) and what was expected, never what stood there: that may be a secret.
    Result<std::string> check(std::string_view payload) const;

private:
    struct Rules;
    explicit JsonSchema(std::unique_ptr<const Rules> compiled);
    std::unique_ptr<const Rules> rules;
};

}  // namespace mesh::shoset
