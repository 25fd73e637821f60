#include "aggregator/core/configuration_rules.hpp"

#include "cluster/core/state.hpp"
#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mesh::aggregator {
namespace {

const std::string pivot = R"({"kind":"pivot","type":"chassis","commands":["power.cycle"],"events":["power/changed"],"resources":["fan"],
    "keys":{"fan.speed":{"type":"integer","minimum":20,"maximum":100},"place":{"type":"string"}},"required":["place"]})";
const std::string product = R"({"kind":"product","product":"R750","type":"chassis","commands":["led.blink"],
    "keys":{"fan.speed":{"maximum":80},"led":{"type":"boolean"}},"required":["led"]})";
const std::string component = R"({"kind":"component","connector":"sled07","type":"chassis","values":{"place":"rack 1"}})";

class ConfigurationRules : public testing::Test {
protected:
    // What becomes of it: "" is taken.
    std::string put(const std::string& text, const std::string& tenant = "acme", const std::string& type = {})
    {
        const Result<ConfigurationDocument> read = readConfiguration(tenant, text);
        if (!read) {
            return read.error().message;
        }
        if (const Result<void> fits = fitsOthers(state, *read, type); !fits) {
            return fits.error().message;
        }
        cluster::Document& document = state.documents[read->name];
        document.content = read->content;
        document.revision = ++state.revision;
        ++document.version;
        return {};
    }
    static std::string with(const std::string& text, const std::string& patch)
    {
        nlohmann::json document = nlohmann::json::parse(text);
        document.merge_patch(nlohmann::json::parse(patch));
        return document.dump();
    }
    nlohmann::json told(const std::string& type = {}) const
    {
        return nlohmann::json::parse(configurationFor(state, "acme", "sled07", type).body);
    }

    cluster::State state;
};

TEST_F(ConfigurationRules, AreNamedByWhatTheyAreFor)
{
    EXPECT_EQ(readConfiguration("acme", pivot)->name, (cluster::DocumentName{cluster::DocumentKind::pivot, "acme", "1.chassis"}));
    EXPECT_EQ(readConfiguration("acme", product)->name, (cluster::DocumentName{cluster::DocumentKind::product, "acme", "R750"}));
    EXPECT_EQ(readConfiguration("acme", component)->name, (cluster::DocumentName{cluster::DocumentKind::component, "acme", "sled07"}));
    EXPECT_EQ(configurationKind("secret"), std::nullopt);
    EXPECT_EQ(configurationWord(cluster::DocumentKind::secret), "");
}

TEST_F(ConfigurationRules, WhatIsWrongIsSaidWithItsPlaceAndWithoutItsValue)
{
    EXPECT_EQ(put(R"({"kind":"policy"})").substr(0, 9), "at /kind:");
    EXPECT_NE(put("[]").find("expected"), std::string::npos);
    EXPECT_NE(put(with(pivot, R"({"keis":{}})")).find("'keis' is not known"), std::string::npos);
    EXPECT_EQ(put(with(pivot, R"({"keys":{"place":{"pattern":"x"}}})")).substr(0, 15), "at /keys/place:");
    EXPECT_EQ(put(with(pivot, R"({"commands":["power.cycle","no name"]})")).substr(0, 15), "at /commands/1:");
    EXPECT_EQ(put(with(pivot, R"({"required":["place","fans"]})")), "at /required/1: expected one of the keys");
    EXPECT_EQ(put(with(pivot, R"({"major":0})")), "at /major: expected at least 1");
    EXPECT_EQ(put(with(pivot, R"({"type":"a b"})")).substr(0, 9), "at /type:");
    ASSERT_EQ(put(pivot), "");
    EXPECT_EQ(put(with(component, R"({"values":{"fan.speed":7}})")), "at /values/fan.speed: expected at least 20");
    EXPECT_EQ(put(with(component, R"({"values":{"place":null}})")), "at /values: expected the property 'place'");
    EXPECT_EQ(put(with(component, R"({"values":{"sped":7}})")), "at /values: the property 'sped' is not known");
    EXPECT_EQ(put(with(component, R"({"resources":{"psu":["a"]}})")), "at /resources: the property 'psu' is not known");
    EXPECT_EQ(put(R"({"kind":"component","connector":"sled07","type":"chassis"})"), "at root: expected the property 'values'");
    const std::string secret = put(with(component, R"({"values":{"place":7,"fan.speed":50}})"));
    EXPECT_EQ(secret, "at /values/place: expected string, not integer") << "never the value";
    EXPECT_NE(put(with(component, R"({"values":{"place":")" + std::string(limits::maxConfigurationBytes, 'x') + "\"}}")).find("at most"),
              std::string::npos);
}

