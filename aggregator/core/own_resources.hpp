#pragma once

#include "aggregator/core/access.hpp"
#include "aggregator/core/messages.hpp"

#include <functional>
#include <string>

namespace mesh::aggregator {

struct OwnRequest {
    RequestHead head;
    std::string path;   // decoded, without query and trailing slash
    std::string query;  // undecoded, without '?'
    std::string body;
    std::string remote;  // "address:port"
    Identified who;      // Principal or Anonymous
};

// What the facade owns and does not get from satellites: root, services, accounts, sessions, …
class OwnResources {
public:
    using Done = std::function<void(Answer, Now)>;
    virtual ~OwnResources() = default;
    // Whether the path may be asked for without authentication by this method.
    virtual bool isOpen(const std::string& method, const std::string& path) const = 0;
    // A top-level collection that is the facade's own and not merged, such as AggregationService/AggregationSources.
    virtual bool ownsCollection(const std::string& collection) const = 0;
    // Answers every path that is neither a satellite's nor a merged collection, with 404 if there is nothing.
    virtual void handle(OwnRequest request, Now now, Done done) = 0;
    // Members of a merged collection that are the facade's own, to stand behind the satellites'.
    virtual std::vector<std::string> ownMembers(const std::string& collection, const Principal& who) const = 0;
};

}  // namespace mesh::aggregator
