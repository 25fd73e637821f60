#include "cluster/core/codec.hpp"

#include "cluster/core/archive.hpp"
#include "shoset/base/limits.hpp"

#include <cstdint>
#include <utility>

namespace mesh::cluster {

namespace {

constexpr std::size_t maxNameText = 64;   // names, ids, user names, prefixes, UUIDs, keys
constexpr std::size_t maxHashText = 128;  // argon2id strings, token hashes
constexpr std::size_t maxClientText = 64;
constexpr std::size_t maxMessageText = 512;  // of a remembered answer

template <class Archive>
void name(Archive& archive, std::string& value)
{
    archive.text(value, maxNameText);
}

template <class Archive, class Value, class Field>
void optional(Archive& archive, std::optional<Value>& value, Field field)
{
    bool given = value.has_value();
    archive.flag(given);
    if (given) {
        if (!value) {
            value.emplace();
        }
        field(*value);
    }
}

template <class Archive>
void privileges(Archive& archive, tenants::PrivilegeSet& set)
{
    std::uint32_t mask = set.mask();
    archive.small(mask, tenants::PrivilegeSet::knownBits);
    set = tenants::PrivilegeSet::fromMask(static_cast<std::uint8_t>(mask));
}

template <class Archive>
void code(Archive& archive, Code& value)
{
    auto number = static_cast<std::uint32_t>(value);
    archive.small(number, static_cast<std::uint32_t>(Code::unsupported));
    value = static_cast<Code>(number);
}

// ---- operations: fields(archive, record) lists what stands in the bytes, in this order

template <class Archive>
void fields(Archive& a, CreateAccount& op)
{
    name(a, op.userName);
    a.text(op.passwordHash, maxHashText);
    name(a, op.roleId);
    name(a, op.tenant);
    a.flag(op.enabled);
    a.flag(op.passwordChangeRequired);
}

template <class Archive>
void fields(Archive& a, UpdateAccount& op)
{
    name(a, op.id);
    a.number(op.ifRevision);
    optional(a, op.userName, [&a](std::string& value) { name(a, value); });
    optional(a, op.passwordHash, [&a](std::string& value) { a.text(value, maxHashText); });
    optional(a, op.roleId, [&a](std::string& value) { name(a, value); });
    optional(a, op.enabled, [&a](bool& value) { a.flag(value); });
    optional(a, op.locked, [&a](bool& value) { a.flag(value); });
    optional(a, op.passwordChangeRequired, [&a](bool& value) { a.flag(value); });
    name(a, op.keepSession);
}

template <class Archive>
void fields(Archive& a, DeleteAccount& op)
{
    name(a, op.id);
    a.number(op.ifRevision);
}

template <class Archive>
void fields(Archive& a, PutRole& op)
{
    name(a, op.id);
    a.number(op.ifRevision);
    privileges(a, op.privileges);
}

template <class Archive>
void fields(Archive& a, DeleteRole& op)
{
    name(a, op.id);
    a.number(op.ifRevision);
}

template <class Archive>
void fields(Archive& a, CreateSession& op)
{
    name(a, op.id);
    a.text(op.tokenHash, maxHashText);
    name(a, op.accountId);
    a.text(op.client, maxClientText);
    a.small(op.timeoutSeconds, UINT32_MAX);
}

template <class Archive>
void fields(Archive& a, EndSession& op)
{
    name(a, op.id);
}

template <class Archive>
void fields(Archive& a, TouchSessions& op)
{
    std::size_t size = op.ids.size();
    a.count(size, limits::maxSessions);
    op.ids.resize(size);
    for (std::string& session : op.ids) {
        name(a, session);
    }
}

template <class Archive>
void fields(Archive&, ExpireSessions&)
{
}

template <class Archive>
void fields(Archive& a, PutTenant& op)
{
    name(a, op.name);
}

template <class Archive>
void fields(Archive& a, RemoveTenant& op)
{
    name(a, op.name);
}

template <class Archive>
void fields(Archive& a, tenants::Connector& connector)
{
    name(a, connector.tenant);
    name(a, connector.name);
    name(a, connector.key);
    name(a, connector.prefix);
    name(a, connector.product);
    name(a, connector.type);
}

template <class Archive>
void fields(Archive& a, PutConnector& op)
{
    fields(a, op.connector);
}

template <class Archive>
void fields(Archive& a, RemoveConnector& op)
{
    name(a, op.tenant);
    name(a, op.name);
}

template <class Archive>
void fields(Archive& a, AssignPrefix& op)
{
    name(a, op.tenant);
    name(a, op.connector);
    name(a, op.configured);
    name(a, op.uuid);
    name(a, op.key);
}

template <class Archive>
void fields(Archive& a, SetServiceUuid& op)
{
    name(a, op.uuid);
}

template <class Archive>
void fields(Archive&, RaiseGeneration&)
{
}

template <class Archive>
void fields(Archive& a, PutProperty& op)
{
    a.text(op.uri, limits::maxUriBytes);
    a.number(op.ifRevision);
    a.text(op.json, limits::maxPropertyBytes);
}

template <class Archive>
void fields(Archive& a, RemoveProperty& op)
{
    a.text(op.uri, limits::maxUriBytes);
    a.number(op.ifRevision);
}

// ---- records of a snapshot

template <class Archive>
void fields(Archive& a, Account& account)
{
    name(a, account.id);
    name(a, account.userName);
    a.text(account.passwordHash, maxHashText);
    name(a, account.roleId);
    name(a, account.tenant);
    a.flag(account.enabled);
    a.flag(account.locked);
    a.flag(account.passwordChangeRequired);
    a.time(account.lockedAt);
    a.number(account.revision);
}

template <class Archive>
void fields(Archive& a, Role& role)
{
    name(a, role.id);
    privileges(a, role.privileges);
    a.number(role.revision);
}

template <class Archive>
void fields(Archive& a, Session& session)
{
    name(a, session.id);
    a.text(session.tokenHash, maxHashText);
    name(a, session.accountId);
    a.text(session.client, maxClientText);
    a.time(session.createdAt);
    a.time(session.lastUse);
    a.small(session.timeoutSeconds, UINT32_MAX);
}

template <class Archive>
void fields(Archive& a, std::pair<tenants::ConnectorName, PrefixAssignment>& entry)
{
    name(a, entry.first.tenant);
    name(a, entry.first.name);
    name(a, entry.second.prefix);
    name(a, entry.second.uuid);
}

template <class Archive>
void fields(Archive& a, std::pair<std::string, Property>& entry)
{
    a.text(entry.first, limits::maxUriBytes);
    a.text(entry.second.json, limits::maxPropertyBytes);
    a.number(entry.second.revision);
}

template <class Archive>
void fields(Archive& a, Remembered& remembered)
{
    a.id(remembered.requestId);
    a.number(remembered.applied.revision);
    code(a, remembered.applied.error.code);
    a.text(remembered.applied.error.message, maxMessageText);
    name(a, remembered.applied.value);
}

template <class Record>
void encodeRecord(Encoder& encoder, Record record)  // a copy: fields() takes what it could also fill
{
    fields(encoder, record);
}

template <class Record>
std::size_t sizeOf(Record record)
{
    Encoder encoder;
    fields(encoder, record);
    return encoder.out.size();
}

template <std::size_t... Index>
bool chooseOperation(Operation& operation, std::uint64_t number, std::index_sequence<Index...>)
{
    return ((number == Index && (operation.emplace<Index>(), true)) || ...);
}

Error malformed(const char* what)
{
    return Error{Code::corrupt, std::string(what) + " is malformed"};
}

Error newer(const char* what, std::uint64_t found, std::uint64_t known)
{
    return Error{Code::unsupported, std::string(what) + " " + std::to_string(found) +
                                        " was written by a newer program; this one knows up to " +
                                        std::to_string(known) + " and stops rather than skip it. Upgrade this node"};
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

void readTables(Decoder& decoder, Snapshot& snapshot)
{
    State& state = snapshot.state;
    readTable<Account>(decoder, limits::maxAccounts, intoById(state.accounts));
    readTable<Role>(decoder, limits::maxRoles, intoById(state.roles));
    readTable<Session>(decoder, limits::maxSessions, intoById(state.sessions));
    readTable<PutTenant>(decoder, limits::maxTenants,
                         [&](const PutTenant& tenant) { return state.registry.addTenant(tenant.name).ok(); });
    readTable<tenants::Connector>(decoder, limits::maxConnectors, [&](tenants::Connector connector) {
        return state.registry.find(connector.tenant, connector.name) == nullptr &&
               state.registry.put(std::move(connector)).ok();
    });
    readTable<std::pair<tenants::ConnectorName, PrefixAssignment>>(
        decoder, limits::maxConnectors, [&](auto entry) { return state.prefixes.insert(std::move(entry)).second; });
    readTable<std::pair<std::string, Property>>(decoder, limits::propertyTableBytes, [&](auto entry) {
        return state.properties.insert(std::move(entry)).second;
    });
    readTable<Remembered>(decoder, limits::maxRememberedResults, [&](Remembered result) {
        snapshot.remembered.push_back(std::move(result));
        return true;
    });
}

}  // namespace

Result<std::string> encodeCommand(const Command& command)
{
    Encoder encoder;
    encoder.number(entryFormat);
    encoder.id(command.requestId);
    encoder.time(command.stamp);
    encoder.number(command.operation.index());
    std::visit([&encoder](const auto& operation) { encodeRecord(encoder, operation); }, command.operation);
    if (!encoder.overLimit.empty()) {
        return Error{Code::tooLarge, encoder.overLimit};
    }
    if (encoder.out.size() > limits::maxEntryBytes) {
        return Error{Code::tooLarge, "a change of " + std::to_string(encoder.out.size()) +
                                         " bytes is over the limit of " + std::to_string(limits::maxEntryBytes)};
    }
    return std::move(encoder.out);
}

Result<Command> decodeCommand(std::string_view entry)
{
    Decoder decoder(entry);
    std::uint64_t format = 0;
    decoder.number(format);
    if (!decoder.good || entry.size() > limits::maxEntryBytes) {
        return malformed("an entry");
    }
    if (format != entryFormat) {
        return newer("an entry of format", format, entryFormat);
    }
    Command command;
    std::uint64_t number = 0;
    decoder.id(command.requestId);
    decoder.time(command.stamp);
    decoder.number(number);
    constexpr std::size_t known = std::variant_size_v<Operation>;
    if (decoder.good && !chooseOperation(command.operation, number, std::make_index_sequence<known>())) {
        return newer("an entry with operation", number, known - 1);
    }
    if (decoder.good) {
        std::visit([&decoder](auto& operation) { fields(decoder, operation); }, command.operation);
    }
    if (!decoder.good || !decoder.rest.empty()) {
        return malformed("an entry");
    }
    return command;
}

std::string encodeSnapshot(const State& state, const std::deque<Remembered>& remembered)
{
    Encoder encoder;
    encoder.number(snapshotFormat);
    encoder.number(state.revision);
    encoder.number(state.generation);
    encodeRecord(encoder, SetServiceUuid{state.serviceUuid});
    encoder.number(state.nextAccountId);
    const auto table = [&encoder](const auto& records, auto record) {
        encoder.number(records.size());
        for (const auto& entry : records) {
            encodeRecord(encoder, record(entry));
        }
    };
    const auto second = [](const auto& entry) { return entry.second; };
    table(state.accounts, second);
    table(state.roles, second);
    table(state.sessions, second);
    table(state.registry.tenants(), [](const std::string& tenant) { return PutTenant{tenant}; });
    table(state.registry.connectors(), second);
    table(state.prefixes, [](const auto& entry) { return std::pair(entry.first, entry.second); });
    table(state.properties, [](const auto& entry) { return std::pair(entry.first, entry.second); });
    table(remembered, [](const Remembered& result) { return result; });
    return std::move(encoder.out);
}

Result<Snapshot> decodeSnapshot(std::string_view bytes)
{
    Decoder decoder(bytes);
    std::uint64_t format = 0;
    decoder.number(format);
    if (!decoder.good || bytes.size() > limits::maxStateBytes) {
        return malformed("a snapshot");
    }
    if (format != snapshotFormat) {
        return newer("a snapshot of format", format, snapshotFormat);
    }
    Snapshot snapshot;
    SetServiceUuid service;
    decoder.number(snapshot.state.revision);
    decoder.number(snapshot.state.generation);
    fields(decoder, service);
    decoder.number(snapshot.state.nextAccountId);
    snapshot.state.serviceUuid = std::move(service.uuid);
    readTables(decoder, snapshot);
    const bool whole = decoder.good && decoder.rest.empty();
    if (!whole || encodeSnapshot(snapshot.state, snapshot.remembered) != bytes) {  // also when records are out of order
        return malformed("a snapshot");
    }
    return snapshot;
}

std::size_t encodedSize(const Account& account)
{
    return sizeOf(account);
}

std::size_t encodedSize(const Role& role)
{
    return sizeOf(role);
}

std::size_t encodedSize(const Session& session)
{
    return sizeOf(session);
}

std::size_t encodedSize(const tenants::Connector& connector)
{
    return sizeOf(connector);
}

std::size_t encodedSize(const tenants::ConnectorName& name, const PrefixAssignment& assignment)
{
    return sizeOf(std::pair(name, assignment));
}

std::size_t encodedSize(const std::string& uri, const Property& property)
{
    return sizeOf(std::pair(uri, property));
}

std::size_t encodedSize(const Remembered& remembered)
{
    return sizeOf(remembered);
}

}  // namespace mesh::cluster
