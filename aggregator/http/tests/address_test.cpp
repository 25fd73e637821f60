#include "aggregator/http/address.hpp"

#include <gtest/gtest.h>

namespace mesh::aggregator {
namespace {

TEST(Address, BothFamiliesRoundTrip)
{
    for (const std::string text : {"0.0.0.0:8443", "127.0.0.1:0", "[::1]:8443", "[::]:65535"}) {
        const auto endpoint = parseEndpoint(text);
        ASSERT_TRUE(endpoint) << text;
        EXPECT_EQ(formatEndpoint(*endpoint), text);
    }
    EXPECT_EQ(formatEndpoint(*parseEndpoint("[::ffff:10.0.0.1]:5")), "10.0.0.1:5");
}

TEST(Address, WhatIsNeitherIsRefusedByName)
{
    for (const std::string text : {"", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                                   "127.0.0.1:-1", "::1:80", "[::1]", "[127.0.0.1]:80", "localhost:80", "[::1]:80 "}) {
        const auto endpoint = parseEndpoint(text);
        ASSERT_FALSE(endpoint) << text;
        EXPECT_NE(endpoint.error().message.find("\"" + text + "\""), std::string::npos);
    }
}

}  // namespace
}  // namespace mesh::aggregator
