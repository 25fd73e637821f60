#include "aggregator/config.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/config/reader.hpp"
#include "shoset/zmq/keys.hpp"

namespace mesh::aggregator {

namespace {

void readPeers(config::Reader& reader, config::Section peers, Config& out)
{
    out.peersBind = peers.text("bind", "");
    for (config::Section entry : peers.sections("members")) {
        PeerAddress peer{entry.text("name"), entry.text("endpoint"), entry.text("key")};
        if (!shoset::isValidKey(peer.key)) {
            reader.complain(entry, "expected a public key of 40 characters (Z85) for 'key'");
        }
        if (peer.name == out.name) {
            reader.complain(entry, "expected the other nodes here, not '" + peer.name + "' itself");
        }
        out.peers.push_back(std::move(peer));
    }
    if (!out.peers.empty() && out.peersBind.empty()) {
        reader.complain(peers, "expected 'bind' in peers, since there are members");
    }
    if (out.peers.size() >= limits::maxAggregators) {
        reader.complain(peers, "expected at most " + std::to_string(limits::maxAggregators - 1) + " members");
    }
}

void readFacade(config::Reader& reader, config::Section facade, Config& out)
{
    out.facadeBind = facade.text("bind", "0.0.0.0:8443");
    const std::string certificate = facade.text("certificate", "auto");
    if (certificate != "auto") {
        out.certificateFile = certificate;
        out.certificateKeyFile = facade.text("certificate_key");
    }
    out.certificateNames = facade.texts("names");
    out.plainHttp = facade.flag("plain_http_for_tests", false);
    if (out.plainHttp && !out.facadeBind.starts_with("127.") && !out.facadeBind.starts_with("[::1]")) {
        reader.complain(facade, "plain_http_for_tests works on loopback addresses only");
    }
    out.collectionDeadline = facade.duration("collection_deadline", limits::collectionDeadline);
    out.idleTimeout = facade.duration("idle_timeout", limits::httpIdleTimeout);
    out.maxBody = facade.bytes("max_body", limits::maxRequestBodyBytes);
}

}  // namespace

Result<Config> loadConfig(const std::string& path)
{
    Config out;
    config::Reader reader(path);
    config::Section root = reader.root();
    config::Section node = root.section("node");
    out.name = node.name("name");
    out.keyFile = node.text("key");
    out.meshBind = root.section("mesh").text("bind", "tcp://0.0.0.0:5670");
    readPeers(reader, root.section("peers"), out);
    readFacade(reader, root.section("facade"), out);
    out.registryFile = root.section("registry").text("file");
    out.accountsFile = root.section("accounts").text("file", "/var/lib/bmcmesh/accounts");
    if (Result<void> fine = reader.finish(); !fine) {
        return fine.error();
    }
    return out;
}

}  // namespace mesh::aggregator
