#include "cluster/history/core/database_url.hpp"

#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <array>

namespace mesh::history {

namespace {

constexpr std::string_view sqliteScheme = "sqlite:";
constexpr std::string_view ownDatabase = "sqlite";

// Of a server's URL: none of them makes a node read a file of its own, or run something, but for the authority.
constexpr std::array<std::string_view, 7> parameters{"host", "port", "sslmode", "sslrootcert", "target_session_attrs",
                                                     "application_name", "connect_timeout"};

Error wrongPlace(const std::string& why)
{
    return {Code::invalidArgument, why + ": expected sqlite, sqlite:NAME or postgresql://USER@HOST/DATABASE"};
}

Error hasPassword()
{
    return {Code::invalidArgument, "a password does not belong into the URL, where everybody could read it: seal it with 'meshctl secret put "
                                   "TENANT/NAME --to node:NODE,...' to each node, and name that secret with --password-secret"};
}

// The parameters behind the question mark.
Result<void> checkParameters(std::string_view text)
{
    while (!text.empty()) {
        const std::string_view one = text.substr(0, text.find('&'));
        const std::string_view name = one.substr(0, one.find('='));
        if (name == "password" || name == "passfile") {
            return hasPassword();
        }
        if (std::find(parameters.begin(), parameters.end(), name) == parameters.end()) {
            return wrongPlace("'" + std::string(name) + "' is no parameter that a database's URL may have here");
        }
        text.remove_prefix(std::min(text.size(), one.size() + 1));
    }
    return {};
}

Result<void> checkServer(std::string_view url)
{
    url.remove_prefix(url.find("://") + 3);
    const std::size_t question = url.find('?');
    const std::string_view address = url.substr(0, question);
    const std::size_t slash = address.find('/');
    const std::size_t at = address.find('@');
    if (at == std::string_view::npos || slash == std::string_view::npos || at > slash || at == 0) {
        return wrongPlace("a database on a server has a user and a name");
    }
    if (address.substr(0, at).find(':') != std::string_view::npos) {
        return hasPassword();
    }
    if (address.find('@', at + 1) != std::string_view::npos || slash + 1 == address.size() ||
        address.find('/', slash + 1) != std::string_view::npos) {
        return wrongPlace("this is no user, host and name of a database");
    }
    return question == std::string_view::npos ? Result<void>{} : checkParameters(url.substr(question + 1));
}

}  // namespace

bool isSqlite(const std::string& url)
{
    return url.starts_with(sqliteScheme);
}

std::string sqlitePath(const std::string& url)
{
    return url.substr(sqliteScheme.size());
}

Result<void> checkUrl(const std::string& url)
{
    const bool file = isSqlite(url) && sqlitePath(url).starts_with('/') && url.find('"') == std::string::npos;
    const bool server = url.starts_with("postgresql://") || url.starts_with("postgres://");
    return file || server ? Result<void>{}
                          : Error{Code::invalidArgument, "expected sqlite:/ABSOLUTE/PATH or postgresql://USER@HOST/DATABASE"};
}

std::string shownUrl(const std::string& url)
{
    const std::size_t scheme = url.find("://");
    if (scheme == std::string::npos) {
        return url;
    }
    const std::size_t at = url.find('@', scheme);
    const std::size_t colon = url.find(':', scheme + 3);
    std::string shown = url;
    if (at != std::string::npos && colon < at) {
        shown.replace(colon, at - colon, "");
    }
    return shown.substr(0, shown.find('?'));
}

Result<void> checkPlace(const std::string& place)
{
    if (place.size() > limits::maxDatabaseUrlBytes ||
        !std::all_of(place.begin(), place.end(), [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '\\'; })) {
        return wrongPlace("this is too long, or has characters that no such URL has");
    }
    if (place == ownDatabase) {
        return {};
    }
    if (isSqlite(place)) {
        return isValidName(sqlitePath(place)) ? Result<void>{}
                                              : wrongPlace("a file is named without folders: it stands in the tenant's own directory");
    }
    return place.starts_with("postgresql://") ? checkServer(place) : wrongPlace("this is no place for history");
}

std::string plainPlace(const std::string& place)
{
    return place == ownDatabase ? std::string() : place;
}

bool isOwnFile(const std::string& place)
{
    return place.empty() || place == ownDatabase || isSqlite(place);
}

std::string urlOfPlace(const std::string& place, const std::string& tenant, const std::string& ownUrl, const std::string& stateDirectory)
{
    if (plainPlace(place).empty()) {
        return ownUrl;
    }
    return isSqlite(place) ? std::string(sqliteScheme) + stateDirectory + "/tenants/" + tenant + "/" + sqlitePath(place) : place;
}

std::string withParameter(std::string url, std::string_view name, std::string_view value)
{
    constexpr char digits[] = "0123456789ABCDEF";
    const std::size_t question = url.find('?');
    const std::string given = question == std::string::npos ? std::string() : "&" + url.substr(question + 1);
    if (given.find("&" + std::string(name) + "=") != std::string::npos) {
        return url;
    }
    url += question == std::string::npos ? '?' : '&';
    url.append(name) += '=';
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
        url += plain ? std::string(1, c) : std::string{'%', digits[byte >> 4], digits[byte & 15]};
    }
    return url;
}

}  // namespace mesh::history
