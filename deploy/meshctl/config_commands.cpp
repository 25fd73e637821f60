#include "deploy/meshctl/admin_request.hpp"
#include "deploy/meshctl/commands.hpp"
#include "deploy/meshctl/line_diff.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/config/yaml_json.hpp"
#include "shoset/host/files.hpp"

#include <iostream>
#include <iterator>
#include <utility>

namespace mesh::ctl {

namespace {

using json = nlohmann::json;

constexpr const char* configUri = "/mesh/v1/config";

// What a file is, before it is uploaded.
struct Layer {
    std::string tenant;  // empty: not said
    std::string kind;
    std::string name;
    json document;
};

// A worker's words must not steer the terminal.
std::string shown(std::string text)
{
    for (char& c : text) {
        c = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
    return text;
}

// As the mesh names documents; see aggregator/core/configuration_rules.hpp.
std::string layerName(const std::string& kind, const json& document)
{
    if (kind == "pivot") {
        return document.value("major", json(1)).dump() + "." + document.value("type", "");
    }
    return document.value(kind == "component" ? "connector" : "product", "");
}

// The file may name its tenant itself, which the document does not have.
Result<Layer> readLayer(const ConfigOptions& options)
{
    Result<std::string> text = options.file == "-" ? Result<std::string>(std::string(std::istreambuf_iterator<char>(std::cin), {}))
                                                   : host::readFile(options.file, limits::maxConfigBytes);
    const Result<std::string> converted = text ? config::jsonOfYaml(options.file, *text) : text;
    if (!converted) {
        return converted.error();
    }
    Layer layer;
    layer.document = json::parse(*converted, nullptr, false);
    try {
        layer.tenant = options.tenant.empty() ? layer.document.value("tenant", "") : options.tenant;
        layer.document.erase("tenant");
        if (!options.kind.empty() && !layer.document.contains("kind")) {
            layer.document["kind"] = options.kind;
        }
        layer.kind = layer.document.value("kind", "");
        layer.name = layerName(layer.kind, layer.document);
    } catch (const json::exception&) {
        return Error{Code::invalidArgument, options.file + ": expected a mapping whose names are texts"};
    }
    if (layer.kind != "pivot" && layer.kind != "product" && layer.kind != "component") {
        return Error{Code::invalidArgument, options.file + ": expected 'kind: pivot', product or component"};
    }
    if (!options.kind.empty() && layer.kind != options.kind) {
        return Error{Code::invalidArgument, options.file + " is a " + layer.kind + ", not a " + options.kind};
    }
    return layer;
}

std::string label(const json& entry)
{
    return entry.value("tenant", "") + "/" + entry.value("kind", "") + "/" + entry.value("name", "");
}

std::string acknowledgement(const json& entry)
{
    if (!entry.contains("acknowledged")) {
        return {};
    }
    const json& told = entry["acknowledged"];
    std::string line = "  " + told.value("state", "");
    if (told.value("state", "") == "behind") {
        line += ": it has version " + told.value("version", json(0)).dump();
    }
    return line + (told.contains("reason") ? ": " + shown(told.value("reason", "")) : "");
}

std::string configurationLine(const json& entry)
{
    return label(entry) + "  version " + entry.value("version", json(0)).dump() + "  " + entry.value("at", "") + "  " +
           entry.value("by", "") + acknowledgement(entry);
}

// Of a pivot's name, MAJOR.TYPE, the major version may be left out: 1.
std::string pivotName(const std::string& given)
{
    const std::size_t digits = given.find_first_not_of("0123456789");
    const bool isWhole = digits != std::string::npos && digits > 0 && given[digits] == '.';
    return isWhole ? given : "1." + given;
}

// TENANT/KIND/NAME, KIND/NAME of the tenant that is given, or a file that says so. Of no tenant: the only one that has such a one.
Result<Layer> whichOne(const ConfigOptions& options)
{
    const std::string& text = options.file;
    const std::size_t slash = text.rfind('/');
    const std::size_t before = slash == std::string::npos || slash == 0 ? std::string::npos : text.rfind('/', slash - 1);
    Layer layer;
    layer.tenant = before == std::string::npos ? options.tenant : text.substr(0, before);
    layer.kind = slash == std::string::npos ? "" : text.substr(before == std::string::npos ? 0 : before + 1, slash - (before == std::string::npos ? 0 : before + 1));
    layer.name = slash == std::string::npos ? "" : text.substr(slash + 1);
    const bool isName = (layer.kind == "pivot" || layer.kind == "product" || layer.kind == "component") && isValidName(layer.name) &&
                        (layer.tenant.empty() || isValidName(layer.tenant));
    if (!isName) {
        Result<Layer> read = readLayer(options);
        const bool isNothing = !read && read.error().code == Code::notFound;
        return isNothing ? Error{Code::notFound, text + " is neither a file nor [TENANT/]KIND/NAME, such as component/sled07"} : std::move(read);
    }
    layer.name = layer.kind == "pivot" ? pivotName(layer.name) : layer.name;
    return layer;
}

Result<json> list(Connection& connection)
{
    Result<json> all = ask(connection, "GET", configUri, nullptr);
    return all ? Result<json>(all->value("documents", json::array())) : all;
}

// As the mesh has it; Code::notFound: it has none.
Result<json> fetch(Connection& connection, const Layer& layer)
{
    const Result<json> all = list(connection);
    if (!all) {
        return all.error();
    }
    std::string tenant;
    for (const json& entry : *all) {
        if (entry.value("kind", "") != layer.kind || entry.value("name", "") != layer.name ||
            (!layer.tenant.empty() && entry.value("tenant", "") != layer.tenant)) {
            continue;
        }
        if (!tenant.empty()) {
            return Error{Code::invalidArgument, "several tenants have a " + layer.kind + " " + layer.name + "; say which with --tenant"};
        }
        tenant = entry.value("tenant", "");
    }
    if (tenant.empty()) {
        return Error{Code::notFound, "there is no " + layer.kind + " " + layer.name + (layer.tenant.empty() ? "" : " of " + layer.tenant)};
    }
    return ask(connection, "GET", std::string(configUri) + "/" + tenant + ":" + layer.kind + ":" + layer.name, nullptr);
}

// Members sorted, as the mesh keeps them, so that a file in another order is no difference.
std::string yamlOf(const json& document)
{
    return config::yamlOfJson(document.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace

int configApply(Connection connection, const ConfigOptions& options)
{
    const Result<Layer> layer = readLayer(options);
    if (!layer) {
        return complain(layer.error());
    }
    json body{{"document", layer->document}};
    if (!layer->tenant.empty()) {
        body["tenant"] = layer->tenant;
    }
    if (options.follows) {
        body["follows"] = *options.follows;
    }
    const Result<json> made = ask(connection, "POST", configUri, body);
    if (!made) {
        return complain(made.error());
    }
    return done({}, connection.json ? made->dump() : label(*made) + " is in version " + made->value("version", json(0)).dump());
}

int configGet(Connection connection, const ConfigOptions& options)
{
    if (options.file.empty()) {
        const Result<json> all = list(connection);
        if (!all) {
            return complain(all.error());
        }
        if (connection.json) {
            return done({}, json{{"documents", *all}}.dump());
        }
        for (const json& entry : *all) {
            std::cout << configurationLine(entry) << '\n';
        }
        return exitOk;
    }
    const Result<Layer> layer = whichOne(options);
    const Result<json> found = layer ? fetch(connection, *layer) : Result<json>(layer.error());
    if (!found) {
        return complain(found.error());
    }
    if (connection.json) {
        return done({}, found->dump());
    }
    std::cout << "# " << configurationLine(*found) << '\n' << yamlOf(found->value("document", json()));
    return exitOk;
}

int configHistory(Connection connection, const ConfigOptions& options)
{
    const Result<Layer> layer = whichOne(options);
    const Result<json> found = layer ? fetch(connection, *layer) : Result<json>(layer.error());
    if (!found) {
        return complain(found.error());
    }
    json versions = found->value("history", json::array());
    json current = *found;
    current.erase("history");
    versions.push_back(std::move(current));
    if (connection.json) {
        return done({}, json{{"versions", versions}}.dump());
    }
    std::string before;
    std::string beforeLabel = "nothing";
    for (const json& version : versions) {
        const std::string number = "version " + version.value("version", json(0)).dump();
        const std::string text = yamlOf(version.value("document", json()));
        std::cout << number << "  " << version.value("at", "") << "  " << version.value("by", "") << acknowledgement(version) << '\n'
                  << (before.empty() ? std::string() : unifiedDiff(before, text, beforeLabel, number));
        before = text;
        beforeLabel = number;
    }
    return exitOk;
}

int configDiff(Connection connection, const ConfigOptions& options)
{
    const Result<Layer> layer = readLayer(options);
    if (!layer) {
        return complain(layer.error());
    }
    const Result<json> found = fetch(connection, *layer);
    if (!found && found.error().code != Code::notFound) {
        return complain(found.error());
    }
    const std::string wanted = yamlOf(layer->document);
    const std::string there = found ? yamlOf(found->value("document", json())) : std::string();
    const std::string from = found ? label(*found) + " version " + found->value("version", json(0)).dump() : std::string("nothing");
    const std::string difference = unifiedDiff(there, wanted, from, options.file);
    if (connection.json) {
        return done({}, json{{"differs", !difference.empty()}, {"diff", difference}}.dump());
    }
    std::cout << difference;
    return exitOk;
}

int configRemove(Connection connection, const ConfigOptions& options)
{
    const Result<Layer> layer = whichOne(options);
    const Result<json> found = layer ? fetch(connection, *layer) : Result<json>(layer.error());
    if (!found) {
        return complain(found.error());
    }
    const std::string uri = std::string(configUri) + "/" + found->value("tenant", "") + ":" + layer->kind + ":" + layer->name;
    const Result<json> gone = ask(connection, "DELETE", uri, nullptr);
    return done(gone ? Result<void>() : gone.error(), label(*found) + " is removed");
}

}  // namespace mesh::ctl
