#include "shoset/http/format.hpp"

#include "shoset/http/grammar.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace mesh::http {

namespace {

constexpr std::string_view version = "HTTP/1.1";

bool splitsMessage(char c)
{
    return c == '\r' || c == '\n' || c == '\0';
}

void appendHeaders(std::string& out, const Headers& headers)
{
    for (const Header& header : headers) {
        if (!isToken(header.name)) {
            continue;
        }
        out += header.name;
        out += ": ";
        const std::size_t start = out.size();
        out += header.value;
        std::replace_if(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(), splitsMessage, ' ');
        out += "\r\n";
    }
    out += "\r\n";
}

std::size_t sizeOf(const Headers& headers)
{
    std::size_t size = 64;
    for (const Header& header : headers) {
        size += header.name.size() + header.value.size() + 4;
    }
    return size;
}

void appendTarget(std::string& out, std::string_view target)
{
    static constexpr std::string_view digits = "0123456789ABCDEF";
    for (const char c : target) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= ' ' || byte == 0x7f) {
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        } else {
            out += c;
        }
    }
}

}  // namespace

std::string formatRequest(const RequestHead& head)
{
    std::string out;
    out.reserve(sizeOf(head.headers) + head.method.size() + head.target.size());
    std::copy_if(head.method.begin(), head.method.end(), std::back_inserter(out), isTokenCharacter);
    out += ' ';
    appendTarget(out, head.target);
    out += ' ';
    out += version;
    out += "\r\n";
    appendHeaders(out, head.headers);
    return out;
}

std::string formatResponse(const ResponseHead& head)
{
    std::string out;
    appendResponse(out, head);
    return out;
}

void appendResponse(std::string& out, const ResponseHead& head)
{
    out.reserve(out.size() + sizeOf(head.headers));
    out += version;
    out += ' ';
    out += std::to_string(head.status);
    out += ' ';
    out += reasonPhrase(head.status);
    out += "\r\n";
    appendHeaders(out, head.headers);
}

std::string_view reasonPhrase(int status)
{
    struct Phrase {
        int status;
        std::string_view text;
    };
    static constexpr std::array phrases = std::to_array<Phrase>({
        {100, "Continue"}, {101, "Switching Protocols"}, {200, "OK"}, {201, "Created"}, {202, "Accepted"},
        {203, "Non-Authoritative Information"}, {204, "No Content"}, {205, "Reset Content"}, {206, "Partial Content"},
        {300, "Multiple Choices"}, {301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"},
        {304, "Not Modified"}, {307, "Temporary Redirect"}, {308, "Permanent Redirect"}, {400, "Bad Request"},
        {401, "Unauthorized"}, {402, "Payment Required"}, {403, "Forbidden"}, {404, "Not Found"},
        {405, "Method Not Allowed"}, {406, "Not Acceptable"}, {407, "Proxy Authentication Required"},
        {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"}, {411, "Length Required"},
        {412, "Precondition Failed"}, {413, "Content Too Large"}, {414, "URI Too Long"},
        {415, "Unsupported Media Type"}, {416, "Range Not Satisfiable"}, {417, "Expectation Failed"},
        {421, "Misdirected Request"}, {422, "Unprocessable Content"}, {425, "Too Early"}, {426, "Upgrade Required"},
        {428, "Precondition Required"}, {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"},
        {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"}, {507, "Insufficient Storage"},
    });
    const auto found = std::lower_bound(phrases.begin(), phrases.end(), status,
                                        [](const Phrase& phrase, int wanted) { return phrase.status < wanted; });
    return found != phrases.end() && found->status == status ? found->text : "Unknown";
}

std::string chunkPrefix(std::size_t size)
{
    std::array<char, 20> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), size, 16).ptr;
    return std::string(text.data(), end) + "\r\n";
}

}  // namespace mesh::http
