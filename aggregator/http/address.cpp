#include "aggregator/http/address.hpp"

#include <charconv>

namespace mesh::aggregator {

using boost::asio::ip::tcp;

Result<tcp::endpoint> parseEndpoint(const std::string& text)
{
    const Error bad{Code::invalidArgument, "\"" + text + "\" is not address:port, such as 0.0.0.0:8443 or [::1]:8443"};
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0) {
        return bad;
    }
    const bool bracketed = text.front() == '[' && text[colon - 1] == ']';
    const std::string host = bracketed ? text.substr(1, colon - 2) : text.substr(0, colon);
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(host, error);
    unsigned short port = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
    if (error || address.is_v6() != bracketed || parsed.ec != std::errc() || parsed.ptr != end) {
        return bad;
    }
    return tcp::endpoint(address, port);
}

std::string formatEndpoint(const tcp::endpoint& endpoint)
{
    auto address = endpoint.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        address = boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
    }
    const std::string host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
    return host + ":" + std::to_string(endpoint.port());
}

}  // namespace mesh::aggregator
