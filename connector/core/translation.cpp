#include "connector/core/translation.hpp"

#include "shoset/uri/classify.hpp"
#include "shoset/uri/headers.hpp"
#include "shoset/uri/registries.hpp"

namespace mesh::connector {

namespace {

std::string contentType(const Headers& headers)
{
    const std::string* type = findHeader(headers, "Content-Type");
    return type == nullptr ? std::string() : *type;
}

// What is asked for, as the satellite spells it; nullopt: not this satellite's. A published registry is read without a
// prefix, too.
std::optional<std::string> pathOnSatellite(const uri::UriMap& map, const std::string& method, const std::string& path)
{
    const bool read = method == "GET" || method == "HEAD";
    if (read && !uri::publishedRegistry(path).empty()) {
        return path;
    }
    return map.ownerOf(path) == uri::Owner::satellite ? map.toSatellite(path) : std::nullopt;
}

bool hasNoBody(int status)
{
    return status == 204 || status == 304 || status < 200;
}

}  // namespace

ResponseTranslation::ResponseTranslation(std::shared_ptr<const uri::UriMap> given, uri::Asked asked, ResponseHead& head)
    : map(std::move(given)), format(uri::formatOf(contentType(head.headers), asked.satelliteUri))
{
    uri::localiseHeaders(*map, uri::Direction::toFacade, format, head.headers, asked);
    if (rewrites()) {
        localiser = std::make_unique<uri::Localiser>(*map, uri::Direction::toFacade, format, asked);
    }
}

Result<void> ResponseTranslation::body(std::string_view piece, bool last, std::string& out)
{
    if (!localiser) {
        out += piece;
        return {};
    }
    if (Result<void> fed = localiser->feed(piece, out); !fed) {
        return fed;
    }
    if (!last) {
        return {};
    }
    if (Result<void> finished = localiser->finish(out); !finished) {
        return finished;
    }
    if (!localiser->whole()) {
        return Error{Code::corrupt, "its JSON ends in the middle"};
    }
    return {};
}

void ResponseTranslation::finishHead(ResponseHead& head, bool whole, bool headOnly, std::uint64_t bytes) const
{
    if (!whole && !rewrites()) {
        return;
    }
    const bool counted = headOnly && (rewrites() || findHeader(head.headers, "Content-Length") == nullptr);
    if (headOnly && !counted) {
        return;
    }
    removeHeader(head.headers, "Content-Length");
    if (counted && rewrites() && !immediate() && !hasNoBody(head.status)) {
        head.headers.push_back({"Content-Length", std::to_string(bytes)});
    }
}

Result<RequestTranslation> RequestTranslation::make(const shoset::Command& command,
                                                    const std::vector<std::string>& ownHosts)
{
    Result<uri::Target> target = uri::checkPath(command.http.target);
    if (!target) {
        return target.error();
    }
    RequestTranslation out;
    out.forward = std::make_shared<const uri::UriMap>(command.prefix, ownHosts);
    out.back = std::make_shared<const uri::UriMap>(command.prefix, command.hosts);
    const std::optional<std::string> path = pathOnSatellite(*out.back, command.http.method, target->path);
    if (!path) {
        return Error{Code::invalidArgument, command.http.target};
    }
    out.asked = {*path, target->path};
    out.request = {command.http.method, *path, command.http.headers};
    if (target->hasQuery) {
        out.request.target += "?" + uri::queryToSatellite(*out.back, target->query);
    }
    const std::string type = contentType(out.request.headers);
    const uri::Format format = uri::formatOf(type, *path);
    uri::localiseHeaders(*out.back, uri::Direction::toSatellite, format, out.request.headers);
    out.length = command.bodyLength;
    if (uri::MultipartLocaliser::isMultipart(type)) {
        out.multipart = std::make_unique<uri::MultipartLocaliser>(*out.back, type);
    } else if (format == uri::Format::json) {
        out.localiser = std::make_unique<uri::Localiser>(*out.back, uri::Direction::toSatellite, format);
    }
    return out;
}

RequestTranslation RequestTranslation::untouched(RequestHead head, std::int64_t bodyLength)
{
    RequestTranslation out;
    out.request = std::move(head);
    out.length = bodyLength;
    return out;
}

Result<void> RequestTranslation::body(std::string_view piece, bool last, std::string& out)
{
    if (multipart) {
        const std::int64_t before = multipart->settled() ? multipart->lengthDelta() : 0;
        Result<void> fed = multipart->feed(piece, out);
        if (fed && last) {
            fed = multipart->finish(out);
        }
        if (length >= 0 && before == 0) {
            length = multipart->settled() ? length + multipart->lengthDelta() : (last ? length : -1);
        }
        return mapped(std::move(fed), multipart->foreign());
    }
    if (!localiser) {
        out += piece;
        return {};
    }
    const bool whole = last && out.empty();
    Result<void> fed = localiser->feed(piece, out);
    if (fed && last) {
        fed = localiser->finish(out);
    }
    length = whole ? static_cast<std::int64_t>(out.size()) : -1;
    return mapped(std::move(fed), localiser->foreign());
}

Result<void> RequestTranslation::mapped(Result<void> result, const std::vector<uri::ForeignUri>& foreign) const
{
    if (!foreign.empty()) {
        return Error{Code::invalidArgument, foreign.front().uri};
    }
    return result;
}

}  // namespace mesh::connector
