#include "connector/config.hpp"

#include "connector/core/bmc_request.hpp"
#include "connector/local_users.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/config/reader.hpp"
#include "shoset/host/files.hpp"
#include "shoset/sealing/password_seal.hpp"
#include "shoset/sealing/sealing.hpp"
#include "shoset/zmq/keys.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace mesh::connector {

namespace {

constexpr std::size_t maxSealedLoginBytes = 1024;
constexpr const char* defaultWorkerSocket = "/run/bmcmesh/worker.sock";
constexpr std::size_t maxSocketPath = 107;  // of the kernel
constexpr std::size_t leastOutboxBytes = 4 * limits::maxEventBytes;
constexpr std::size_t mostOutboxBytes = limits::maxOutboxFileBytes / 2;  // all may stand in one file
constexpr std::array<std::string_view, 6> httpMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
constexpr std::uint64_t leastDailyBytes = 1024 * 1024;

constexpr config::Form remoteEndpoint{shoset::isTcpEndpoint, "tcp://HOST:PORT"};
constexpr config::Form serviceUrl{[](std::string_view text) { return parseBmcUrl(text).ok(); }, "http://HOST[:PORT] or https://HOST[:PORT]"};

std::string hostOf(const std::string& url)
{
    const std::size_t start = url.find("://");
    return start == std::string::npos ? url : url.substr(start + 3, url.find('/', start + 3) - start - 3);
}

void readAggregators(config::Reader& reader, config::Section root, Config& out)
{
    for (config::Section entry : root.sections("aggregators")) {
        shoset::AggregatorAddress address{entry.text("name"), entry.text("endpoint", remoteEndpoint), entry.text("key")};
        if (!shoset::isValidKey(address.key)) {
            reader.complain(entry, "expected a public key of 40 characters (Z85) for 'key'");
        }
        out.settings.aggregators.push_back(std::move(address));
    }
    if (out.settings.aggregators.empty() || out.settings.aggregators.size() > limits::maxAggregators) {
        reader.complain(root, "expected 1 to " + std::to_string(limits::maxAggregators) + " 'aggregators'");
    }
}

// Where the BMC's password is: in the clear, or sealed by the node that runs this connector, with the key that opens it.
struct PasswordFiles {
    std::string clear;
    std::string sealed;
    std::string key;
};

PasswordFiles readTarget(config::Reader& reader, config::Section target, Config& out)
{
    out.target.url = target.text("url", serviceUrl);
    const std::string auth = target.text("auth", "none");
    if (auth == "basic" || auth == "session") {
        out.target.auth = auth == "basic" ? BmcTarget::Auth::basic : BmcTarget::Auth::session;
        out.target.user = target.text("user");
    } else if (auth != "none") {
        reader.complain(target, "expected none, basic or session for 'auth', not '" + auth + "'");
    }
    out.target.trust.caFile = target.text("ca", "");
    out.target.trust.fingerprint = target.text("fingerprint", "");
    out.target.trust.insecure = target.flag("insecure", false);
    out.settings.ownHosts = target.texts("aliases");
    out.settings.ownHosts.insert(out.settings.ownHosts.begin(), hostOf(out.target.url));
    if (target.has("password_sealed")) {
        return {{}, target.text("password_sealed"), target.text("sealing_key")};
    }
    return {out.target.auth == BmcTarget::Auth::none ? target.text("password_file", "") : target.text("password_file"), {}, {}};
}

// Who is meant by one entry of workers.allow; the error is for its line.
Result<WorkerRules::Grant> grantedTo(config::Section& entry)
{
    WorkerRules::Grant grant;
    if (entry.has("user") + entry.has("group") + entry.has("uid") != 1) {
        return Error{Code::invalidArgument, "expected one of 'user', 'group' and 'uid'"};
    }
    if (entry.has("uid")) {
        grant.uids.insert(static_cast<std::uint32_t>(entry.number("uid", 0, std::numeric_limits<std::uint32_t>::max())));
    } else if (entry.has("user")) {
        const Result<std::uint32_t> uid = userIdOf(entry.text("user"));
        if (!uid) {
            return uid.error();
        }
        grant.uids.insert(*uid);
    } else {
        Result<LocalGroup> group = groupOf(entry.text("group"));
        if (!group) {
            return group.error();
        }
        grant.gid = group->gid;
        grant.uids = std::move(group->members);
    }
    return grant;
}

std::vector<std::string> readTopics(config::Reader& reader, config::Section& entry, const std::string& key)
{
    std::vector<std::string> topics = entry.texts(key);
    for (const std::string& topic : topics) {
        if (!shoset::isTopicPattern(topic)) {
            reader.complain(entry, "expected topics, or the like of sensor.*, for '" + key + "', not '" + topic + "'");
        }
    }
    return topics;
}

void readOutbox(config::Reader& reader, config::Section outbox, Config& out)
{
    shoset::OutboxSettings& settings = out.settings.outbox;
    settings.maxBytes = outbox.bytes("max_bytes", settings.maxBytes);
    settings.dailyBytes = outbox.bytes("daily_writes", settings.dailyBytes);
    settings.maxAge = outbox.duration("max_age", settings.maxAge);
    if (settings.maxBytes < leastOutboxBytes || settings.maxBytes > mostOutboxBytes) {
        reader.complain(outbox, "expected " + std::to_string(leastOutboxBytes) + " to " + std::to_string(mostOutboxBytes) +
                                    " for 'max_bytes'");
    }
    if (settings.dailyBytes < leastDailyBytes) {
        reader.complain(outbox, "expected at least " + std::to_string(leastDailyBytes) + " for 'daily_writes'");
    }
}

void readWorkers(config::Reader& reader, config::Section workers, Config& out)
{
    if (!workers.present()) {
        return;
    }
    out.workerSocket = workers.text("socket", defaultWorkerSocket);
    if (!out.workerSocket.starts_with('/') || out.workerSocket.size() > maxSocketPath) {
        reader.complain(workers, "expected a path from / of at most " + std::to_string(maxSocketPath) + " bytes for 'socket'");
    }
    std::vector<WorkerRules::Grant> grants;
    for (config::Section entry : workers.sections("allow")) {
        Result<WorkerRules::Grant> grant = grantedTo(entry);
        if (!grant) {
            reader.complain(entry, grant.error().message);
            continue;
        }
        grant->commands = entry.texts("commands");
        grant->events = readTopics(reader, entry, "events");
        grant->subscribe = readTopics(reader, entry, "subscribe");
        grant->sends = entry.texts("send");
        if (grant->commands.empty() && grant->events.empty() && grant->subscribe.empty() && grant->sends.empty()) {
            reader.complain(entry, "expected at least one of 'commands' that it may serve, 'send' for those that it may send (names, or the like "
                                   "of power.*), 'events' and 'subscribe' (topics, or the like of sensor.*)");
        }
        grant->secrets = entry.texts("secrets");
        grants.push_back(std::move(*grant));
    }
    if (grants.empty()) {
        reader.complain(workers, "expected 'allow' to name at least one user: nobody else may attach");
    }
    out.settings.workers = WorkerRules(std::move(grants));
}

void readSecrets(config::Reader& reader, config::Section secrets, Config& out)
{
    if (!secrets.present()) {
        return;
    }
    for (const std::string& text : secrets.texts("operators")) {
        Result<std::string> key = sealing::fromBase64(text);
        if (!key || key->size() != sealing::keyBytes) {
            reader.complain(secrets, "expected keys of operators as 'meshctl secret keygen' prints them, 43 characters, for 'operators'");
            return;
        }
        out.settings.operators.push_back(std::move(*key));
    }
    out.settings.tenant = secrets.text("tenant", "");
    if (!out.settings.tenant.empty() && !isValidName(out.settings.tenant)) {
        reader.complain(secrets, "expected the name of this connector's tenant for 'tenant', not '" + out.settings.tenant + "'");
    }
    if (out.settings.operators.empty() || out.settings.operators.size() > limits::maxSecretOperators) {
        reader.complain(secrets, "expected 1 to " + std::to_string(limits::maxSecretOperators) + " 'operators'");
    }
}

// A rule that is misspelt would refuse nothing.
std::vector<std::string> readMethods(config::Reader& reader, config::Section& entry)
{
    std::vector<std::string> methods = entry.texts("methods");
    for (const std::string& method : methods) {
        if (std::find(httpMethods.begin(), httpMethods.end(), method) == httpMethods.end()) {
            reader.complain(entry, "expected GET, HEAD, POST, PUT, PATCH or DELETE in 'methods', not '" + method + "'");
        }
    }
    return methods;
}

Result<LocalPolicy> loadPolicy(const std::string& path)
{
    config::Reader reader(path);
    std::vector<LocalPolicy::Rule> rules;
    for (config::Section entry : reader.root().sections("refuse")) {
        if (entry.has("command")) {
            rules.push_back({{}, {}, entry.text("command")});
        } else {
            rules.push_back({readMethods(reader, entry), entry.text("path")});
        }
    }
    if (Result<void> fine = reader.finish(); !fine) {
        return fine.error();
    }
    return LocalPolicy(std::move(rules));
}

Result<void> readPassword(const std::string& path, BmcTarget& target)
{
    Result<std::string> password = host::readSecretFile(path, limits::maxPasswordBytes + 2);
    if (!password) {
        return password.error();
    }
    while (!password->empty() && (password->back() == '\n' || password->back() == '\r')) {
        password->pop_back();
    }
    target.password = std::move(*password);
    return {};
}

Result<void> openSealedPassword(const PasswordFiles& files, BmcTarget& target)
{
    const Result<std::string> text = host::readSecretFile(files.sealed, maxSealedLoginBytes);
    if (!text) {
        return text.error();
    }
    const Result<sealing::SealedLogin> login = sealing::parseSealedLogin(*text);
    if (!login) {
        return Error{login.error().code, files.sealed + ": " + login.error().message};
    }
    Result<std::string> key = host::readSecretFile(files.key, maxSealedLoginBytes);
    if (!key) {
        return key.error();
    }
    const Result<sealing::Seed> seed = sealing::Seed::parse(std::string_view(*key).substr(0, key->find('\n')));
    sealing::wipe(*key);
    if (!seed) {
        return Error{seed.error().code, files.key + ": " + seed.error().message};
    }
    const Result<sealing::SecretText> password =
        sealing::openPassword(login->box, {login->tenant, login->source, target.url, target.user}, *seed);
    if (!password) {
        return Error{password.error().code, files.sealed + ": " + password.error().message};
    }
    target.password = password->view();
    return {};
}

}  // namespace

