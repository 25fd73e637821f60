#include "aggregator/sealing_keys.hpp"

#include "shoset/host/files.hpp"
#include "shoset/host/log.hpp"
#include "shoset/sealing/sealing.hpp"

#include <filesystem>

namespace mesh::aggregator {

namespace {

constexpr std::size_t maxSeedFileBytes = 256;

}  // namespace

Result<sealing::Seed> loadSealingKey(const std::string& file, Rng& rng)
{
    Result<std::string> text = host::readSecretFile(file, maxSeedFileBytes);
    if (!text && text.error().code != Code::notFound) {
        return text.error();
    }
    if (text) {
        Result<sealing::Seed> known = sealing::Seed::parse(std::string_view(*text).substr(0, text->find('\n')));
        sealing::wipe(*text);
        return known ? std::move(known)
                     : Result<sealing::Seed>(Error{Code::corrupt, file + " is no key: move it away, and another one is made; passwords that are "
                                                                         "sealed to it come from the other nodes, or are to be given anew"});
    }
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(file).parent_path(), ignored);
    const sealing::Seed made = sealing::Seed::make(rng);
    std::string secret = made.text() + "\n";
    const Result<void> written = host::writeFileAtomic(file, secret, 0600);
    sealing::wipe(secret);
    return written ? Result<sealing::Seed>(made) : Result<sealing::Seed>(written.error());
}

Result<std::optional<sealing::Seed>> loadDatabaseKey(const Config& config, const std::string& stateDirectory, Rng& rng)
{
    if (!config.registryFile.empty() || config.witness || config.audit == AuditWish::off) {
        return std::optional<sealing::Seed>();
    }
    Result<sealing::Seed> seed = loadSealingKey(stateDirectory + "/" + config.name + ".sealing", rng);
    if (!seed) {
        return seed.error();
    }
    log::info("sealing_key", {{"key", sealing::toBase64(sealing::sealingKeyOf(*seed))}});
    return std::optional<sealing::Seed>(std::move(*seed));
}

}  // namespace mesh::aggregator
