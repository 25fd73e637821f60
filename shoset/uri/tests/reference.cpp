#include "shoset/uri/tests/reference.hpp"

#include <algorithm>
#include <cctype>

namespace mesh::uri::testing {

namespace {

using nlohmann::json;

// As in the specification.
const char* const collectionsText =
    "AggregationService/{Aggregates, AggregationSources, ConnectionMethods} · AutomationNodes · Cables · "
    "CertificateService/{CertificateEnrollments, EnrollmentCACertificates} · Chassis · ComponentIntegrity · "
    "CompositionService/{ActivePool, CompositionReservations, FreePool, ResourceBlocks, ResourceZones} · "
    "EventService/Subscriptions · Fabrics · Facilities · JobService/{Documents, Executors, Jobs, Log/Entries} · "
    "KeyService/{NVMeoFKeyPolicies, NVMeoFSecrets} · LicenseService/Licenses · Managers · NVMeDomains · "
    "PowerEquipment/{ElectricalBuses, FloorPDUs, PowerShelves, RackPDUs, Switchgear, TransferSwitches} · "
    "RegisteredClients · Registries · ResourceBlocks · Storage · StorageServices · StorageSystems · Systems · "
    "TaskService/Tasks · TelemetryService/{LogService/Entries, MetricDefinitions, MetricReportDefinitions, "
    "MetricReports, TelemetryData, Triggers} · ThermalEquipment/{CDUs, CoolingLoops, HeatExchangers, ImmersionUnits, "
    "RPUs} · UpdateService/{ClientCertificates, FirmwareInventory, LocalImageStore, RemoteServerCertificates, "
    "RemoteServerSSHKeys, SoftwareInventory} · TaskService/TaskMonitors";
const char* const singletonsText =
    "AccountService, AggregationService, CertificateService, CompositionService, EventService, JobService, KeyService, "
    "LicenseService, PowerEquipment, ServiceConditions, SessionService, TaskService, TelemetryService, "
    "ThermalEquipment, UpdateService, JsonSchemas, odata, $metadata";

std::string lower(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return c < 128 ? std::tolower(c) : c; });
    return text;
}

std::vector<std::string> split(const std::string& text, const std::string& by)
{
    std::vector<std::string> parts;
    std::size_t begin = 0;
    for (std::size_t at = text.find(by); at != std::string::npos; at = text.find(by, begin)) {
        parts.push_back(text.substr(begin, at - begin));
        begin = at + by.size();
    }
    parts.push_back(text.substr(begin));
    return parts;
}

bool contains(const std::vector<std::string>& list, const std::string& item)
{
    return std::find(list.begin(), list.end(), item) != list.end();
}

bool endsUri(char c)
{
    return (static_cast<unsigned char>(c) <= ' ') || std::string("\"'`<>,;)]\\").find(c) != std::string::npos;
}

bool joins(char c)
{
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string("_/.:-").find(c) != std::string::npos;
}

std::size_t endFrom(const std::string& text, std::size_t at, bool pathOnly)
{
    while (at < text.size() && !endsUri(text[at]) && !(pathOnly && (text[at] == '?' || text[at] == '#'))) {
        ++at;
    }
    return at;
}

bool hasEmptySegment(std::string path)
{
    while (path.ends_with('/')) {
        path.pop_back();
    }
    return path.find("//") != std::string::npos;
}

bool inTree(const std::string& path)
{
    std::vector<std::string> segments = split(lower(path), "/");
    std::erase(segments, "");
    return path.starts_with('/') && segments.size() >= 2 && segments[0] == "redfish" && segments[1] == "v1";
}

// The path at `at`, without a sentence's end.
std::string pathAt(const std::string& text, std::size_t at)
{
    const std::size_t end = endFrom(text, at, true);
    std::string path = text.substr(at, end - at);
    while ((end == text.size() || endsUri(text[end])) && (path.ends_with('.') || path.ends_with(':'))) {
        path.pop_back();
    }
    return path;
}

