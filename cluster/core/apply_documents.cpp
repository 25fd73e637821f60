#include "cluster/core/apply_support.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <utility>

namespace mesh::cluster {

StateMachine::Outcome StateMachine::run(const PutDocument& op, Entry& entry)
{
    if (!isValidName(op.name.name)) {
        return Error{Code::invalidArgument, "\"" + op.name.name + "\" is not a document's name"};
    }
    if (!op.name.tenant.empty() && !current.registry.hasTenant(op.name.tenant)) {
        return Error{Code::notFound, "there is no tenant \"" + op.name.tenant + "\""};
    }
    const Document* old = findDocument(current, op.name);
    if (!matches(op.ifRevision, old == nullptr ? 0 : old->revision)) {
        return changedMeanwhile("document " + op.name.name);
    }
    if (old != nullptr && old->version != 0) {
        return Error{Code::refused, "the versions of document " + op.name.name + " are counted: give it the next one"};
    }
    if (old != nullptr && old->content == op.content) {
        return std::string();
    }
    return storeDocument(op.name, {op.content, entry.revision}, entry);
}

StateMachine::Outcome StateMachine::storeDocument(const DocumentName& name, Document document, Entry& entry)
{
    const Document* old = findDocument(current, name);
    if (old == nullptr && current.documents.size() >= limits::maxDocuments) {
        return tooMany(limits::maxDocuments, "documents");
    }
    const std::size_t before = old == nullptr ? 0 : sizeOf(name, *old);
    const std::size_t after = sizeOf(name, document);
    if (auto fit = documentsFit(name, before, after); !fit) {
        return fit.error();
    }
    used.documents += after - before;
    current.documents[name] = std::move(document);
    entry.changed(ChangeKind::document, changeKey(name));
    return std::string();
}

StateMachine::Outcome StateMachine::run(const PutVersion& op, Entry& entry)
{
    if (!isValidName(op.name.name) || !isValidName(op.name.tenant)) {
        return Error{Code::invalidArgument, "\"" + op.name.name + "\" of \"" + op.name.tenant + "\" is no document of a tenant"};
    }
    if (!current.registry.tenants().empty() && !current.registry.hasTenant(op.name.tenant)) {
        return Error{Code::notFound, "there is no tenant \"" + op.name.tenant + "\""};
    }
    const Document* old = findDocument(current, op.name);
    const std::uint64_t version = old == nullptr ? 0 : old->version;
    if (op.follows != version) {
        return Error{Code::preconditionFailed, op.name.name + " is in version " + std::to_string(version) +
                                                   ", not " + std::to_string(op.follows) + ": read it again"};
    }
    if (version != 0 && old->content == op.content) {
        return std::to_string(version);
    }
    Document next{op.content, entry.revision, version + 1, op.author, entry.stamp};
    if (version != 0) {
        next.former = old->former;
        next.former.push_back({version, old->content, old->author, old->at});
    }
    while (next.former.size() > limits::maxFormerVersions ||
           (!next.former.empty() && sizeOf(op.name, next) > limits::maxDocumentBytes)) {
        next.former.erase(next.former.begin());
    }
    if (current.featureLevel >= documentShareFeatureLevel) {
        makeDocumentRoom(op.name, next, entry);
    }
    const Outcome stored = storeDocument(op.name, std::move(next), entry);
    return stored.ok() ? std::to_string(version + 1) : stored;
}

Result<void> StateMachine::isAsSeen(const std::string& tenant, const ConfigurationView& seen) const
{
    return configurationView(current, tenant) == seen ? Result<void>()
                                                      : changedMeanwhile("another configuration of tenant " + tenant);
}

StateMachine::Outcome StateMachine::run(const PutConfiguration& op, Entry& entry)
{
    const DocumentName& name = op.change.name;
    if (!isConfiguration(name.kind)) {
        return Error{Code::invalidArgument, "document " + name.name + " is no configuration"};
    }
    if (name.kind == DocumentKind::component && !current.registry.tenants().empty()) {
        const tenants::Connector* connector = current.registry.find(name.tenant, name.name);
        if (connector == nullptr) {
            return Error{Code::notFound, "there is no connector " + name.name};
        }
        if (connector->type != op.connectorType) {
            return changedMeanwhile("the type of connector " + name.name);
        }
    }
    const Result<void> seen = isAsSeen(name.tenant, op.seen);
    return seen ? run(op.change, entry) : seen.error();
}

StateMachine::Outcome StateMachine::run(const RemoveConfiguration& op, Entry& entry)
{
    const Result<void> seen = isAsSeen(op.name.tenant, op.seen);
    return seen ? run(RemoveDocument{op.name, op.ifRevision}, entry) : seen.error();
}

StateMachine::Outcome StateMachine::run(const RemoveDocument& op, Entry& entry)
{
    const Document* old = findDocument(current, op.name);
    if (old == nullptr) {
        return Error{Code::notFound, "there is no document " + op.name.name};
    }
    if (!matches(op.ifRevision, old->revision)) {
        return changedMeanwhile("document " + op.name.name);
    }
    dropDocument(op.name, entry);
    return std::string();
}

StateMachine::Outcome StateMachine::run(const SetCursor& op, Entry& entry)
{
    const DocumentName name{DocumentKind::subscription, op.tenant, op.subscription};
    if (findDocument(current, name) == nullptr) {
        return Error{Code::notFound, "there is no subscription " + op.subscription};
    }
    const auto old = current.cursors.find(name);
    if (old != current.cursors.end() && old->second == op.position) {
        return std::string();
    }
    const std::size_t before = old == current.cursors.end() ? 0 : sizeOf(name, old->second);
    const std::size_t after = sizeOf(name, op.position);
    if (auto fit = fits(Table::cursors, before, after); !fit) {
        return fit.error();
    }
    used.cursors += after - before;
    current.cursors[name] = op.position;
    entry.changed(ChangeKind::cursor, op.tenant + "/" + op.subscription);
    return std::string();
}

void StateMachine::dropDocument(const DocumentName& name, Entry& entry)
{
    const auto document = current.documents.find(name);
    used.documents -= sizeOf(name, document->second);
    current.documents.erase(document);
    entry.changed(ChangeKind::document, changeKey(name));
    const auto cursor = current.cursors.find(name);
    if (cursor != current.cursors.end()) {
        used.cursors -= sizeOf(name, cursor->second);
        current.cursors.erase(cursor);
        entry.changed(ChangeKind::cursor, name.tenant + "/" + name.name);
    }
}

void StateMachine::dropDocumentsOf(const std::string& tenant, Entry& entry)
{
    std::vector<DocumentName> dropped;
    for (const auto& [name, document] : current.documents) {
        if (name.tenant == tenant) {
            dropped.push_back(name);
        }
    }
    for (const DocumentName& name : dropped) {
        dropDocument(name, entry);
    }
}

std::size_t StateMachine::documentBytesOf(const std::string& tenant) const
{
    std::size_t bytes = 0;
    for (const auto& [name, document] : current.documents) {
        bytes += name.tenant == tenant ? sizeOf(name, document) : 0;
    }
    return bytes;
}

}  // namespace mesh::cluster
