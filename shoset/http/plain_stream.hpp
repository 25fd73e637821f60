#pragma once

#include "shoset/http/stream.hpp"

namespace mesh::http {

// A Stream over a connected socket without TLS.
std::unique_ptr<Stream> makePlainStream(boost::asio::ip::tcp::socket socket);

}  // namespace mesh::http
