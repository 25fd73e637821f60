#pragma once

#include "shoset/base/result.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <string>

namespace mesh::aggregator {

// "address:port" with a numeric address, IPv6 in brackets: "0.0.0.0:8443", "[::1]:0".
Result<boost::asio::ip::tcp::endpoint> parseEndpoint(const std::string& text);
// The same form back; an IPv4 address that came over an IPv6 socket is shown as IPv4.
std::string formatEndpoint(const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace mesh::aggregator
