#include "aggregator/hosted_files.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/config/connector_file.hpp"
#include "shoset/host/files.hpp"
#include "shoset/host/log.hpp"
#include "shoset/sealing/password_seal.hpp"
#include "shoset/zmq/sealed.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <vector>

namespace mesh::aggregator {

namespace {


std::string configText(const std::string& folder, const HostedConnector& connector, const std::string& keyFile)
{
    config::ConnectorFile file;
    file.name = connector.name;
    file.key = folder + "/connector.key";
    file.assignment = connector.assignment;
    for (const shoset::AggregatorAddress& entry : connector.aggregators) {
        file.aggregators.push_back({entry.name, entry.endpoint, entry.key});
    }
    file.url = connector.url;
    file.user = connector.userName;
    if (connector.sealedTo.empty()) {
        file.passwordFile = folder + "/password";
    } else {
        file.passwordSealed = folder + "/password.sealed";
        file.sealingKey = keyFile;
    }
    file.fingerprint = connector.fingerprint;
    file.insecure = connector.insecure;
    return config::toYaml(file);
}

Result<void> makeFolder(const std::string& folder)
{
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    for (const std::filesystem::path& path : {std::filesystem::path(folder).parent_path(), std::filesystem::path(folder)}) {
        if (!failed) {
            std::filesystem::permissions(path, std::filesystem::perms::owner_all, failed);
        }
    }
    return failed ? Result<void>(Error{Code::ioError, folder + ": " + failed.message()}) : Result<void>{};
}

Result<std::string> keyIn(const std::string& file)
{
    if (Result<shoset::KeyPair> known = shoset::loadKeyFile(file); known || known.error().code != Code::notFound) {
        return known ? Result<std::string>(known->publicKey) : Result<std::string>(known.error());
    }
    const Result<shoset::KeyPair> made = shoset::generateKeyPair();
    if (!made) {
        return made.error();
    }
    if (const Result<void> written = shoset::writeKeyFile(file, *made); !written) {
        return written.error();
    }
    return made->publicKey;
}

// The other one goes.
Result<void> writePassword(const std::string& folder, const HostedConnector& connector, const shoset::KeyPair& own)
{
    std::error_code ignored;
    if (!connector.sealedTo.empty()) {
        const Result<void> written = host::writeFileAtomic(
            folder + "/password.sealed", sealing::sealedLoginText({connector.tenant, connector.source, connector.sealedPassword}), 0600);
        if (written) {
            std::filesystem::remove(folder + "/password", ignored);
        }
        return written;
    }
    const std::string file = folder + "/password";
    Result<std::string> password = shoset::unseal(connector.sealedPassword, own);
    if (!password) {
        return Error{password.error().code, "the password of its BMC cannot be read: " + password.error().message};
    }
    Result<void> written = host::writeFileAtomic(file, *password, 0600);
    shoset::wipe(*password);
    std::filesystem::remove(folder + "/password.sealed", ignored);
    return written;
}

}  // namespace

std::string hostedConfig(const std::string& folder)
{
    return folder + "/connector.yaml";
}

Result<std::string> writeHostedFiles(const std::string& folder, const HostedConnector& connector, const shoset::KeyPair& own,
                                     const std::string& keyFile)
{
    if (connector.aggregators.empty()) {
        return Error{Code::preconditionFailed, "no node has said where connectors reach it: set mesh.advertise on each"};
    }
    if (Result<void> made = makeFolder(folder); !made) {
        return made.error();
    }
    if (!connector.userName.empty()) {
        if (Result<void> written = writePassword(folder, connector, own); !written) {
            return written.error();
        }
    }
    const std::string fence = folder + "/" + connector.name + ".fence";
    if (std::error_code ignored; !std::filesystem::exists(fence, ignored)) {
        const std::string text = std::to_string(connector.fence.generation) + " " + std::to_string(connector.fence.term) + "\n";
        if (Result<void> written = host::writeFileAtomic(fence, text, 0600); !written) {
            return written.error();
        }
    }
    if (Result<void> written = host::writeFileAtomic(hostedConfig(folder), configText(folder, connector, keyFile), 0600); !written) {
        return written.error();
    }
    return keyIn(folder + "/connector.key");
}

void removeHostedFiles(const std::string& directory, const std::set<Hosted>& keep, cluster::Revision upTo)
{
    std::error_code failed;
    std::vector<std::filesystem::path> over;
    for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
        const std::string name = entry.path().filename().string();
        const std::size_t dot = name.find('.');
        std::uint64_t assignment = 0;
        const char* end = name.data() + name.size();
        const auto parsed = std::from_chars(name.data() + std::min(name.size(), dot == std::string::npos ? dot : dot + 1), end, assignment);
        const bool ours = dot != std::string::npos && parsed.ec == std::errc{} && parsed.ptr == end;
        if (ours && assignment <= upTo && !keep.contains({name.substr(0, dot), assignment})) {
            over.push_back(entry.path());
        }
    }
    for (const std::filesystem::path& path : over) {
        std::filesystem::remove_all(path, failed);
        log::info("source_forgotten", {{"folder", path.string()}, {"problem", failed ? failed.message() : ""}});
    }
}

}  // namespace mesh::aggregator
