#include "shoset/core/redfish_command.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace mesh::shoset {

namespace {

using nlohmann::json;

constexpr std::string_view commandPrefix = "redfish.";
constexpr std::string_view redfishTree = "/redfish/v1";
constexpr std::array<std::string_view, 3> passedHeaders{"If-Match", "If-None-Match", "Accept"};
constexpr std::size_t maxPassedHeaderBytes = 256;

Error expected(const std::string& what)
{
    return {Code::invalidArgument, "expected " + what + "; not executed"};
}

bool isPlain(const std::string& text)
{
    return text.size() <= maxPassedHeaderBytes && std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

Result<void> takePassedHeaders(const json& given, Headers& out)
{
    if (!given.is_object()) {
        return expected("an object of texts as 'headers'");
    }
    for (const auto& [name, value] : given.items()) {
        const auto known = std::find_if(passedHeaders.begin(), passedHeaders.end(),
                                        [&name = name](std::string_view each) { return equalsIgnoreCase(each, name); });
        if (known == passedHeaders.end() || !value.is_string() || !isPlain(value.get_ref<const std::string&>())) {
            return expected("nothing but If-Match, If-None-Match and Accept, each a text of at most " +
                            std::to_string(maxPassedHeaderBytes) + " printable characters, in 'headers'");
        }
        out.push_back({std::string(*known), value.get<std::string>()});
    }
    return {};
}

// Below the tree, or its root.
bool isInTree(std::string_view uri)
{
    return uri.size() >= redfishTree.size() && equalsIgnoreCase(uri.substr(0, redfishTree.size()), redfishTree) &&
           (uri.size() == redfishTree.size() || uri[redfishTree.size()] == '/' || uri[redfishTree.size()] == '?');
}

Result<void> takeMembers(const json& document, RedfishCommand& out)
{
    for (const auto& [name, value] : document.items()) {
        if (name == "uri" && value.is_string()) {
            out.uri = value.get<std::string>();
        } else if (name == "body" && out.method != "GET" && out.method != "DELETE") {
            out.body = value.dump();
        } else if (name == "headers") {
            if (const Result<void> taken = takePassedHeaders(value, out.headers); !taken) {
                return taken;
            }
        } else {
            return expected(out.method == "GET" || out.method == "DELETE" ? "'uri' and maybe 'headers', nothing else"
                                                                          : "'uri', 'body' and maybe 'headers', nothing else");
        }
    }
    return {};
}

}  // namespace

bool isRedfishCommand(std::string_view name)
{
    return std::find(redfishCommands.begin(), redfishCommands.end(), name) != redfishCommands.end();
}

Result<RedfishCommand> parseRedfishCommand(std::string_view name, std::string_view payload)
{
    const Result<std::string> checked = compactJson(payload, limits::maxPayloadBytes, limits::maxPayloadDepth);
    if (!checked) {
        return Error{Code::invalidArgument, checked.error().message + "; not executed"};
    }
    const json document = json::parse(*checked, nullptr, false);
    RedfishCommand out;
    for (const char c : name.substr(commandPrefix.size())) {
        out.method += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    if (!document.is_object()) {
        return expected("an object with a 'uri'");
    }
    if (const Result<void> taken = takeMembers(document, out); !taken) {
        return taken.error();
    }
    if (!isInTree(out.uri) || out.uri.size() > limits::maxUriBytes) {
        return expected("a 'uri' of the BMC, from /redfish/v1 on, of at most " + std::to_string(limits::maxUriBytes) + " bytes");
    }
    if (out.method == "PATCH" && out.body.empty()) {
        return expected("a 'body'");
    }
    return out;
}

}  // namespace mesh::shoset
