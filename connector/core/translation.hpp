#pragma once

#include "shoset/base/http.hpp"
#include "shoset/base/result.hpp"
#include "shoset/core/message.hpp"
#include "shoset/uri/localiser.hpp"
#include "shoset/uri/multipart.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::connector {

// What the BMC answers, on its way to the facade: URIs in headers and body become the facade's.
class ResponseTranslation {
public:
    // `maps` lives as long as the request's translation. `head` is changed in place.
    ResponseTranslation(std::shared_ptr<const uri::UriMap> map, uri::Asked asked, ResponseHead& head);

    // Whether the body's bytes may change.
    bool rewrites() const { return format != uri::Format::passthrough; }
    // An event stream: each piece goes on at once.
    bool immediate() const { return format == uri::Format::eventStream; }
    // Appends what can be decided to `out`. An error: give the body up.
    Result<void> body(std::string_view piece, bool last, std::string& out);
    // Sets the length: `whole`, the body of `bytes` goes with the head (or would, for HEAD); else it streams.
    void finishHead(ResponseHead& head, bool whole, bool headOnly, std::uint64_t bytes) const;

private:
    std::shared_ptr<const uri::UriMap> map;
    uri::Format format;
    std::unique_ptr<uri::Localiser> localiser;
};

// A client's request on its way to the BMC: target, headers and body with the satellite's own URIs.
class RequestTranslation {
public:
    RequestTranslation() = default;
    // Code::invalidArgument where the target is not this satellite's. `ownHosts`: of the BMC, for its answers.
    static Result<RequestTranslation> make(const shoset::Command& command, const std::vector<std::string>& ownHosts);

    // What goes to the BMC as it is, with a body of that length; its answer needs no translation.
    static RequestTranslation untouched(RequestHead head, std::int64_t bodyLength);

    const RequestHead& head() const { return request; }
    // Appends what may go to the BMC. Code::invalidArgument, with the URI as message: the body names what is not this
    // satellite's; nothing of it must be sent any more.
    Result<void> body(std::string_view piece, bool last, std::string& out);
    // Of the translated body, or -1; after the first body().
    std::int64_t bodyLength() const { return length; }
    // Changes `head`.
    ResponseTranslation responseTranslation(ResponseHead& head) const { return {forward, asked, head}; }

private:
    Result<void> mapped(Result<void> result, const std::vector<uri::ForeignUri>& foreign) const;

    std::shared_ptr<const uri::UriMap> forward;  // with the BMC's hosts
    std::shared_ptr<const uri::UriMap> back;     // with the facade's
    RequestHead request;
    uri::Asked asked;
    std::int64_t length = 0;
    std::unique_ptr<uri::Localiser> localiser;
    std::unique_ptr<uri::MultipartLocaliser> multipart;
};

}  // namespace mesh::connector
