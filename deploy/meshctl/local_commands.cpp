#include "deploy/meshctl/commands.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/uri/localiser.hpp"
#include "shoset/uri/uri_map.hpp"
#include "shoset/zmq/keys.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <iostream>

namespace mesh::ctl {

namespace {

bool checkPrefix(const std::string& prefix)
{
    if (isValidPrefix(prefix)) {
        return true;
    }
    complain({Code::invalidArgument, "expected 1 to 16 letters and digits for --prefix, not '" + prefix + "'"});
    return false;
}

}  // namespace

int keygen(const std::string& file, bool json)
{
    const Result<shoset::KeyPair> pair = shoset::generateKeyPair();
    if (!pair) {
        return complain(pair.error());
    }
    if (Result<void> written = shoset::writeKeyFile(file, *pair); !written) {
        return complain(written.error());
    }
    if (json) {
        std::cout << nlohmann::json{{"file", file}, {"public", pair->publicKey}} << '\n';
    } else {
        std::cout << pair->publicKey << '\n';
    }
    return exitOk;
}

int mapUris(const MapOptions& options)
{
    if (!checkPrefix(options.prefix)) {
        return exitUsage;
    }
    const uri::UriMap map(options.prefix, options.hosts);
    const auto print = [&](const std::string& uri) {
        const auto mapped = options.reverse ? map.toSatellite(uri) : map.toFacade(uri);
        std::cout << mapped.value_or("-") << '\n';
    };
    for (const std::string& uri : options.uris) {
        print(uri);
    }
    std::string line;
    while (options.uris.empty() && std::getline(std::cin, line)) {
        print(line);
    }
    return exitOk;
}

int localise(const MapOptions& options)
{
    if (!checkPrefix(options.prefix)) {
        return exitUsage;
    }
    const uri::UriMap map(options.prefix, options.hosts);
    uri::Asked asked;
    if (!options.satelliteUri.empty()) {
        const std::optional<std::string> mapped = map.toFacade(options.satelliteUri);
        asked = {options.satelliteUri, options.facadeUri.empty() ? mapped.value_or("") : options.facadeUri};
    }
    uri::Localiser localiser(map, options.reverse ? uri::Direction::toSatellite : uri::Direction::toFacade,
                             uri::formatOf(options.contentType, options.satelliteUri), asked);
    std::array<char, 64 * 1024> buffer{};
    std::string out;
    while (std::cin.read(buffer.data(), buffer.size()), std::cin.gcount() > 0) {
        if (Result<void> fed = localiser.feed({buffer.data(), static_cast<std::size_t>(std::cin.gcount())}, out); !fed) {
            return complain({Code::refused, fed.error().message});
        }
        std::cout << out;
        out.clear();
    }
    const Result<void> finished = localiser.finish(out);
    std::cout << out << std::flush;
    return finished ? exitOk : complain({Code::refused, finished.error().message});
}

}  // namespace mesh::ctl
