#include "deploy/meshctl/session.hpp"

#include "connector/redfish/client.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/config/reader.hpp"
#include "shoset/host/files.hpp"
#include "shoset/host/loop.hpp"

#include <cstdlib>
#include <string_view>
#include <utility>

namespace mesh::ctl {

namespace {

constexpr std::size_t maxReplyBytes = 64 * 1024 * 1024;

class Collector final : public connector::BmcEvents {
public:
    explicit Collector(host::Loop& ownLoop) : loop(ownLoop) {}
    void attach(connector::RedfishClient& http) { client = &http; }

    void onHead(connector::BmcExchange, ResponseHead head, bool bodyFollows, Now) override
    {
        reply.status = head.status;
        reply.headers = std::move(head.headers);
        if (!bodyFollows) {
            finish();
        }
    }
    void onBody(connector::BmcExchange id, std::string_view piece, bool last, Now) override
    {
        reply.body += piece;
        if (reply.body.size() > maxReplyBytes) {
            failure = Error{Code::tooLarge, "the answer is over " + std::to_string(maxReplyBytes) + " bytes"};
            finish();
        } else if (last) {
            finish();
        } else {
            client->grant(id, piece.size());
        }
    }
    void onBodySent(connector::BmcExchange, std::size_t, Now) override {}
    void onFailure(connector::BmcExchange, Error error, Now) override
    {
        failure = std::move(error);
        finish();
    }

    Result<Reply> take()
    {
        if (failure.code != Code::ok) {
            return failure;
        }
        return std::move(reply);
    }

private:
    void finish()
    {
        client->stop([this] { loop.stop(); });
    }

    host::Loop& loop;
    connector::RedfishClient* client = nullptr;
    Reply reply;
    Error failure;
};

std::string contextFile()
{
    const char* config = std::getenv("XDG_CONFIG_HOME");
    const char* home = std::getenv("HOME");
    const std::string base = config != nullptr ? config : std::string(home != nullptr ? home : "") + "/.config";
    return base + "/bmcmesh/contexts.yaml";
}

void fill(std::string& value, const std::string& fallback)
{
    if (value.empty()) {
        value = fallback;
    }
}

Result<void> fillFromContext(Connection& connection)
{
    const std::string path = contextFile();
    const Result<std::string> text = host::readFile(path, limits::maxConfigBytes);
    if (!text) {
        return connection.context.empty() ? Result<void>{}
                                          : Result<void>{Error{Code::notFound, "context " + connection.context + ": " +
                                                                                   text.error().message}};
    }
    config::Reader reader(path, *text);
    config::Section root = reader.root();
    const std::string wanted = connection.context.empty() ? root.text("current", "") : connection.context;
    if (connection.context.empty()) {
        connection.context = wanted;
    } else {
        root.text("current", "");
    }
    bool found = wanted.empty();
    for (config::Section entry : root.sections("contexts")) {
        const bool chosen = entry.text("name") == wanted;
        const Connection values{entry.text("url"), entry.text("user", ""), entry.text("password_file", ""),
                                entry.text("cacert", ""), "", false, {}};
        if (chosen) {
            found = true;
            fill(connection.url, values.url);
            fill(connection.user, values.user);
            fill(connection.passwordFile, values.passwordFile);
            fill(connection.caFile, values.caFile);
        }
    }
    if (Result<void> fine = reader.finish(); !fine) {
        return fine;
    }
    return found ? Result<void>{} : Result<void>{Error{Code::notFound, path + " has no context '" + wanted + "'"}};
}

// The client is the one that connectors have; what it calls a BMC is the facade here.
Error forOperators(Error error)
{
    constexpr std::string_view other = "BMC ";
    if (error.message.starts_with(other)) {
        error.message.erase(0, other.size());
    }
    if (error.message.find("is not trusted") != std::string::npos) {
        error.message += " (--cacert or BMCMESH_CACERT names whom to trust)";
    }
    return error;
}

}  // namespace

Result<void> completeConnection(Connection& connection)
{
    if (Result<void> filled = fillFromContext(connection); !filled) {
        return filled;
    }
    if (connection.url.empty()) {
        return Error{Code::invalidArgument, "no facade: give --url, BMCMESH_URL or a context in " + contextFile()};
    }
    while (connection.url.ends_with('/')) {
        connection.url.pop_back();
    }
    return {};
}

Result<Reply> request(const Connection& connection, const std::string& method, const std::string& target,
                      const std::string& body, const Headers& headers)
{
    connector::BmcTarget facade;
    facade.url = connection.url;
    facade.trust.caFile = connection.caFile;
    if (!connection.user.empty() && connection.passwordFile.empty()) {
        return Error{Code::invalidArgument, "no password for " + connection.user + ": give --password-file or BMCMESH_PASSWORD_FILE"};
    }
    if (!connection.user.empty()) {
        facade.auth = connector::BmcTarget::Auth::basic;
        facade.user = connection.user;
        Result<std::string> password = host::readSecretFile(connection.passwordFile, limits::maxPasswordBytes + 2);
        if (!password) {
            return Error{Code::invalidArgument, password.error().message};
        }
        while (password->ends_with('\n') || password->ends_with('\r')) {
            password->pop_back();
        }
        facade.password = std::move(*password);
    }
    host::Loop loop;
    Collector collector(loop);
    connector::RedfishClient client(loop.context(), std::move(facade), collector, [&loop] { return loop.now(); });
    collector.attach(client);
    if (Result<void> ready = client.configure(); !ready) {
        return ready.error();
    }
    const bool safe = method == "GET" || method == "HEAD";
    client.start(1, {method, target, headers}, body, false, static_cast<std::int64_t>(body.size()), safe,
                 loop.now().mono + connection.patience);
    loop.run();
    Result<Reply> reply = collector.take();
    return reply ? std::move(reply) : Result<Reply>(forOperators(reply.error()));
}

}  // namespace mesh::ctl
