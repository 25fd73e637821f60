#include "deploy/meshctl/admin_request.hpp"
#include "deploy/meshctl/commands.hpp"
#include "deploy/meshctl/operator_file.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"
#include "shoset/host/system_rng.hpp"
#include "shoset/sealing/sealing.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <optional>
#include <utility>

namespace mesh::ctl {

namespace {

using json = nlohmann::json;

constexpr const char* secretsUri = "/mesh/v1/secrets";

struct SecretName {
    std::string tenant;
    std::string name;
    std::string text() const { return tenant + "/" + name; }
    std::string uri() const { return std::string(secretsUri) + "/" + tenant + ":" + name; }
};

Result<SecretName> secretNameOf(const SecretOptions& options)
{
    const std::size_t slash = options.name.find('/');
    SecretName out{options.tenant, options.name};
    if (slash != std::string::npos) {
        out = {options.name.substr(0, slash), options.name.substr(slash + 1)};
    }
    if (!isValidName(out.tenant) || !isValidName(out.name)) {
        return Error{Code::invalidArgument, "expected TENANT/NAME, or NAME with --tenant, not '" + options.name + "'"};
    }
    return out;
}

// What every change of a secret begins with.
struct Work {
    SecretName secret;
    std::string operatorFile;
    sealing::Seed seed;
    Seen seen;
    std::map<std::string, std::string> announced;  // sealing keys in base64, by name, of the tenant's connectors and of nodes (node:NAME)
    std::optional<sealing::Envelope> old;
    std::uint64_t revision = 0;
};

Result<void> readOld(Connection& connection, Work& work)
{
    const Result<json> found = ask(connection, "GET", work.secret.uri(), nullptr);
    if (!found) {
        return found.error();
    }
    Result<sealing::Envelope> envelope = sealing::parseEnvelope(found->value("envelope", json()).dump());
    if (!envelope) {
        return Error{Code::corrupt, work.secret.text() + ": " + envelope.error().message};
    }
    if (envelope->tenant != work.secret.tenant || envelope->name != work.secret.name) {
        return Error{Code::corrupt, "the aggregator gave " + envelope->tenant + "/" + envelope->name + " in its place"};
    }
    const auto known = work.seen.versions.find(work.secret.text());
    if (known != work.seen.versions.end() && envelope->version < known->second) {
        return Error{Code::refused, "the aggregator gave version " + std::to_string(envelope->version) + " of " + work.secret.text() +
                                        ", and you have seen version " + std::to_string(known->second) + ": ask another one"};
    }
    work.old = std::move(*envelope);
    work.revision = found->value("revision", std::uint64_t{0});
    return {};
}

Result<Work> beginWork(Connection& connection, const SecretOptions& options)
{
    Result<SecretName> name = secretNameOf(options);
    if (!name) {
        return name.error();
    }
    Work work{std::move(*name), operatorFilePath(options.operatorFile), {}, {}, {}, {}, 0};
    Result<sealing::Seed> seed = loadOperatorFile(work.operatorFile);
    if (!seed) {
        return seed.error();
    }
    work.seed = std::move(*seed);
    Result<Seen> seen = loadSeen(work.operatorFile);
    if (!seen) {
        return seen.error();
    }
    work.seen = std::move(*seen);
    const Result<json> list = ask(connection, "GET", secretsUri, nullptr);
    if (!list) {
        return list.error();
    }
    for (const json& connector : list->value("connectors", json::array())) {
        if (connector.value("tenant", "") == work.secret.tenant) {
            work.announced[connector.value("name", "")] = connector.value("key", "");
        }
    }
    for (const json& node : list->value("nodes", json::array())) {  // whatever the tenant
        work.announced[node.value("name", "")] = node.value("key", "");
    }
    for (const json& secret : list->value("secrets", json::array())) {
        if (secret.value("tenant", "") == work.secret.tenant && secret.value("name", "") == work.secret.name) {
            if (Result<void> read = readOld(connection, work); !read) {
                return read.error();
            }
        }
    }
    return work;
}

// The key to seal to, as it was seen before, or now for the first time. What a connector that has not told its own had when it was
// seen last may be a key that it has no more: it would read nothing of what is sealed to that.
Result<std::string> keyFor(Work& work, const std::string& connector, const SecretOptions& options)
{
    const std::string full = work.secret.tenant + "/" + connector;
    const auto announced = work.announced.find(connector);
    const auto known = work.seen.keys.find(full);
    if (announced == work.announced.end() && known == work.seen.keys.end()) {
        return Error{Code::notFound, full + " has told no key to seal to: " +
                                         (connector.starts_with(sealing::nodePrefix) ? "there is no such node, or it stores no history"
                                                                                     : "it is not linked, or its configuration names no "
                                                                                       "secrets.operators")};
    }
    if (announced == work.announced.end() && !options.absent) {
        return Error{Code::refused, full + " has told this aggregator no key, and may have another one by now than " + known->second +
                                        ", which you have seen last: try again when it is linked, or give --absent to seal to that one"};
    }
    if (announced != work.announced.end() && (known == work.seen.keys.end() || known->second != announced->second)) {
        if (known != work.seen.keys.end() && !options.acceptKeys) {
            return Error{Code::refused, full + " had the key " + known->second + " and has told another one, " + announced->second +
                                            ": if its log says so, too (event=sealing_key), after a change of its key, give --accept-keys"};
        }
        std::cerr << "meshctl: " << full << (known == work.seen.keys.end() ? " is seen for the first time" : " has another key") << ", "
                  << announced->second << "; its own log names it (event=sealing_key)\n";
        work.seen.keys[full] = announced->second;
    }
    return sealing::fromBase64(work.seen.keys.at(full));
}

Result<void> sealAndPut(Connection& connection, Work& work, const SecretOptions& options, std::string_view value,
                        const std::vector<std::string>& connectors)
{
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    // A name that was removed and comes again has a higher version than before, too.
    const auto known = work.seen.versions.find(work.secret.text());
    const std::uint64_t first = std::max<std::uint64_t>(static_cast<std::uint64_t>(now.count()),
                                                        known == work.seen.versions.end() ? 0 : known->second + 1);
    sealing::SecretToSeal secret{work.secret.tenant, work.secret.name, work.old ? work.old->version + 1 : first, value, {}};
    for (const std::string& connector : connectors) {
        Result<std::string> key = keyFor(work, connector, options);
        if (!key) {
            return key.error();
        }
        secret.recipients[connector] = std::move(*key);
    }
    host::SystemRng rng;
    const Result<sealing::Envelope> envelope = sealing::seal(secret, work.seed, rng);
    if (!envelope) {
        return envelope.error();
    }
    json body{{"envelope", json::parse(sealing::envelopeText(*envelope))}};
    if (work.old) {
        body["revision"] = work.revision;
    }
    if (const Result<json> put = ask(connection, "POST", work.secret.uri(), body); !put) {
        return put.error();
    }
    work.seen.versions[work.secret.text()] = envelope->version;
    return saveSeen(work.operatorFile, work.seen);
}

// From standard input or a file, never from the command line. One newline at its end is the editor's or echo's.
Result<sealing::SecretText> readValue(const SecretOptions& options)
{
    std::string text;
    if (options.valueFile.empty() || options.valueFile == "-") {
        if (isatty(STDIN_FILENO) == 1) {
            std::cerr << "meshctl: the value, which shows as you type it, then Enter and Ctrl-D:" << std::endl;
        }
        text.resize(limits::maxSecretBytes + 2);
        std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
        text.resize(static_cast<std::size_t>(std::cin.gcount()));
    } else {
        Result<std::string> file = host::readSecretFile(options.valueFile, limits::maxSecretBytes + 1);
        if (!file) {
            return file.error();
        }
        text = *file;
        sealing::wipe(*file);
    }
    std::string_view value = text;
    if (!options.exact && value.ends_with('\n')) {
        value.remove_suffix(1);
    }
    sealing::SecretText out(value);
    sealing::wipe(text);
    return out;
}

std::vector<std::string> recipientsOf(const sealing::Envelope& envelope)
{
    std::vector<std::string> out;
    for (const sealing::Recipient& recipient : envelope.recipients) {
        out.push_back(recipient.connector);
    }
    return out;
}

// To a secret that is there: its value is opened here, unless a new one is read, and sealed anew.
int changeSecret(Connection connection, const SecretOptions& options, bool newValue,
                 const std::function<Result<void>(std::vector<std::string>&)>& changeRecipients, const std::string& said)
{
    Result<Work> work = beginWork(connection, options);
    if (!work) {
        return complain(work.error());
    }
    if (!work->old) {
        return complain({Code::notFound, "there is no secret " + work->secret.text()});
    }
    // Also where a new value is to come: whoever cannot read it must not take it from those who can.
    Result<sealing::SecretText> value = sealing::openAsOperator(*work->old, work->seed);
    if (value && newValue) {
        value = readValue(options);
    }
    if (!value) {
        return complain(value.error());
    }
    std::vector<std::string> connectors = recipientsOf(*work->old);
    if (Result<void> changed = changeRecipients(connectors); !changed) {
        return complain(changed.error());
    }
    return done(sealAndPut(connection, *work, options, value->view(), connectors), work->secret.text() + said);
}

}  // namespace

int secretKeygen(const SecretOptions& options, bool asJson)
{
    const std::string file = operatorFilePath(options.operatorFile);
    const Result<std::string> key = makeOperatorFile(file);
    if (!key) {
        return complain(key.error());
    }
    if (asJson) {
        std::cout << json{{"file", file}, {"operator", *key}} << '\n';
        return exitOk;
    }
    return done({}, *key);
}

int secretPut(Connection connection, const SecretOptions& options)
{
    Result<Work> work = beginWork(connection, options);
    if (!work) {
        return complain(work.error());
    }
    if (work->old) {
        return complain({Code::alreadyExists, work->secret.text() + " is there already: 'rotate' gives it another value"});
    }
    const Result<sealing::SecretText> value = readValue(options);
    return done(value ? sealAndPut(connection, *work, options, value->view(), options.connectors) : Result<void>(value.error()),
                work->secret.text() + " is stored");
}

int secretList(Connection connection, const SecretOptions& options)
{
    const Result<json> list = ask(connection, "GET", secretsUri, nullptr);
    if (!list) {
        return complain(list.error());
    }
    if (connection.json) {
        std::cout << *list << '\n';
        return exitOk;
    }
    for (const json& secret : list->value("secrets", json::array())) {
        if (!options.tenant.empty() && secret.value("tenant", "") != options.tenant) {
            continue;
        }
        std::string recipients;
        for (const json& recipient : secret.value("recipients", json::array())) {
            recipients += (recipients.empty() ? "" : ",") + recipient.value("connector", "");
        }
        std::cout << secret.value("tenant", "") << "/" << secret.value("name", "") << "  " << secret.value("version", std::uint64_t{0})
                  << "  " << (recipients.empty() ? "-" : recipients) << '\n';
    }
    return exitOk;
}

int secretGet(Connection connection, const SecretOptions& options)
{
    Result<Work> work = beginWork(connection, options);
    if (!work) {
        return complain(work.error());
    }
    if (!work->old) {
        return complain({Code::notFound, "there is no secret " + work->secret.text()});
    }
    const Result<sealing::SecretText> value = sealing::openAsOperator(*work->old, work->seed);
    if (!value) {
        return complain(value.error());
    }
    work->seen.versions[work->secret.text()] = work->old->version;
    if (Result<void> saved = saveSeen(work->operatorFile, work->seen); !saved) {
        return complain(saved.error());
    }
    std::cout << value->view() << std::flush;
    return exitOk;
}

int secretGrant(Connection connection, const SecretOptions& options)
{
    const auto add = [&](std::vector<std::string>& connectors) -> Result<void> {
        for (const std::string& connector : options.connectors) {
            if (std::find(connectors.begin(), connectors.end(), connector) == connectors.end()) {
                connectors.push_back(connector);
            }
        }
        return {};
    };
    return changeSecret(std::move(connection), options, false, add, " is granted");
}

int secretRevoke(Connection connection, const SecretOptions& options)
{
    const auto remove = [&](std::vector<std::string>& connectors) -> Result<void> {
        for (const std::string& connector : options.connectors) {
            if (std::erase(connectors, connector) == 0) {
                return Error{Code::notFound, "the secret is not granted to " + connector};
            }
        }
        return {};
    };
    return changeSecret(std::move(connection), options, false, remove,
                        " is sealed anew without them; what they have read they know: 'rotate' gives it another value");
}

int secretRotate(Connection connection, const SecretOptions& options)
{
    return changeSecret(
        std::move(connection), options, true, [](std::vector<std::string>&) { return Result<void>(); }, " has another value");
}

int secretRemove(Connection connection, const SecretOptions& options)
{
    const Result<SecretName> name = secretNameOf(options);
    if (!name) {
        return complain(name.error());
    }
    const Result<json> removed = ask(connection, "DELETE", name->uri(), nullptr);
    return done(removed ? Result<void>() : Result<void>(removed.error()), name->text() + " is removed");
}

}  // namespace mesh::ctl