// Length of the scheme of an absolute URL whose "://" has its first slash at `at`; 0 if it is not http(s).
std::size_t schemeLength(const std::string& text, std::size_t start, std::size_t at)
{
    for (const std::string scheme : {"https:", "http:"}) {
        const std::size_t size = scheme.size();
        if (at >= start + size && lower(text.substr(at - size, size)) == scheme) {
            return at == start + size || !joins(text[at - size - 1]) ? size : 0;
        }
    }
    return 0;
}

std::string withBlanks(std::string text)
{
    for (std::size_t at = text.find("%20"); at != std::string::npos; at = text.find("%20")) {
        text.replace(at, 3, " ");
    }
    return text;
}

bool isUriName(const std::string& name)
{
    return name.ends_with("Uri") || name.ends_with("URI") || name == "uri" || name == "extref" || name == "Image";
}

}  // namespace

Reference::Reference(std::string prefixText, std::vector<std::string> hostNames, Asked askedFor)
    : prefix(std::move(prefixText)), hosts(std::move(hostNames)), asked(std::move(askedFor))
{
    for (const std::string& entry : split(collectionsText, " · ")) {
        const std::size_t brace = entry.find('{');
        const std::string above = entry.substr(0, brace);
        const std::string below = brace == std::string::npos ? "" : entry.substr(brace + 1, entry.size() - brace - 2);
        for (const std::string& name : split(below, ", ")) {
            collections.push_back(lower(above + name));
        }
    }
    singletons = split(lower(singletonsText), ", ");
    for (const std::string& entry : collections) {
        for (std::size_t at = entry.find('/'); at != std::string::npos; at = entry.find('/', at + 1)) {
            singletons.push_back(entry.substr(0, at));
        }
    }
}

std::optional<std::string> Reference::path(const std::string& path, bool isUri) const
{
    const auto mapped = pathInTree(path);
    if (mapped || !isUri || !path.starts_with('/') || path.starts_with("//") || inTree(path) || hasEmptySegment(path)) {
        return mapped;
    }
    return "/redfish/v1/" + prefix + "_-" + path;
}

std::optional<std::string> Reference::pathInTree(const std::string& path) const
{
    std::string trimmed = path;
    while (trimmed.ends_with('/')) {
        trimmed.pop_back();
    }
    const std::string tail = path.substr(trimmed.size());
    std::vector<std::string> segments = split(trimmed, "/");
    if (segments.size() < 3 || lower(segments[1]) != "redfish" || lower(segments[2]) != "v1" || !segments[0].empty() ||
        std::count(segments.begin(), segments.end(), "") > 1) {
        return std::nullopt;
    }
    if (segments.size() == 3) {
        return path;
    }
    if (!asked.satelliteUri.empty() && lower(asked.satelliteUri) == lower(trimmed) &&
        lower(asked.facadeUri) == lower("/redfish/v1/" + prefix + "_" + trimmed.substr(12))) {
        segments[3] = prefix + "_" + segments[3];
    } else {
        std::string joined;
        std::size_t at = 3;
        for (std::size_t i = 3; i < segments.size(); ++i) {
            joined += (i > 3 ? "/" : "") + lower(segments[i]);
            if (contains(collections, joined)) {
                at = i + 1;
                break;
            }
        }
        if (at == segments.size() || (at == 3 && contains(singletons, joined))) {
            return path;
        }
        if (segments[at] == "." || segments[at] == ".." || (at == 3 && segments[at] == "-")) {
            return std::nullopt;
        }
        segments[at] = prefix + "_" + segments[at];
    }
    std::string out;
    for (std::size_t i = 1; i < segments.size(); ++i) {
        out += "/" + segments[i];
    }
    return out + tail;
}

