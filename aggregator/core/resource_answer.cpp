#include "aggregator/core/resource_answer.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/query.hpp"
#include "aggregator/core/resource_schemas.hpp"
#include "shoset/base/ids.hpp"

#include <nlohmann/json.hpp>
#include <sodium.h>

#include <algorithm>
#include <chrono>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

std::string_view trim(std::string_view text)
{
    const std::size_t first = text.find_first_not_of(" \t");
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Our tags have no comma. `weak`: W/"x" is "x" too, as If-None-Match compares (RFC 9110, 13.1).
bool namesTag(std::string_view list, std::string_view etag, bool weak)
{
    if (trim(list) == "*") {
        return true;
    }
    while (!list.empty()) {
        std::string_view tag = trim(list.substr(0, list.find(',')));
        list.remove_prefix(std::min(list.size(), list.find(',') == std::string_view::npos ? list.size() : list.find(',') + 1));
        if (weak && tag.starts_with("W/")) {
            tag.remove_prefix(2);
        }
        if (tag == etag) {
            return true;
        }
    }
    return false;
}

}  // namespace

std::string hashTag(std::string_view body)
{
    std::string hash(crypto_generichash_BYTES_MIN, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(hash.data()), hash.size(),
                       reinterpret_cast<const unsigned char*>(body.data()), body.size(), nullptr, 0);
    return '"' + toHex(hash) + '"';
}

Answer representationAnswer(const RequestHead& request, Representation resource, int status, Headers extra)
{
    if (resource.etag.empty()) {
        resource.etag = hashTag(resource.body);
    }
    Headers headers{{"Content-Type", "application/json"},
                    {"OData-Version", "4.0"},
                    {"Cache-Control", "no-cache"},
                    {"Allow", resource.allow},
                    {"ETag", resource.etag},
                    {"Link", "<" + schemaUri(resource.type) + ">; rel=describedby"}};
    const bool read = request.method == "GET" || request.method == "HEAD";
    const std::string* known = findHeader(request.headers, "If-None-Match");
    if (read && status == 200 && known != nullptr && namesTag(*known, resource.etag, true)) {
        removeHeader(headers, "Content-Type");
        return {{304, std::move(headers)}, {}};
    }
    for (Header& header : extra) {
        setHeader(headers, header.name, std::move(header.value));
    }
    return {{status, std::move(headers)}, std::move(resource.body)};
}

Answer documentAnswer(int status, std::string contentType, std::string body)
{
    return {{status,
             {{"Content-Type", std::move(contentType)},
              {"OData-Version", "4.0"},
              {"Cache-Control", "no-cache"},
              {"Allow", std::string(readOnly)}}},
            std::move(body)};
}

Answer ownCollectionAnswer(const OwnCollection& collection, std::string_view allow, const OwnRequest& request)
{
    ParsedQuery parsed = parseCollectionQuery(request.query);
    if (Answer* refusal = std::get_if<Answer>(&parsed)) {
        return std::move(*refusal);
    }
    const CollectionQuery& wanted = std::get<CollectionQuery>(parsed);
    const std::size_t first = std::min(wanted.skip, collection.members.size());
    const std::size_t end = first + std::min(wanted.top, collection.members.size() - first);
    json members = json::array();
    for (std::size_t i = first; i < end; ++i) {
        members.push_back({{"@odata.id", collection.members[i]}});
    }
    const std::string type = "#" + collection.type + "." + collection.type;
    const json body{{"@odata.id", collection.uri},
                    {"@odata.type", type},
                    {"Name", collection.name},
                    {"Members@odata.count", collection.members.size()},
                    {"Members", std::move(members)}};
    return representationAnswer(request.head, {type, jsonText(body),
                                               std::string(allow), {}});
}

Answer noContent()
{
    return {{204, {{"OData-Version", "4.0"}, {"Cache-Control", "no-store"}}}, {}};
}

Answer notFound(std::string_view path)
{
    // Resources are looked for without trailing slashes.
    return errorAnswer(404, {"ResourceMissingAtURI", {path.empty() ? "/" : std::string(path)}, {}});
}

Answer forbidden()
{
    return errorAnswer(403, {"InsufficientPrivilege", {}, {}});
}

Answer methodNotAllowed(std::string_view allow)
{
    Answer answer = errorAnswer(405, {"OperationNotAllowed", {}, {}});
    answer.head.headers.push_back({"Allow", std::string(allow)});
    return answer;
}

bool isConditional(const RequestHead& request)
{
    return findHeader(request.headers, "If-Match") != nullptr;
}

bool failsIfMatch(const RequestHead& request, std::string_view etag)
{
    const std::string* wanted = findHeader(request.headers, "If-Match");
    return wanted != nullptr && !namesTag(*wanted, etag, false);
}

Answer preconditionFailed()
{
    return errorAnswer(412, {"PreconditionFailed", {}, {}});
}

Answer refusedChange(const Error& error, std::string_view uri)
{
    const std::string sentence = "The change was refused: " + error.message + ".";
    switch (error.code) {
        case Code::notFound: return notFound(uri);
        case Code::preconditionFailed: return preconditionFailed();
        case Code::permissionDenied: return errorAnswer(403, {"InsufficientPrivilege", {}, {}}, sentence);
        case Code::refused: return errorAnswer(409, {"ResourceInUse", {}, {}}, sentence);
        case Code::full: return errorAnswer(400, {"CreateLimitReachedForResource", {}, {}}, sentence);
        default: return errorAnswer(400, {"GeneralError", {}, {}}, sentence);
    }
}

}  // namespace mesh::aggregator
