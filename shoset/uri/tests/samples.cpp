#include "shoset/uri/tests/samples.hpp"

#include <algorithm>

namespace mesh::uri::testing {

namespace {

const char* const names[] = {"@odata.id",   "@odata.id",   "Id",    "Id",     "Name",       "HttpPushUri", "URI",
                             "uri",         "extref",      "Image", "ImageX", "HttpHeaders", "Members",    "Oem",
                             "/redfish/v1/Systems/1", "target", "MessageArgs", "Message", "", "Curi", "n\xc3\xa4me"};
const char* const ids[] = {"system", "1", "other", "a b"};
const char* const firsts[] = {"Systems",  "systems", "Chassis", "UpdateService", "TaskService", "$metadata", "Oem", "-",
                              "P_-",      "P_x",     "P_Systems", "Registries",  "JobService",  "JsonSchemas", "..", "."};
const char* const seconds[] = {"system", "1", "a%20b", "Tasks", "Log", "FirmwareInventory", "P_1", "..", ".", "{Id}", "P_"};
const char* const tails[] = {"", "", "", "/", "//", "/Bios", "//Bios", "?$skip=5", "#/A/b", "?a=/redfish/v1/Systems/1", "/Entries/7"};
const char* const junk[] = {" ", ",", ".", ":", "/", "//", "\\", "\"", "'", "<", ">", ";", ")", "]", "a", "Z", "_", "-", "\n",
                            "\t", "\xc3\xa9", "\xe2\x82\xac", "see ", "https:", "http://", "/redfish", "/redfish/v11/Systems/1",
                            "/FWUpdate", "ht", "\x01", "{", "}", "[", "?", "#", "Location:"};

}  // namespace

std::string Samples::document()
{
    return space() + value(0) + space();
}

std::string Samples::space()
{
    static const char* const spaces[] = {"", "", "", " ", "\n    ", "\n                    ", "\t", "\r\n"};
    return pick(spaces);
}

std::string Samples::uri()
{
    std::string out = rng.below(12) == 0 ? "/Redfish/V1" : "/redfish/v1";
    if (hosts && rng.below(3) == 0) {
        static const char* const bases[] = {"https://bmc", "http://BMC:80", "https://bmc:443", "https://bmc:8443", "HTTP://bmc"};
        out = pick(bases) + (rng.below(4) == 0 ? std::string("/FWUpdate") : out);
    }
    if (rng.below(8) != 0) {
        out += std::string("/") + pick(firsts);
        if (rng.below(5) != 0) {
            out += std::string("/") + pick(seconds);
        }
    }
    return out + pick(tails);
}

std::string Samples::text()
{
    std::string out;
    for (std::uint64_t i = rng.below(6); i > 0; --i) {
        out += rng.below(3) == 0 ? uri() : std::string(pick(junk));
    }
    return out;
}

std::string Samples::quote(const std::string& text, bool plain)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    std::string out = "\"";
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        const bool mayEscape = octet < 0x80 && (!plain || c == '/') && rng.below(plain ? 12 : 4) == 0;
        if (c == '"' || c == '\\' || (c == '/' && mayEscape && rng.below(2) == 0)) {
            out += std::string("\\") + c;
        } else if (c == '\n' || c == '\t') {
            out += c == '\n' ? "\\n" : "\\t";
        } else if (octet < ' ' || mayEscape) {
            out += std::string("\\u00") + digits[octet >> 4] + digits[(octet & 15) + ((octet & 15) > 9 ? 6 * rng.below(2) : 0)];
        } else {
            out += c;
        }
    }
    return out + "\"";
}

std::string Samples::string(const std::string& name)
{
    // Schemes and names of headers are not recognised when their letters are escaped: no escapes but of slashes there.
    std::string content;
    if (name == "Id") {
        content = pick(ids);
    } else if (name == "@odata.id" && rng.below(2) == 0) {
        content = std::string("/redfish/v1/Systems/") + (rng.below(2) == 0 ? "1" : "a%20b");
    } else if (rng.below(3) == 0) {
        content = uri();
    } else {
        content = text();
    }
    if (name == "HttpHeaders" && rng.below(2) == 0) {
        static const char* const headers[] = {"Location:", "location: ", "Content-Location:  ", "Host: "};
        return quote(pick(headers) + content, true);
    }
    return quote(content, hosts || name == "HttpHeaders" || rng.below(3) != 0);
}

std::string Samples::value(int depth)
{
    switch (rng.below(depth == 0 ? 2 : depth > 4 ? 8 : 10)) {
        case 0:
        case 8: return depth > 4 ? "{}" : object(depth);
        case 1:
        case 9: {
            std::string out = "[" + space();
            for (std::uint64_t i = rng.below(4); depth <= 4 && i > 0; --i) {
                out += value(depth + 1) + space() + (i > 1 ? "," : "") + space();
            }
            return out + "]";
        }
        case 2: return "-12.50e+3";
        case 3: return "null";
        case 4: return "true";
        default: return string("");
    }
}

std::string Samples::object(int depth)
{
    std::string out = "{" + space();
    std::vector<std::string> used;
    for (std::uint64_t i = rng.below(7); i > 0; --i) {
        const std::string name = pick(names);
        if (std::find(used.begin(), used.end(), name) != used.end()) {
            continue;
        }
        out += used.empty() ? "" : "," + space();
        used.push_back(name);
        out += quote(name, rng.below(8) != 0) + space() + ":" + space();
        if (name == "HttpHeaders") {
            out += "[" + string(name) + ", " + string(name) + "]";
        } else {
            out += name == "Members" || rng.below(3) == 0 ? value(depth + 1) : string(name);
        }
        out += space();
    }
    return out + "}";
}

Result<std::string> localiseInPieces(const UriMap& map, Direction direction, Format format, std::string_view body,
                                     const Asked& asked, const std::vector<std::size_t>& cuts)
{
    Localiser localiser(map, direction, format, asked);
    std::string out;
    std::size_t begin = 0;
    for (const std::size_t cut : cuts) {
        // A copy of its own, so that a look beyond the piece is a look beyond its memory.
        const std::string piece(body.substr(begin, cut - begin));
        if (const Result<void> result = localiser.feed(piece, out); !result) {
            return result.error();
        }
        begin = cut;
    }
    const std::string rest(body.substr(begin));
    Result<void> result = localiser.feed(rest, out);
    if (result) {
        result = localiser.finish(out);
    }
    if (!result) {
        return result.error();
    }
    return out;
}

std::vector<std::size_t> randomCuts(Rng& rng, std::size_t size)
{
    std::vector<std::size_t> cuts(rng.below(6));
    for (std::size_t& cut : cuts) {
        cut = static_cast<std::size_t>(rng.below(size + 1));
    }
    std::sort(cuts.begin(), cuts.end());
    return cuts;
}

}  // namespace mesh::uri::testing
