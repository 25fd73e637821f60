#include "aggregator/core/secret_asks.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/sealed_documents.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"
#include "shoset/sealing/secret_bytes.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace mesh::aggregator {

namespace {

constexpr std::size_t maxSecretAskBytes = 1024;
constexpr std::size_t maxSecretAskDepth = 2;

// What is asked, or no object.
nlohmann::json secretAskFrom(std::string_view payload)
{
    if (!shoset::checkJsonBounds(payload, maxSecretAskBytes, maxSecretAskDepth)) {
        return {};
    }
    return nlohmann::json::parse(payload, nullptr, false);
}

std::string askedText(const nlohmann::json& ask, const char* field)
{
    const auto found = ask.is_object() ? ask.find(field) : ask.end();
    return found != ask.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// As base64; empty unless it has that length.
std::string askedBytes(const nlohmann::json& ask, const char* field, std::size_t length)
{
    const Result<std::string> raw = sealing::fromBase64(askedText(ask, field));
    return raw && raw->size() == length ? *raw : std::string();
}

}  // namespace

SecretAsks::SecretAsks(Mesh& links, cluster::StateEngine& stateEngine, Rng& random) : mesh(links), engine(stateEngine), rng(random) {}

bool SecretAsks::concerns(const shoset::Command& command)
{
    const bool ofSecrets = command.name == shoset::secretGet || command.name == shoset::secretList || command.name == shoset::secretSeal;
    return ofSecrets && command.to.name.empty() && command.to.type.empty();
}

void SecretAsks::onAsked(const shoset::Address& from, const MessageId& id, const shoset::Command& command, std::string_view payload,
                         Now now)
{
    if (command.name == shoset::secretGet) {
        get(from, id, payload, now);
    } else if (command.name == shoset::secretList) {
        list(from, id, now);
    } else {
        takeSeal(from, id, payload, now);
    }
}

void SecretAsks::answer(const shoset::Address& to, const MessageId& id, std::string_view payload, Now now)
{
    shoset::Reply reply;
    reply.http.status = 200;
    mesh.send(to, id, std::move(reply), payload, true, never, now);
}

void SecretAsks::refuse(const shoset::Address& to, const MessageId& id, const Error& error, Now now)
{
    shoset::Reply reply;
    reply.state = shoset::ReplyState::fail;
    reply.code = error.code;
    reply.message = error.message;
    mesh.send(to, id, std::move(reply), {}, true, never, now);
}

// The same words whether there is none of that name or it is for others.
void SecretAsks::denied(const shoset::Address& to, const MessageId& id, const std::string& name, Now now)
{
    ++count.denied;
    refuse(to, id, {Code::notFound, "no secret " + shoset::shownName(name) + " is granted to this connector"}, now);
}

void SecretAsks::get(const shoset::Address& from, const MessageId& id, std::string_view payload, Now now)
{
    const std::string name = askedText(secretAskFrom(payload), "name");
    const std::optional<SealedDocument> sealed = findSealed(engine.state(), shoset::tenantOf(from), name);
    if (!sealed || sealing::findRecipient(sealed->envelope, shoset::nameOf(from)) == nullptr) {
        return denied(from, id, name, now);
    }
    ++count.given;
    answer(from, id, sealing::envelopeText(sealed->envelope), now);
}

void SecretAsks::list(const shoset::Address& from, const MessageId& id, Now now)
{
    nlohmann::ordered_json granted = nlohmann::ordered_json::array();
    for (const auto& [name, sealed] : allSealed(engine.state(), shoset::tenantOf(from))) {
        const sealing::Recipient* own = sealing::findRecipient(sealed.envelope, shoset::nameOf(from));
        if (own != nullptr) {
            granted.push_back({{"name", name.second}, {"version", sealed.envelope.version}, {"key", sealing::toBase64(own->seal.key)}});
        }
    }
    answer(from, id, jsonText({{"secrets", std::move(granted)}}), now);
}

bool SecretAsks::withinRate(const shoset::Address& from, Instant now)
{
    std::erase_if(windows, [now](const auto& entry) { return now - entry.second.since >= limits::resealWindow; });
    Window& window = windows.try_emplace(from, Window{now, 0}).first->second;
    return ++window.seals <= limits::maxReseals;
}

void SecretAsks::takeSeal(const shoset::Address& from, const MessageId& id, std::string_view payload, Now now)
{
    const nlohmann::json ask = secretAskFrom(payload);
    const std::string name = askedText(ask, "name");
    const sealing::Seal seal{askedBytes(ask, "key", sealing::keyBytes), askedBytes(ask, "seal", sealing::sealBytes)};
    if (seal.key.empty() || seal.box.empty() || !ask.contains("version") || !ask["version"].is_number_unsigned()) {
        ++count.malformed;
        return refuse(from, id, {Code::invalidArgument, "expected 'name', 'version', 'key' and 'seal'"}, now);
    }
    std::optional<SealedDocument> sealed = findSealed(engine.state(), shoset::tenantOf(from), name);
    const auto own = [&] {
        return std::find_if(sealed->envelope.recipients.begin(), sealed->envelope.recipients.end(),
                            [&](const sealing::Recipient& each) { return each.connector == shoset::nameOf(from); });
    };
    if (!sealed || own() == sealed->envelope.recipients.end()) {
        return denied(from, id, name, now);
    }
    if (sealed->envelope.version != ask["version"].get<std::uint64_t>()) {
        return refuse(from, id, {Code::preconditionFailed, "the secret " + name + " has another version now"}, now);
    }
    if (own()->seal == seal) {
        return answer(from, id, "{}", now);
    }
    if (!withinRate(from, now.mono)) {
        ++count.limited;
        return refuse(from, id, {Code::full, "so many new seals at once are not taken; try again"}, now);
    }
    own()->seal = seal;
    cluster::PutDocument operation{secretDocument(sealed->envelope.tenant, name), sealed->revision,
                                   sealing::envelopeText(sealed->envelope)};
    engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, now.mono + limits::keeperDeadline,
                   [this, from, id, now, owner = std::weak_ptr<int>(alive)](const Result<cluster::Applied>& applied) {
                       if (owner.expired()) {
                           return;
                       }
                       if (!applied || !applied->ok()) {
                           return refuse(from, id, applied ? applied->error : applied.error(), now);
                       }
                       ++count.resealed;
                       answer(from, id, "{}", now);
                   });
}

void SecretAsks::addMetrics(std::vector<Counter>& out) const
{
    out.push_back({"bmcmesh_secrets_given_total", "Sealed secrets given to connectors", count.given, false});
    out.push_back({"bmcmesh_secrets_denied_total", "Questions for secrets that are not the connector's, or are not there", count.denied,
                   false});
    out.push_back({"bmcmesh_secrets_malformed_total", "New seals that were none", count.malformed, false});
    out.push_back({"bmcmesh_secrets_resealed_total", "Seals that connectors have replaced after a change of key", count.resealed, false});
    out.push_back({"bmcmesh_secrets_limited_total", "New seals refused because too many came at once", count.limited, false});
}

}  // namespace mesh::aggregator