std::string Reference::text(const std::string& text, bool uriProperty, std::size_t start) const
{
    std::string out = text.substr(0, start);
    std::size_t i = start;
    const auto copyUntil = [&](std::size_t end) {
        out += text.substr(i, end - i);
        i = end;
    };
    const auto take = [&](const std::string& here, const std::string& mapped) {
        out += mapped;
        i += here.size();
        copyUntil(endFrom(text, i, false));
    };
    while (i < text.size()) {
        const bool first = i == start;
        const std::string here = pathAt(text, i);
        const auto mapped = path(here, uriProperty && first);
        const std::size_t scheme = schemeLength(text, start, i);
        if (text[i] != '/') {
            copyUntil(i + 1);
        } else if (!first && text[i - 1] == ':' && text.substr(i + 1, 1) == "/") {
            const std::size_t hostEnd = std::min(text.find('/', i + 2), endFrom(text, i, true));
            const std::string local = pathAt(text, hostEnd);
            const auto own = path(local, uriProperty && i == start + scheme);
            if (scheme > 0 && isOwn(lower(text.substr(i + 2, hostEnd - i - 2)), scheme == 6) && own) {
                out.resize(out.size() - scheme);
                i = hostEnd;
                take(local, *own);
            } else {
                copyUntil(endFrom(text, i, false));
            }
        } else if (mapped && (first || !joins(text[i - 1]))) {
            take(here, *mapped);
        } else if ((first || !joins(text[i - 1])) && lower(text.substr(i, 11)) == "/redfish/v1") {
            copyUntil(endFrom(text, i, false));
        } else {
            copyUntil(i + 1);
        }
    }
    return out;
}

bool Reference::isOwn(std::string host, bool secure) const
{
    const std::string port = secure ? ":443" : ":80";
    if (host.ends_with(port)) {
        host.resize(host.size() - port.size());
    }
    return contains(hosts, host);
}

std::string Reference::memberId(const json& object, int depth) const
{
    std::string uri;
    if (depth == 1) {
        uri = asked.satelliteUri;
        if (path(uri, false).value_or(uri) == uri || path(uri, false) != asked.facadeUri) {
            return "";
        }
    } else if (const auto it = object.find("@odata.id"); it != object.end() && it->is_string()) {
        uri = it->get<std::string>();
    }
    if (const std::size_t colon = uri.find("://"); colon != std::string::npos) {
        const std::size_t hostEnd = std::min(uri.find('/', colon + 3), uri.size());
        if (schemeLength(uri, 0, colon + 1) != colon + 1 || !isOwn(lower(uri.substr(colon + 3, hostEnd - colon - 3)), colon == 5)) {
            return "";
        }
        uri.erase(0, hostEnd);
    }
    while (uri.ends_with('/')) {
        uri.pop_back();
    }
    const std::size_t slash = uri.rfind('/');
    if (slash == std::string::npos || slash < 12 || !contains(collections, lower(uri.substr(12, slash - 12))) ||
        lower(uri.substr(0, 11)) != "/redfish/v1" || path(uri, false).value_or(uri) == uri) {
        return "";
    }
    return uri.substr(slash + 1);
}

json Reference::document(const json& document) const
{
    return value(document, "", 0);
}

json Reference::value(const json& value, const std::string& name, int depth) const
{
    if (value.is_object()) {
        json out = json::object();
        const std::string id = asked.satelliteUri.empty() ? "" : memberId(value, depth + 1);
        for (const auto& [key, member] : value.items()) {
            out[key] = this->value(member, key, depth + 1);
            const bool same = member.is_string() && !id.empty() &&
                              (member.get<std::string>() == id || member.get<std::string>() == withBlanks(id));
            if (key == "Id" && same) {
                out[key] = prefix + "_" + out[key].get<std::string>();
            }
        }
        return out;
    }
    if (value.is_array()) {
        json out = json::array();
        std::string current = name;
        for (const json& element : value) {
            out.push_back(this->value(element, current, depth + 1));
            current = element.is_structured() ? "" : current;
        }
        return out;
    }
    if (!value.is_string()) {
        return value;
    }
    const std::string string = value.get<std::string>();
    if (name == "HttpHeaders") {
        for (const std::string header : {"location:", "content-location:"}) {
            if (lower(string.substr(0, header.size())) == header) {
                return text(string, true, std::min(string.find_first_not_of(' ', header.size()), string.size()));
            }
        }
    }
    return text(string, isUriName(name));
}

}  // namespace mesh::uri::testing
