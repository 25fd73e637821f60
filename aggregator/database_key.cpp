#include "aggregator/database_key.hpp"

#include "shoset/host/files.hpp"
#include "shoset/host/log.hpp"
#include "shoset/sealing/sealing.hpp"

namespace mesh::aggregator {

namespace {

constexpr std::size_t maxSeedFileBytes = 256;

}  // namespace

Result<std::optional<sealing::Seed>> loadDatabaseKey(const Config& config, const std::string& stateDirectory, Rng& rng)
{
    if (!config.registryFile.empty() || config.witness || config.audit == AuditWish::off) {
        return std::optional<sealing::Seed>();
    }
    const std::string file = stateDirectory + "/" + config.name + ".sealing";
    Result<std::string> text = host::readSecretFile(file, maxSeedFileBytes);
    if (!text && text.error().code == Code::notFound) {
        text = sealing::Seed::make(rng).text() + "\n";
        if (const Result<void> written = host::writeFileAtomic(file, *text, 0600); !written) {
            return written.error();
        }
    }
    if (!text) {
        return text.error();
    }
    const Result<sealing::Seed> seed = sealing::Seed::parse(std::string_view(*text).substr(0, text->find('\n')));
    sealing::wipe(*text);
    if (!seed) {
        return Error{seed.error().code, file + ": " + seed.error().message};
    }
    log::info("sealing_key", {{"key", sealing::toBase64(sealing::sealingKeyOf(*seed))}});
    return std::optional<sealing::Seed>(*seed);
}

}  // namespace mesh::aggregator
