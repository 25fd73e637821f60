#pragma once

#include "shoset/http/stream.hpp"

namespace mesh::http {

// Perform the handshake on a connected socket. Errors and the returned function: as acceptStream and connectStream.
std::function<void()> startServerTls(boost::asio::ip::tcp::socket socket, std::shared_ptr<ServerTls> tls,
                                     StreamHandler handler);
std::function<void()> startClientTls(boost::asio::ip::tcp::socket socket, std::shared_ptr<ClientTls> tls,
                                     const std::string& host, StreamHandler handler);

}  // namespace mesh::http
