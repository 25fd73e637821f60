#include "cluster/history/connection.hpp"

#include "cluster/history/core/database_url.hpp"
#include "shoset/base/limits.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace mesh::history {

namespace {

using Factory = const soci::backend_factory* (*)();

// By the loader's own search path: SOCI's would begin with the current directory. `loaded` keeps it loaded.
Result<const soci::backend_factory*> loadBackend(const char* library, const char* symbol, const char* package,
                                                 std::shared_ptr<void>& loaded)
{
    if (void* opened = ::dlopen(library, RTLD_NOW | RTLD_LOCAL); opened != nullptr) {
        loaded = std::shared_ptr<void>(opened, [](void* handle) { ::dlclose(handle); });
    }
    const auto factory = loaded == nullptr ? nullptr : reinterpret_cast<Factory>(::dlsym(loaded.get(), symbol));
    if (factory == nullptr) {
        const char* why = ::dlerror();
        return Error{Code::unavailable, std::string(library) + " cannot be loaded (Debian's package " + package +
                                            "): " + (why == nullptr ? "it is another one" : why)};
    }
    return factory();
}

// SQLite would make it readable for all; the files beside it get the mode that it has. One that is as it has to be is not opened:
// closing it would end the locks that another connection of this process has on it.
Result<void> prepareFile(const std::string& path)
{
    struct stat status = {};
    if (::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 07777) == 0600) {
        return {};
    }
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    const bool fine = fd >= 0 && ::fchmod(fd, 0600) == 0;
    const int failure = errno;
    if (fd >= 0) {
        ::close(fd);
    }
    return fine ? Result<void>{} : Error{Code::ioError, path + ": " + std::generic_category().message(failure)};
}

Result<Connection> connectSqlite(const std::string& url, std::shared_ptr<void>& library)
{
    const std::string path = sqlitePath(url);
    if (Result<void> prepared = prepareFile(path); !prepared) {
        return prepared.error();
    }
    const auto backend = loadBackend("libsoci_sqlite3.so.4.0", "factory_sqlite3", "libsoci-sqlite3-4.0", library);
    if (!backend) {
        return backend.error();
    }
    Connection made{library, std::make_unique<soci::session>(**backend, "dbname=\"" + path + "\""), Dialect::sqlite};
    soci::session& sql = *made.session;
    std::string mode;
    sql << "pragma busy_timeout = " << limits::historySeconds * 1000;
    sql << "pragma journal_mode = wal", soci::into(mode);
    sql << "pragma synchronous = full";         // a commit is on disk
    sql << "pragma cache_size = -512";          // KiB; pages are mostly appended to
    sql << "pragma wal_autocheckpoint = 128";   // pages, so that the log stays below a MiB
    sql << "pragma journal_size_limit = 1048576";
    return mode == "wal" ? Result<Connection>(std::move(made))
                         : Error{Code::ioError, path + ": its file system does not take SQLite's write-ahead log"};
}

// What an operator says himself counts.
void addParameter(std::string& url, const std::string& name, const std::string& value)
{
    url = withParameter(std::move(url), name, value);
}

Result<Connection> connectPostgres(std::string url, const std::string& password, std::shared_ptr<void>& library)
{
    const auto backend = loadBackend("libsoci_postgresql.so.4.0", "factory_postgresql", "libsoci-postgresql4.0", library);
    if (!backend) {
        return backend.error();
    }
    const std::string seconds = std::to_string(limits::historySeconds);
    addParameter(url, "connect_timeout", seconds);
    addParameter(url, "tcp_user_timeout", seconds + "000");
    // Also while an answer is waited for, which tcp_user_timeout does not cover: a server that is gone is noticed within 9 seconds.
    addParameter(url, "keepalives_idle", "5");
    addParameter(url, "keepalives_interval", "2");
    addParameter(url, "keepalives_count", "2");
    addParameter(url, "application_name", "bmcmesh");
    if (!password.empty()) {
        addParameter(url, "password", password);
    }
    Connection made{library, std::make_unique<soci::session>(**backend, url), Dialect::postgresql};
    soci::session& sql = *made.session;
    sql << "set statement_timeout = " << limits::historySeconds * 1000;
    sql << "set client_min_messages = warning";
    return made;
}

}  // namespace

Result<Connection> connect(const std::string& url, const std::string& password)
{
    if (Result<void> fine = checkUrl(url); !fine) {
        return fine.error();
    }
    std::shared_ptr<void> library;  // outlives what it throws
    try {
        return isSqlite(url) ? connectSqlite(url, library) : connectPostgres(url, password, library);
    } catch (const soci::soci_error& thrown) {
        return errorOf(thrown, url);
    }
}

Error errorOf(const soci::soci_error& thrown, const std::string& url)
{
    std::string sentence;
    for (const char c : thrown.get_error_message()) {
        const bool space = static_cast<unsigned char>(c) <= ' ';
        if (!space || (!sentence.empty() && sentence.back() != ' ')) {
            sentence += space ? ' ' : c;
        }
    }
    while (!sentence.empty() && (sentence.back() == ' ' || sentence.back() == '.')) {
        sentence.pop_back();
    }
    return {Code::ioError, shownUrl(url) + ": " + sentence};
}

Transaction::Transaction(Connection& given) : connection(given)
{
    *connection.session << (connection.dialect == Dialect::sqlite ? "begin immediate" : "begin");
}

Transaction::~Transaction()
{
    if (!open) {
        return;
    }
    try {
        *connection.session << "rollback";
    } catch (const soci::soci_error&) {
        connection.session.reset();  // of no more use
    }
}

void Transaction::commit()
{
    *connection.session << "commit";
    open = false;
}

}  // namespace mesh::history
