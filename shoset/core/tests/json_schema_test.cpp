#include "shoset/core/json_schema.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"

#include <gtest/gtest.h>

namespace mesh::shoset {
namespace {

// The error of the check, or "fits", or the error of the schema.
std::string verdict(std::string_view schema, std::string_view payload)
{
    const Result<JsonSchema> compiled = JsonSchema::compile(schema);
    if (!compiled) {
        return compiled.error().message;
    }
    const Result<std::string> checked = compiled->check(payload);
    return checked ? "fits" : checked.error().message;
}

std::string refusalOf(std::string_view schema)
{
    const Result<JsonSchema> compiled = JsonSchema::compile(schema);
    return compiled ? "taken" : compiled.error().message;
}

constexpr const char* cycle = R"({"type": "object", "title": "a power cycle", "required": ["system"], "additionalProperties": false,
    "properties": {"system": {"type": "string", "minLength": 1, "maxLength": 8},
                   "off_seconds": {"type": "integer", "minimum": 1, "exclusiveMaximum": 60},
                   "how": {"enum": ["hard", "soft", 3, null]},
                   "steps": {"type": "array", "items": {"type": ["number", "boolean"]}, "minItems": 1, "maxItems": 3}}})";

TEST(JsonSchema, WhatKeepsToItFits)
{
    EXPECT_EQ(verdict(cycle, R"({"system": "one", "off_seconds": 59, "how": null, "steps": [1.5, true]})"), "fits");
    EXPECT_EQ(verdict(cycle, R"({"system": "o", "off_seconds": 3.0, "how": 3.0})"), "fits") << "3.0 is a whole number";
    EXPECT_EQ(verdict("true", "[[]]"), "fits");
    EXPECT_EQ(verdict("{}", "7"), "fits");
    EXPECT_EQ(verdict(R"({"type": "string", "maxLength": 2})", "\"\xC3\xA4\xE2\x82\xAC\""), "fits") << "characters, not bytes";
}

TEST(JsonSchema, TheErrorSaysWhereAndWhatWasExpected)
{
    EXPECT_EQ(verdict(cycle, "[]"), "the payload, at root: expected object, not array");
    EXPECT_EQ(verdict(cycle, "{}"), "the payload, at root: expected the property 'system'");
    EXPECT_EQ(verdict(cycle, R"({"system": ""})"), "the payload, at /system: expected at least 1 characters");
    EXPECT_EQ(verdict(cycle, R"({"system": "123456789"})"), "the payload, at /system: expected at most 8 characters");
    EXPECT_EQ(verdict(cycle, R"({"system": "a", "off_seconds": 0})"), "the payload, at /off_seconds: expected at least 1");
    EXPECT_EQ(verdict(cycle, R"({"system": "a", "off_seconds": 60})"), "the payload, at /off_seconds: expected less than 60");
    EXPECT_EQ(verdict(cycle, R"({"system": "a", "off_seconds": 1.5})"),
              "the payload, at /off_seconds: expected integer, not number");
    EXPECT_EQ(verdict(cycle, R"({"system": "a", "how": "gently"})"),
              "the payload, at /how: expected one of \"hard\", \"soft\", 3, null");
    EXPECT_EQ(verdict(cycle, R"({"system": "a", "steps": []})"), "the payload, at /steps: expected at least 1 items");
    EXPECT_EQ(verdict(cycle, R"({"system": "a", "steps": [1, "x"]})"),
              "the payload, at /steps/1: expected boolean or number, not string");
    EXPECT_EQ(verdict(cycle, R"({"system": "a", "sytem/~": 1})"), "the payload, at root: the property 'sytem/~' is not known");
    EXPECT_EQ(verdict(R"({"properties": {"a/~b": {"const": 1}}})", R"({"a/~b": 2})"), "the payload, at /a~1~0b: expected 1");
}

TEST(JsonSchema, TheErrorNeverSaysWhatStoodThere)
{
    EXPECT_EQ(verdict(R"({"properties": {"password": {"type": "integer"}}})", R"({"password": "hunter2"})").find("hunter2"),
              std::string::npos);
    EXPECT_EQ(verdict(R"({"enum": ["a"]})", R"("hunter2")").find("hunter2"), std::string::npos);
}

TEST(JsonSchema, AlternativesAreCounted)
{
    constexpr const char* either = R"({"oneOf": [{"type": "integer"}, {"minimum": 5}]})";
    EXPECT_EQ(verdict(either, "3"), "fits");
    EXPECT_EQ(verdict(either, "5.5"), "fits");
    EXPECT_EQ(verdict(either, "7"), "the payload, at root: expected exactly one of the alternatives to fit; several do");
    EXPECT_EQ(verdict(either, "3.5"),
              "the payload, at root: none of the alternatives fits; of the last one: at root: expected at least 5");
    EXPECT_EQ(verdict(R"({"anyOf": [{"const": 1}, {"const": 2}]})", "2"), "fits");
    EXPECT_EQ(verdict(R"({"anyOf": [{"const": 1}, {"const": 2}]})", "3"),
              "the payload, at root: none of the alternatives fits; of the last one: at root: expected 2");
    EXPECT_EQ(verdict(R"({"allOf": [{"minimum": 1}, {"maximum": 2}]})", "3"), "the payload, at root: expected at most 2");
    EXPECT_EQ(verdict(R"({"allOf": [true, false]})", "3"), "the payload, at root: expected nothing here");
}

