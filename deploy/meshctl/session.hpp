#pragma once

#include "shoset/base/http.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"

#include <string>

namespace mesh::ctl {

// Where the facade is and who asks: flag > environment > context file.
struct Connection {
    std::string url;
    std::string user;
    std::string passwordFile;
    std::string caFile;
    std::string context;  // name in ~/.config/bmcmesh/contexts.yaml; empty: its `current`
    bool json = false;
    Duration patience = limits::maxRequestDeadline;  // for one answer
};

struct Reply {
    int status = 0;
    Headers headers;
    std::string body;
};

// Fills what flags and environment left open from the context file. An error if there is no URL.
Result<void> completeConnection(Connection& connection);

// One request and its whole answer, blocking. Code::notSent and Code::unavailable: not reachable.
Result<Reply> request(const Connection& connection, const std::string& method, const std::string& target,
                      const std::string& body, const Headers& headers);

}  // namespace mesh::ctl
