#include "shoset/config/yaml_json.hpp"

#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

namespace mesh::config {
namespace {

std::string json(const std::string& yaml)
{
    const Result<std::string> out = jsonOfYaml("f.yaml", yaml);
    return out ? *out : out.error().message;
}

TEST(YamlJson, PlainScalarsAreWhatTheyLookLikeAndQuotedOnesAreText)
{
    EXPECT_EQ(json("a: 1\nb: \"1\"\nc: 1.5\nd: true\ne: yes\nf:\ng: -3\nh: [x, {y: 'true'}]\n"),
              R"({"a":1,"b":"1","c":1.5,"d":true,"e":"yes","f":null,"g":-3,"h":["x",{"y":"true"}]})");
    EXPECT_EQ(json("a: 18446744073709551615\nb: 10.0.0.1\nc: 1e3\n"), R"({"a":18446744073709551615,"b":"10.0.0.1","c":1000.0})");
}

TEST(YamlJson, WhatIsWrongIsNamedByLine)
{
    EXPECT_EQ(json("a: 1\nb: 2\na: 3\n"), "f.yaml:3: 'a' stands there twice");
    EXPECT_EQ(json("a: 1\nb: !!binary x\n").substr(0, 9), "f.yaml:2:");
    EXPECT_EQ(json("a: [1\n").substr(0, 7), "f.yaml:");
    EXPECT_EQ(json("? [a]\n: b\n"), "f.yaml:1: expected a name before the colon");
}

TEST(YamlJson, AliasesDoNotMakeMuchOfLittle)
{
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 10; ++i) {
        const std::string one = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + one + ", " + one + ", " + one + ", " + one + "]\n";
    }
    EXPECT_NE(json(bomb).find("too much"), std::string::npos);
    EXPECT_NE(json(std::string(limits::maxSchemaDepth + 5, '[')).find("f.yaml"), std::string::npos);
}

TEST(YamlJson, AndBackIsTheSame)
{
    const std::string text =
        R"({"kind":"pivot","keys":{"fan.speed":{"type":"integer","minimum":0},"s":{"enum":["on","1","a b",true,null,-1.5]}},"none":{},"list":[[1,[2]],{"a":[],"b":{"c":"x: y # z"}}],"x":"","~":"~"})";
    EXPECT_EQ(json(yamlOfJson(text)), text) << yamlOfJson(text);
    EXPECT_EQ(yamlOfJson(R"({"kind":"pivot","commands":["power.cycle"]})"), "kind: pivot\ncommands:\n  - power.cycle\n");
    EXPECT_EQ(yamlOfJson("{"), "");
}

}  // namespace
}  // namespace mesh::config