TEST(JsonSchema, LargeNumbersAreNotRounded)
{
    EXPECT_EQ(verdict(R"({"maximum": 9223372036854775807})", "9223372036854775808"),
              "the payload, at root: expected at most 9223372036854775807");
    EXPECT_EQ(verdict(R"({"minimum": 18446744073709551615})", "18446744073709551615"), "fits");
    EXPECT_EQ(verdict(R"({"minimum": 18446744073709551615})", "-1"),
              "the payload, at root: expected at least 18446744073709551615");
}

TEST(JsonSchema, AKeywordThatIsNotCheckedIsRefusedAndOneThatDescribesIsNot)
{
    EXPECT_EQ(refusalOf(R"({"properties": {"name": {"pattern": "(a+)+$"}}})"),
              "the schema, at /properties/name: the keyword 'pattern' is not checked here; leave it out");
    EXPECT_NE(refusalOf(R"({"$ref": "#"})").find("'$ref'"), std::string::npos);
    EXPECT_NE(refusalOf(R"({"format": "ipv4"})").find("'format'"), std::string::npos);
    EXPECT_EQ(refusalOf(R"({"$schema": "s", "$id": "i", "$comment": "c", "title": "t", "description": "d", "default": 1,
                            "examples": [1], "deprecated": true, "readOnly": true, "writeOnly": false})"),
              "taken");
}

TEST(JsonSchema, ASchemaThatIsNoneIsRefusedWithItsPlace)
{
    EXPECT_EQ(refusalOf("{"), "the schema: expected one JSON document in UTF-8");
    EXPECT_EQ(refusalOf("7"), "the schema, at root: expected a schema: an object, true or false");
    EXPECT_EQ(refusalOf(R"({"items": [true]})"), "the schema, at /items: expected a schema: an object, true or false");
    EXPECT_EQ(refusalOf(R"({"type": "text"})"),
              "the schema, at /type: expected null or boolean or integer or number or string or array or object");
    EXPECT_EQ(refusalOf(R"({"minLength": -1})"), "the schema, at /minLength: expected a whole number, 0 or more");
    EXPECT_EQ(refusalOf(R"({"minimum": "1"})"), "the schema, at /minimum: expected a number");
    EXPECT_EQ(refusalOf(R"({"required": [1]})"), "the schema, at /required: expected a list of names");
    EXPECT_EQ(refusalOf(R"({"enum": []})"), "the schema, at /enum: expected a list of values");
    EXPECT_EQ(refusalOf(R"({"anyOf": [{}, {"oneOf": 1}]})"), "the schema, at /anyOf/1/oneOf: expected a list of schemas");
}

std::string repeated(const std::string& text, std::size_t times)
{
    std::string all;
    for (std::size_t i = 0; i < times; ++i) {
        all += text;
    }
    return all;
}

TEST(JsonSchema, BoundsHoldBeforeAnythingIsParsed)
{
    EXPECT_NE(refusalOf(repeated("{\"items\":", limits::maxSchemaDepth + 1) + "true" +
                        repeated("}", limits::maxSchemaDepth + 1)).find("too deep"), std::string::npos);
    EXPECT_NE(refusalOf("\"" + std::string(limits::maxSchemaBytes, 'x') + "\"").find("bytes"), std::string::npos);
    EXPECT_NE(refusalOf("{\"allOf\":[true" + repeated(",true", limits::maxSchemaRules) + "]}").find("too many parts"),
              std::string::npos);
    const std::string deep = repeated("[", 50000);
    EXPECT_EQ(verdict("true", deep), "the payload: expected a depth of at most " + std::to_string(limits::maxPayloadDepth));
    EXPECT_NE(verdict("true", std::string(limits::maxPayloadBytes + 1, ' ')).find("bytes"), std::string::npos);
}

TEST(JsonSchema, ACheckThatWouldTakeTooLongIsGivenUp)
{
    const std::string schema = R"({"items": {"anyOf": [)" + repeated(R"({"const": 1},)", 900) + "true]}}";
    EXPECT_NE(verdict(schema, "[0" + repeated(",0", 2000) + "]").find("too long"), std::string::npos);
}

TEST(JsonSchema, WhatWasCheckedIsWhatIsPassedOn)
{
    const Result<JsonSchema> schema = JsonSchema::compile(R"({"properties": {"a": {"const": 2}}})");
    ASSERT_TRUE(schema.ok());
    const Result<std::string> passed = schema->check("{ \"a\" : 1, \"a\" : 2 }");
    ASSERT_TRUE(passed.ok()) << passed.error().message;
    EXPECT_EQ(*passed, R"({"a":2})");
}

TEST(JsonText, OnlyOneDocumentInUtf8IsTaken)
{
    EXPECT_EQ(*compactJson(" [1, 2] ", 100, 4), "[1,2]");
    EXPECT_FALSE(compactJson("[1] 2", 100, 4).ok());
    EXPECT_FALSE(compactJson("", 100, 4).ok());
    EXPECT_FALSE(compactJson("\"\xff\"", 100, 4).ok());
    EXPECT_FALSE(compactJson("1e999", 100, 4).ok());
    EXPECT_EQ(nestingOfJson(R"({"a[[[": "\"[[", "b": [{}]})"), 3U);
}

}  // namespace
}  // namespace mesh::shoset
