#include "cluster/local/registry_file.hpp"
#include "cluster/local/tests/temporary.hpp"

#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

namespace mesh::cluster {
namespace {

const std::string key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";

std::string refusal(const std::string& yaml)
{
    const auto parsed = parseRegistry(yaml, "registry.yaml");
    return parsed.ok() ? "accepted" : parsed.error().message;
}

TEST(RegistryFile, IsReadAsTheInterfacesShowIt)
{
    const TemporaryDirectory temporary;
    const std::string path = temporary.path("registry.yaml");
    TemporaryDirectory::write(path, "# the rack\n"
                                    "tenants: [ { name: acme }, { name: globex } ]\n"
                                    "connectors:\n"
                                    "  - { name: sled07, tenant: acme, key: \"" +
                                        key +
                                        "\", prefix: 5B247A }\n"
                                        "  - name: sled07\n"
                                        "    tenant: globex\n"
                                        "    key: \"" +
                                        std::string(40, '0') +
                                        "\"\n"
                                        "    product: R750\n"
                                        "    type: server\n");
    const auto registry = readRegistryFile(path);
    ASSERT_TRUE(registry.ok()) << registry.error().message;
    EXPECT_EQ(registry->tenants().size(), 2U);
    EXPECT_EQ(registry->findByKey(key)->prefix, "5B247A");
    EXPECT_EQ(registry->find("globex", "sled07")->product, "R750");
    EXPECT_EQ(registry->find("globex", "sled07")->prefix, "");
}

TEST(RegistryFile, MayBeEmptyOrLackAList)
{
    EXPECT_EQ(refusal(""), "accepted");
    EXPECT_EQ(refusal("tenants:\n"), "accepted");
    EXPECT_EQ(refusal("connectors: []\n"), "accepted");
}

TEST(RegistryFile, ATenantMayHaveAQuotaOrAPartOfOne)
{
    const auto registry = parseRegistry("tenants:\n"
                                        "  - { name: acme, quota: { messages_per_second: 100, bytes_in_flight: 65536, connectors: 1 } }\n"
                                        "  - { name: globex, quota: { stored_events: 7 } }\n"
                                        "  - { name: free, quota: {} }\n",
                                        "registry.yaml");
    ASSERT_TRUE(registry.ok()) << registry.error().message;
    EXPECT_EQ(registry->quotaOf("acme"), (tenants::Quota{100, 65536, 0, 1}));
    EXPECT_EQ(registry->quotaOf("globex"), (tenants::Quota{0, 0, 7, 0}));
    EXPECT_EQ(registry->quotaOf("free"), tenants::Quota{});
    EXPECT_EQ(refusal("tenants:\n  - name: a\n    quota: { messages_per_second: many }\n"),
              "registry.yaml:3: \"messages_per_second\" is a whole number; 0 is no quota");
    EXPECT_EQ(refusal("tenants:\n  - name: a\n    quota: { connectors: -1 }\n"),
              "registry.yaml:3: \"connectors\" is a whole number; 0 is no quota");
    EXPECT_EQ(refusal("tenants:\n  - name: a\n    quota: { messages: 1 }\n").substr(0, 39), "registry.yaml:3: unknown key \"messages\"");
    EXPECT_EQ(refusal("tenants: [ { name: a, quota: { connectors: 8193 } } ]\n"), "registry.yaml:1: a quota is at most 8192 connectors");
    EXPECT_EQ(refusal("tenants: [ { name: acme, quota: { connectors: 1 } } ]\nconnectors:\n"
                      "  - { name: a, tenant: acme, key: \"" +
                      key + "\" }\n  - { name: b, tenant: acme, key: \"" + std::string(40, '0') + "\" }\n"),
              "registry.yaml:4: tenant acme has reached its quota of connectors: it has 1, and 1 are allowed");
}

TEST(RegistryFile, ErrorsNameFileAndLineAndWhatWasExpected)
{
    EXPECT_EQ(refusal("tenants: [ { name: acme } ]\nconnector: []\n"),
              "registry.yaml:2: unknown key \"connector\"; the registry has the keys tenants, connectors");
    EXPECT_EQ(refusal("tenants: [ { name: acme } ]\nconnectors:\n  - { name: a, tenant: acme }\n"),
              "registry.yaml:3: key \"key\" is missing");
    EXPECT_EQ(refusal("tenants: acme\n"), "registry.yaml:1: \"tenants\" is a list");
    EXPECT_EQ(refusal("tenants: [ acme ]\n"), "registry.yaml:1: a tenant is a mapping with the keys name, quota");
    EXPECT_EQ(refusal("tenants:\n  - name: [ a ]\n"), "registry.yaml:2: \"name\" is a text");
    EXPECT_EQ(refusal("tenants:\n  - name: a\n    name: b\n"),
              "registry.yaml:3: key \"name\" stands twice in a tenant");
    EXPECT_EQ(refusal("- a\n"), "registry.yaml:1: the registry is a mapping with the keys tenants, connectors");
    EXPECT_EQ(refusal("tenants: [ { name: acme }\n").substr(0, 26), "registry.yaml:2: not YAML:");
}

TEST(RegistryFile, TheRegistrysOwnRefusalsHaveALineToo)
{
    const std::string head = "tenants: [ { name: acme } ]\nconnectors:\n";
    const std::string first = "  - { name: a, tenant: acme, key: \"" + key + "\", prefix: AB }\n";
    const auto connector = [](const std::string& rest) { return "  - { tenant: acme, " + rest + " }\n"; };
    const std::string other = "key: \"" + std::string(40, '0') + "\"";
    EXPECT_NE(refusal(head + connector("name: a, key: short")).find("registry.yaml:3: \"short\" is not a public key"),
              std::string::npos);
    EXPECT_EQ(refusal(head + first + connector("name: b, key: \"" + key + "\"")),
              "registry.yaml:4: key " + key + " belongs to connector a of tenant acme already");
    EXPECT_EQ(refusal(head + first + connector("name: b, prefix: ab, " + other)),
              "registry.yaml:4: prefix ab belongs to connector a of tenant acme already");
    EXPECT_EQ(refusal(head + first + connector("name: a, " + other)),
              "registry.yaml:4: connector a of tenant acme stands twice");
    EXPECT_NE(
        refusal(head + "  - { name: a, tenant: acne, " + other + " }\n").find(":3: connector a names tenant \"acne\""),
        std::string::npos);
    EXPECT_NE(refusal("tenants: [ { name: a },\n  { name: A } ]").find("registry.yaml:2: tenant A exists already"),
              std::string::npos);
}

TEST(RegistryFile, ThatCannotBeReadIsNamed)
{
    const TemporaryDirectory temporary;
    const auto missing = readRegistryFile(temporary.path("none.yaml"));
    EXPECT_EQ(missing.error().code, Code::ioError);
    EXPECT_NE(missing.error().message.find("none.yaml: No such file"), std::string::npos) << missing.error().message;
    EXPECT_EQ(readRegistryFile(temporary.path("")).error().code, Code::ioError);
    const std::string big = temporary.path("big.yaml");
    TemporaryDirectory::write(big, std::string(limits::maxRegistryFileBytes + 1, '\n'));
    EXPECT_EQ(readRegistryFile(big).error().code, Code::tooLarge);
}

TEST(RegistryFile, NestingAndRandomBytesAreErrorsAndNothingWorse)
{
    EXPECT_NE(refusal(std::string(100000, '[')), "accepted");
    EXPECT_NE(refusal("tenants: " + std::string(100000, '{')), "accepted");
    EXPECT_NE(refusal(std::string("\0\1\2\xff", 4)), "accepted");
}

}  // namespace
}  // namespace mesh::cluster
