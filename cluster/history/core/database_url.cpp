#include "cluster/history/core/database_url.hpp"

namespace mesh::history {

namespace {

constexpr std::string_view sqliteScheme = "sqlite:";

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

}  // namespace mesh::history