Result<Config> loadConfig(const std::string& path)
{
    Config out;
    config::Reader reader(path);
    config::Section root = reader.root();
    config::Section connector = root.section("connector");
    out.name = connector.name("name");
    out.keyFile = connector.text("key");
    out.settings.assignment = connector.number("assignment", 0, std::numeric_limits<std::uint64_t>::max());
    readAggregators(reader, root, out);
    const PasswordFiles password = readTarget(reader, root.section("target"), out);
    readWorkers(reader, root.section("workers"), out);
    readSecrets(reader, root.section("secrets"), out);
    readOutbox(reader, root.section("outbox"), out);
    const std::string policyFile = root.section("policy").text("file", "");
    if (Result<void> fine = reader.finish(); !fine) {
        return fine.error();
    }
    if (!password.clear.empty() || !password.sealed.empty()) {
        const Result<void> read = password.sealed.empty() ? readPassword(password.clear, out.target) : openSealedPassword(password, out.target);
        if (!read) {
            return read.error();
        }
    }
    if (!policyFile.empty()) {
        Result<LocalPolicy> policy = loadPolicy(policyFile);
        if (!policy) {
            return policy.error();
        }
        out.settings.policy = std::move(*policy);
    }
    out.settings.name = out.name;
    return out;
}

}  // namespace mesh::connector
