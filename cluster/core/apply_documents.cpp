#include "cluster/core/apply_support.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <utility>

namespace mesh::cluster {

namespace {

std::string changeKey(const DocumentName& name)
{
    return std::to_string(static_cast<unsigned>(name.kind)) + "/" + name.tenant + "/" + name.name;
}

}  // namespace

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
    if (old != nullptr && old->content == op.content) {
        return std::string();
    }
    if (old == nullptr && current.documents.size() >= limits::maxDocuments) {
        return tooMany(limits::maxDocuments, "documents");
    }
    Document document{op.content, entry.revision};
    const std::size_t before = old == nullptr ? 0 : sizeOf(op.name, *old);
    const std::size_t after = sizeOf(op.name, document);
    if (auto fit = fits(Table::documents, before, after); !fit) {
        return fit.error();
    }
    if (!op.name.tenant.empty() && after > before &&
        documentBytesOf(op.name.tenant) - before + after > limits::maxTenantDocumentBytes) {
        return Error{Code::full, "the documents of tenant " + op.name.tenant + " have reached their " +
                                     std::to_string(limits::maxTenantDocumentBytes) + " bytes"};
    }
    used.documents += after - before;
    current.documents[op.name] = std::move(document);
    entry.changed(ChangeKind::document, changeKey(op.name));
    return std::string();
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
