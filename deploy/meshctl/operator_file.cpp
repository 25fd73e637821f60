#include "deploy/meshctl/operator_file.hpp"

#include "shoset/host/files.hpp"
#include "shoset/host/system_rng.hpp"
#include "shoset/sealing/sealing.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace mesh::ctl {

namespace {

constexpr std::size_t maxOperatorFileBytes = 1024;
constexpr std::size_t maxSeenBytes = 4 * 1024 * 1024;
constexpr const char* operatorWord = "operator: ";
constexpr const char* seedWord = "seed: ";

std::string seenFile(const std::string& operatorFile)
{
    return operatorFile + ".seen";
}

}  // namespace

std::string operatorFilePath(const std::string& given)
{
    if (!given.empty()) {
        return given;
    }
    if (const char* named = std::getenv("BMCMESH_OPERATOR"); named != nullptr && *named != '\0') {
        return named;
    }
    const char* config = std::getenv("XDG_CONFIG_HOME");
    const char* home = std::getenv("HOME");
    return (config != nullptr ? std::string(config) : std::string(home != nullptr ? home : "") + "/.config") + "/bmcmesh/operator.key";
}

Result<std::string> makeOperatorFile(const std::string& path)
{
    std::error_code error;
    if (std::filesystem::exists(path, error)) {
        return Error{Code::alreadyExists, path + " is there already; without it nobody can read or grant what it has sealed"};
    }
    if (const std::filesystem::path folder = std::filesystem::path(path).parent_path(); !folder.empty()) {
        std::filesystem::create_directories(folder, error);
    }
    host::SystemRng rng;
    const sealing::Seed seed = sealing::Seed::make(rng);
    std::string key = sealing::toBase64(sealing::keysOf(seed).signing);
    std::string secret = seed.text();
    std::string text = operatorWord + key + "\n" + seedWord + secret + "\n";
    const Result<void> written = host::writeFileAtomic(path, text, 0600);
    sealing::wipe(secret);
    sealing::wipe(text);
    return written ? Result<std::string>(std::move(key)) : Result<std::string>(written.error());
}

Result<sealing::Seed> loadOperatorFile(const std::string& path)
{
    Result<std::string> text = host::readSecretFile(path, maxOperatorFileBytes);
    if (!text) {
        const bool missing = text.error().code == Code::notFound;
        return Error{text.error().code, text.error().message + (missing ? "; 'meshctl secret keygen' makes one" : "")};
    }
    const std::size_t at = text->find(seedWord);
    const std::size_t begin = at == std::string::npos ? text->size() : at + std::string_view(seedWord).size();
    Result<sealing::Seed> seed = sealing::Seed::parse(std::string_view(*text).substr(begin, text->find('\n', begin) - begin));
    sealing::wipe(*text);
    return seed ? std::move(seed) : Result<sealing::Seed>(Error{Code::corrupt, path + " is no key file of an operator"});
}

Result<Seen> loadSeen(const std::string& operatorFile)
{
    const Result<std::string> text = host::readFile(seenFile(operatorFile), maxSeenBytes);
    Seen seen;
    if (!text) {
        return text.error().code == Code::notFound ? Result<Seen>(seen) : Result<Seen>(text.error());
    }
    std::istringstream lines(*text);
    std::string word;
    std::string name;
    std::string value;
    while (lines >> word >> name >> value) {
        if (word == "key") {
            seen.keys[name] = value;
        } else if (word == "version") {
            seen.versions[name] = std::strtoull(value.c_str(), nullptr, 10);
        } else {
            return Error{Code::corrupt, seenFile(operatorFile) + " is damaged at '" + word + "'"};
        }
    }
    return seen;
}

Result<void> saveSeen(const std::string& operatorFile, const Seen& seen)
{
    std::string text;
    for (const auto& [name, key] : seen.keys) {
        text += "key " + name + " " + key + "\n";
    }
    for (const auto& [name, version] : seen.versions) {
        text += "version " + name + " " + std::to_string(version) + "\n";
    }
    return host::writeFileAtomic(seenFile(operatorFile), text, 0600);
}

}  // namespace mesh::ctl
