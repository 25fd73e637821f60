#include "cluster/core/codec.hpp"
#include "cluster/core/fields_documents.hpp"
#include "cluster/core/fields_enrolments.hpp"
#include "cluster/core/fields_nodes.hpp"
#include "cluster/core/fields_registry.hpp"
#include "cluster/core/fields_tasks.hpp"

#include <limits>
#include <utility>
#include <vector>

namespace mesh::cluster {

namespace {

constexpr std::size_t keyBytes = 40;

template <class Archive>
void fields(Archive& a, Remembered& remembered)
{
    a.id(remembered.requestId);
    a.number(remembered.applied.revision);
    choice(a, remembered.applied.error.code, Code::unsupported);
    a.text(remembered.applied.error.message, maxMessageText);
    a.text(remembered.applied.value, a.level >= clusterFeatureLevel ? maxValueText : maxNameText);
}

template <class Record>
void encodeRecord(Encoder& encoder, Record record)  // a copy: fields() takes what it could also fill
{
    fields(encoder, record);
}

template <class Record>
std::size_t sizeOf(Record record, FeatureLevel level)
{
    Encoder encoder;
    encoder.level = level;
    fields(encoder, record);
    return encoder.out.size();
}

// `insert` says whether a record may stand where it does.
template <class Record, class Insert>
void readTable(Decoder& decoder, std::size_t limit, Insert insert)
{
    std::size_t size = 0;
    decoder.count(size, limit);
    for (; size > 0 && decoder.good; --size) {
        Record record{};
        fields(decoder, record);
        decoder.good = decoder.good && insert(std::move(record));
    }
}

template <class Map>
auto intoById(Map& map)
{
    return [&map](auto record) {
        std::string key = record.id;
        return map.emplace(std::move(key), std::move(record)).second;
    };
}

template <class Map>
auto into(Map& map)
{
    return [&map](auto entry) { return map.insert(std::move(entry)).second; };
}

void readTables(Decoder& decoder, Snapshot& snapshot)
{
    State& state = snapshot.state;
    readTable<Account>(decoder, limits::maxAccounts, intoById(state.accounts));
    readTable<Role>(decoder, limits::maxRoles, intoById(state.roles));
    readTable<Session>(decoder, limits::maxSessions, intoById(state.sessions));
    std::vector<TenantRecord> tenants;
    readTable<TenantRecord>(decoder, limits::maxTenants, [&](const TenantRecord& tenant) {
        tenants.push_back(tenant);
        return state.registry.addTenant(tenant.name).ok();
    });
    readTable<tenants::Connector>(decoder, limits::maxConnectors, [&](tenants::Connector connector) {
        return state.registry.find(connector.tenant, connector.name) == nullptr &&
               state.registry.put(std::move(connector)).ok();
    });
    for (const TenantRecord& tenant : tenants) {  // now: a tenant may have more than it would be given
        decoder.good = decoder.good && state.registry.setQuota(tenant.name, tenant.quota).ok();
    }
    readTable<std::pair<tenants::ConnectorName, PrefixAssignment>>(
        decoder, limits::maxConnectors, into(state.prefixes));
    readTable<std::pair<std::string, Property>>(decoder, limits::maxStateBytes, into(state.properties));
    readTable<Remembered>(decoder, limits::maxRememberedResults, [&](Remembered result) {
        snapshot.remembered.push_back(std::move(result));
        return true;
    });
    if (decoder.level >= clusterFeatureLevel) {
        readTable<Node>(decoder, limits::maxAggregators, [&state](Node node) {
            return node.id != 0 && state.nodes.emplace(node.id, std::move(node)).second;
        });
        readTable<Enrolment>(decoder, limits::maxEnrolments, intoById(state.enrolments));
        readTable<Task>(decoder, limits::maxTasks, intoById(state.tasks));
        readTable<Source>(decoder, limits::maxSources, intoById(state.sources));
        readTable<std::pair<DocumentName, Document>>(decoder, limits::maxDocuments, into(state.documents));
        readTable<std::pair<DocumentName, std::string>>(decoder, limits::maxDocuments, into(state.cursors));
    }
}

// What is no table; `Known` is const for an Encoder.
template <class Archive, class Known>
void head(Archive& a, Known& state)
{
    a.number(state.revision);
    a.number(state.generation);
    a.text(state.serviceUuid, maxNameText);
    a.number(state.nextAccountId);
    if (a.level >= clusterFeatureLevel) {
        a.number(state.nextNodeId);
        ids(a, state.unusedNodeIds, limits::maxUnusedNodeIds);
    }
}

}  // namespace

std::string encodeSnapshot(const State& state, const std::deque<Remembered>& remembered)
{
    Encoder encoder;
    encoder.level = state.featureLevel;
    encoder.number(encoder.level);
    head(encoder, state);
    const auto table = [&encoder](const auto& records, auto record) {
        encoder.number(records.size());
        for (const auto& entry : records) {
            encodeRecord(encoder, record(entry));
        }
    };
    const auto second = [](const auto& entry) { return entry.second; };
    const auto whole = [](const auto& entry) { return std::pair(entry.first, entry.second); };
    table(state.accounts, second);
    table(state.roles, second);
    table(state.sessions, second);
    table(state.registry.tenants(), [&state](const std::string& name) { return TenantRecord{name, state.registry.quotaOf(name)}; });
    table(state.registry.connectors(), second);
    table(state.prefixes, whole);
    table(state.properties, whole);
    table(remembered, [](const Remembered& result) { return result; });
    if (encoder.level >= clusterFeatureLevel) {
        table(state.nodes, second);
        table(state.enrolments, second);
        table(state.tasks, second);
        table(state.sources, second);
        table(state.documents, whole);
        table(state.cursors, whole);
    }
    return std::move(encoder.out);
}

Result<Snapshot> decodeSnapshot(std::string_view bytes, FeatureLevel knows)
{
    Decoder decoder(bytes);
    decoder.number(decoder.level);
    if (!decoder.good || bytes.size() > limits::maxStateBytes) {
        return malformed("a snapshot");
    }
    if (decoder.level < firstFeatureLevel || decoder.level > knows) {
        return newer("a snapshot of format", decoder.level, knows);
    }
    Snapshot snapshot;
    snapshot.state.featureLevel = static_cast<FeatureLevel>(decoder.level);
    head(decoder, snapshot.state);
    readTables(decoder, snapshot);
    const bool whole = decoder.good && decoder.rest.empty();
    if (!whole || encodeSnapshot(snapshot.state, snapshot.remembered) != bytes) {  // also when records are out of order
        return malformed("a snapshot");
    }
    return snapshot;
}

std::size_t encodedSize(const Account& account, FeatureLevel level)
{
    return sizeOf(account, level);
}

std::size_t encodedSize(const Role& role, FeatureLevel level)
{
    return sizeOf(role, level);
}

std::size_t encodedSize(const Session& session, FeatureLevel level)
{
    return sizeOf(session, level);
}

std::size_t encodedSize(const TenantRecord& tenant, FeatureLevel level)
{
    return sizeOf(tenant, level);
}

// That of an agentless one has room for what orders will enter: they must not fail.
std::size_t encodedSize(const tenants::Connector& connector, FeatureLevel level)
{
    if (!connector.agentless) {
        return sizeOf(connector, level);
    }
    tenants::Connector largest = connector;
    largest.key.resize(keyBytes);
    largest.host = largest.assignment = std::numeric_limits<std::uint64_t>::max();
    return sizeOf(largest, level);
}

std::size_t encodedSize(const tenants::ConnectorName& name, const PrefixAssignment& assignment, FeatureLevel level)
{
    return sizeOf(std::pair(name, assignment), level);
}

std::size_t encodedSize(const std::string& uri, const Property& property, FeatureLevel level)
{
    return sizeOf(std::pair(uri, property), level);
}

std::size_t encodedSize(const Remembered& remembered, FeatureLevel level)
{
    return sizeOf(remembered, level);
}

std::size_t encodedSize(const Node& node, FeatureLevel level)
{
    return sizeOf(node, level);
}

std::size_t encodedSize(const Enrolment& enrolment, FeatureLevel level)
{
    // It will take so much more, unasked, when it is used.
    return sizeOf(enrolment, level) + (enrolment.usedKey.empty() ? keyBytes : 0);
}

std::size_t encodedSize(const Task& task, FeatureLevel level)
{
    constexpr std::size_t endBytes = 16;  // an end's time and revision, when its node is lost
    return sizeOf(task, level) + (isFinished(task.state) ? 0 : endBytes);
}

std::size_t encodedSize(const Source& source, FeatureLevel level)
{
    Source largest = source;
    largest.generation = largest.term = largest.revision = std::numeric_limits<std::uint64_t>::max();
    return sizeOf(largest, level);
}

std::size_t encodedSize(const DocumentName& name, const Document& document, FeatureLevel level)
{
    return sizeOf(std::pair(name, document), level);
}

std::size_t encodedSize(const DocumentName& name, const std::string& cursor, FeatureLevel level)
{
    return sizeOf(std::pair(name, cursor), level);
}

}  // namespace mesh::cluster