TEST_F(ConfigurationRules, AComponentKeepsToItsPivotAndItsProduct)
{
    EXPECT_EQ(put(component), "there is no pivot chassis 1; upload that first");
    EXPECT_EQ(put(product), "there is no pivot chassis 1; upload that first");
    ASSERT_EQ(put(pivot), "");
    EXPECT_EQ(put(pivot, "globex"), "");
    EXPECT_EQ(put(component, "acme", "switch"), "at /type: expected switch, as the connector is registered");
    EXPECT_EQ(put(component, "acme", "chassis"), "");
    const std::string ofProduct = with(component, R"({"product":"R750","values":{"led":true,"fan.speed":90}})");
    EXPECT_EQ(put(ofProduct).substr(0, 12), "at /product:");
    ASSERT_EQ(put(product), "");
    EXPECT_EQ(put(ofProduct), "at /values/fan.speed: expected at most 80") << "both say something of that key";
    EXPECT_EQ(put(with(ofProduct, R"({"values":{"fan.speed":10}})")), "at /values/fan.speed: expected at least 20");
    EXPECT_EQ(put(with(ofProduct, R"({"values":{"fan.speed":70,"led":null}})")), "at /values: expected the property 'led'");
    EXPECT_EQ(put(with(ofProduct, R"({"values":{"fan.speed":70},"resources":{"fan":["fan1","fan2"]}})")), "");
}

TEST_F(ConfigurationRules, AContractThatIsChangedLeavesItsComponentsValid)
{
    ASSERT_EQ(put(pivot), "");
    ASSERT_EQ(put(product), "");
    ASSERT_EQ(put(with(component, R"({"product":"R750","values":{"led":true,"fan.speed":70}})")), "");
    EXPECT_EQ(put(with(pivot, R"({"keys":{"fan.speed":{"type":"integer","maximum":60}}})")),
              "component sled07 would not keep to it, at /values/fan.speed: expected at most 60");
    EXPECT_EQ(put(with(pivot, R"({"keys":{"fan.speed":{"type":"integer","maximum":75}}})")), "");
    EXPECT_NE(put(with(product, R"({"required":["led","fan.speed"],"keys":{"led":{"const":false}}})")).find("at /values/led"), std::string::npos);
    EXPECT_NE(put(with(product, R"({"major":2})")), "");
    EXPECT_EQ(put(with(pivot, R"({"major":2,"keys":{"fan.speed":{"type":"string"}}})")), "") << "another major version is another contract";
    EXPECT_NE(put(with(product, R"({"major":2})")).find("component sled07 names this product"), std::string::npos);
    EXPECT_NE(isUnused(state, {cluster::DocumentKind::pivot, "acme", "1.chassis"}).error().message.find("R750 needs it"), std::string::npos);
    EXPECT_NE(isUnused(state, {cluster::DocumentKind::product, "acme", "R750"}).error().message.find("sled07 needs it"), std::string::npos);
    EXPECT_TRUE(isUnused(state, {cluster::DocumentKind::component, "acme", "sled07"}).ok());
    EXPECT_TRUE(isUnused(state, {cluster::DocumentKind::pivot, "acme", "2.chassis"}).ok());
    for (std::size_t major = 3; major <= limits::maxContractVersions; ++major) {
        EXPECT_EQ(put(with(pivot, R"({"major":)" + std::to_string(major) + "}")), "");
    }
    EXPECT_NE(put(with(pivot, R"({"major":99})")).find("the most there can be"), std::string::npos);
}

TEST_F(ConfigurationRules, AConnectorIsToldItsComponentAndTheContractsOfItsType)
{
    EXPECT_EQ(told(), nlohmann::json::parse(R"({"type":"","contracts":[]})"));
    ASSERT_EQ(put(pivot), "");
    ASSERT_EQ(put(pivot, "globex"), "");
    EXPECT_EQ(told()["contracts"].size(), 0U);
    EXPECT_EQ(told("chassis"), nlohmann::json::parse(R"({"type":"chassis","contracts":[{"major":1,"commands":["power.cycle"]}]})"));
    ASSERT_EQ(put(product), "");
    ASSERT_EQ(put(with(component, R"({"product":"R750","values":{"led":true}})")), "");
    EXPECT_EQ(told(), nlohmann::json::parse(R"({"type":"chassis","major":1,"values":{"led":true,"place":"rack 1"},"resources":{},
        "contracts":[{"major":1,"commands":["power.cycle","led.blink"]}]})"));
    const ConnectorConfiguration wanted = configurationFor(state, "acme", "sled07", "");
    EXPECT_EQ(wanted.version, 1U);
    EXPECT_EQ(wanted.document, state.revision);
    EXPECT_EQ(configurationFor(state, "globex", "sled07", "").version, 0U);
}

}  // namespace
}  // namespace mesh::aggregator
