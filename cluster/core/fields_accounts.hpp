#pragma once

#include "cluster/core/fields_support.hpp"

// The fields of accounts, roles and sessions, for entry_codec.cpp and snapshot_codec.cpp; nobody else includes it.
// fields(archive, record) lists what stands in the bytes, in this order. A field that came after the first feature level
// stands under `if (a.level >= ...)`.
namespace mesh::cluster {

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

}  // namespace mesh::cluster
