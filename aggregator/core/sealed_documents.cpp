#include "aggregator/core/sealed_documents.hpp"

namespace mesh::aggregator {

namespace {

std::optional<SealedDocument> sealedFrom(const cluster::DocumentName& name, const cluster::Document& document)
{
    Result<sealing::Envelope> envelope = sealing::parseEnvelope(document.content);
    if (!envelope || envelope->tenant != name.tenant || envelope->name != name.name) {
        return std::nullopt;
    }
    return SealedDocument{std::move(*envelope), document.revision};
}

}  // namespace

cluster::DocumentName secretDocument(std::string_view tenant, std::string_view name)
{
    return {cluster::DocumentKind::secret, std::string(tenant), std::string(name)};
}

std::optional<SealedDocument> findSealed(const cluster::State& state, std::string_view tenant, std::string_view name)
{
    const cluster::DocumentName wanted = secretDocument(tenant, name);
    const cluster::Document* document = cluster::findDocument(state, wanted);
    return document == nullptr ? std::nullopt : sealedFrom(wanted, *document);
}

std::map<std::pair<std::string, std::string>, SealedDocument> allSealed(const cluster::State& state, std::string_view tenant)
{
    std::map<std::pair<std::string, std::string>, SealedDocument> out;
    for (const auto& [name, document] : state.documents) {
        if (name.kind != cluster::DocumentKind::secret || (!tenant.empty() && name.tenant != tenant)) {
            continue;
        }
        if (std::optional<SealedDocument> sealed = sealedFrom(name, document)) {
            out.emplace(std::pair(name.tenant, name.name), std::move(*sealed));
        }
    }
    return out;
}

}  // namespace mesh::aggregator
