// What the documents of the tenants may take of their table.
#include "cluster/core/apply_support.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace mesh::cluster {

namespace {

std::size_t beyond(std::size_t have, std::size_t limit)
{
    return have > limit ? have - limit : 0;
}

}  // namespace

Result<void> StateMachine::documentsFit(const DocumentName& name, std::size_t before, std::size_t after) const
{
    if (current.featureLevel >= documentShareFeatureLevel) {
        return documentExcess(name.tenant, before, after) == 0 ? Result<void>() : noDocumentRoom(name, after);
    }
    if (auto fit = fits(Table::documents, before, after); !fit) {
        return fit;
    }
    if (!name.tenant.empty() && after > before && documentBytesOf(name.tenant) - before + after > limits::maxTenantDocumentBytes) {
        return Error{Code::full, "the documents of tenant " + name.tenant + " have reached their " +
                                     std::to_string(limits::maxTenantDocumentBytes) + " bytes"};
    }
    return {};
}

// Of what others have nothing is told, so that none of the sizes depends on them.
Error StateMachine::noDocumentRoom(const DocumentName& name, std::size_t bytes) const
{
    const std::string of = name.tenant.empty() ? "the system" : "tenant " + name.tenant;
    return Error{Code::full, "there is no room for the " + std::to_string(bytes) + " bytes of " + name.name + ": the documents of " + of +
                                 " take " + std::to_string(documentBytesOf(name.tenant)) + " bytes; of a mesh's " +
                                 std::to_string(documentTableBytes()) + " one tenant may have " +
                                 std::to_string(limits::maxTenantDocumentBytes) +
                                 " at most, and less where there are several. Shorten it, or remove one that is not needed"};
}

// Of every tenant, also of those that have none.
std::map<std::string, std::size_t> StateMachine::documentBytesByTenant() const
{
    std::map<std::string, std::size_t> bytes;
    for (const std::string& tenant : current.registry.tenants()) {
        bytes.emplace(tenant, 0);
    }
    for (const auto& [name, document] : current.documents) {
        if (!name.tenant.empty()) {
            bytes[name.tenant] += sizeOf(name, document);
        }
    }
    return bytes;
}

// By how much a document that grows from `before` to `after` is too large. Half of the table is kept in equal parts for the tenants
// and for the next one that is added: of that part each is sure. The rest goes to whoever comes first. Otherwise two tenants could
// take all there is.
std::size_t StateMachine::documentExcess(const std::string& tenant, std::size_t before, std::size_t after) const
{
    if (after <= before) {
        return 0;
    }
    std::map<std::string, std::size_t> bytes = documentBytesByTenant();
    const std::size_t share = documentTableBytes() / 2 / (bytes.size() + 1);
    const std::size_t own = tenant.empty() ? 0 : bytes[tenant] - before + after;
    bytes.erase(tenant);
    std::size_t kept = own > share || tenant.empty() ? share : 0;
    for (const auto& [other, has] : bytes) {
        kept += beyond(share, has);
    }
    return std::max(beyond(own, limits::maxTenantDocumentBytes), beyond(used.documents - before + after + kept, documentTableBytes()));
}

// Former versions make room for what is wanted now: the document's own first, then the oldest of the tenant's others. They stay
// where even that would not do.
void StateMachine::makeDocumentRoom(const DocumentName& name, Document& next, Entry& entry)
{
    const Document* old = findDocument(current, name);
    const std::size_t before = old == nullptr ? 0 : sizeOf(name, *old);
    std::size_t excess = documentExcess(name.tenant, before, sizeOf(name, next));
    while (excess > 0 && !next.former.empty()) {
        next.former.erase(next.former.begin());
        excess = documentExcess(name.tenant, before, sizeOf(name, next));
    }
    if (excess > 0 && (old != nullptr || current.documents.size() < limits::maxDocuments)) {
        dropFormerVersions(name, excess, entry);
    }
}

void StateMachine::dropFormerVersions(const DocumentName& keep, std::size_t bytes, Entry& entry)
{
    std::map<DocumentName, Document*> others;
    std::size_t droppable = 0;
    for (auto& [name, document] : current.documents) {
        if (name.tenant == keep.tenant && name != keep && !document.former.empty()) {
            Document bare = document;
            bare.former.clear();
            droppable += sizeOf(name, document) - sizeOf(name, bare);
            others.emplace(name, &document);
        }
    }
    if (droppable < bytes) {
        return;
    }
    while (bytes > 0) {
        const auto oldest = std::min_element(others.begin(), others.end(), [](const auto& a, const auto& b) {
            return a.second->former.front().at < b.second->former.front().at;
        });
        auto& [name, document] = *oldest;
        const std::size_t before = sizeOf(name, *document);
        document->former.erase(document->former.begin());
        const std::size_t freed = before - sizeOf(name, *document);
        used.documents -= freed;
        bytes -= std::min(bytes, freed);
        entry.changed(ChangeKind::document, changeKey(name));
        if (document->former.empty()) {
            others.erase(oldest);
        }
    }
}

}  // namespace mesh::cluster
