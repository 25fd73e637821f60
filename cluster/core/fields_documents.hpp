#pragma once

#include "cluster/core/fields_support.hpp"

#include <utility>

// The fields of hosts, sources, documents and cursors, as in fields_accounts.hpp.
namespace mesh::cluster {

template <class Archive>
void fields(Archive& a, AssignHost& op)
{
    name(a, op.tenant);
    name(a, op.name);
    a.number(op.node);
    a.number(op.generation);
    a.number(op.term);
}

template <class Archive>
void fields(Archive& a, RegisterHostKey& op)
{
    name(a, op.tenant);
    name(a, op.name);
    a.number(op.node);
    a.number(op.assignment);
    name(a, op.key);
}

template <class Archive>
void fields(Archive& a, Source& source)
{
    name(a, source.id);
    a.text(source.hostName, limits::maxHostNameBytes);
    name(a, source.tenant);
    name(a, source.connector);
    name(a, source.userName);
    a.text(source.fingerprint, limits::maxFingerprintBytes);
    a.flag(source.insecure);
    std::size_t passwords = source.passwords.size();
    a.count(passwords, limits::maxAggregators);
    source.passwords.resize(passwords);
    for (SealedPassword& password : source.passwords) {
        a.number(password.node);
        a.text(password.box, limits::maxSealedPasswordBytes);
        if (a.level >= sealedSourcesFeatureLevel) {
            a.text(password.key, sealingKeyText);
        }
    }
    a.number(source.generation);
    a.number(source.term);
    a.number(source.revision);
}

template <class Archive>
void fields(Archive& a, PutSource& op)
{
    fields(a, op.source);
    a.number(op.ifRevision);
}

template <class Archive>
void fields(Archive& a, RemoveSource& op)
{
    name(a, op.id);
    a.number(op.ifRevision);
}

template <class Archive>
void fields(Archive& a, DocumentName& document)
{
    choice(a, document.kind, DocumentKind::policy);
    name(a, document.tenant);
    name(a, document.name);
}

template <class Archive>
void fields(Archive& a, PutDocument& op)
{
    fields(a, op.name);
    a.number(op.ifRevision);
    a.text(op.content, limits::maxDocumentBytes);
}

template <class Archive>
void fields(Archive& a, RemoveDocument& op)
{
    fields(a, op.name);
    a.number(op.ifRevision);
}

template <class Archive>
void fields(Archive& a, PutVersion& op)
{
    fields(a, op.name);
    a.number(op.follows);
    a.text(op.content, limits::maxDocumentBytes);
    a.text(op.author, maxAuthorText);
}

template <class Archive>
void fields(Archive& a, ConfigurationView& view)
{
    a.number(view.documents);
    a.number(view.newest);
}

template <class Archive>
void fields(Archive& a, PutConfiguration& op)
{
    fields(a, op.change);
    fields(a, op.seen);
    name(a, op.connectorType);
}

template <class Archive>
void fields(Archive& a, RemoveConfiguration& op)
{
    fields(a, op.name);
    a.number(op.ifRevision);
    fields(a, op.seen);
}

template <class Archive>
void fields(Archive& a, DocumentVersion& version)
{
    a.number(version.number);
    a.text(version.content, limits::maxDocumentBytes);
    a.text(version.author, maxAuthorText);
    a.time(version.at);
}

template <class Archive>
void fields(Archive& a, SetCursor& op)
{
    name(a, op.tenant);
    name(a, op.subscription);
    a.text(op.position, limits::maxCursorBytes);
}

template <class Archive>
void fields(Archive& a, std::pair<DocumentName, Document>& entry)
{
    fields(a, entry.first);
    Document& document = entry.second;
    a.text(document.content, limits::maxDocumentBytes);
    a.number(document.revision);
    if (a.level < configurationFeatureLevel) {
        return;
    }
    a.number(document.version);
    if (document.version != 0) {
        a.text(document.author, maxAuthorText);
        a.time(document.at);
        std::size_t former = document.former.size();
        a.count(former, limits::maxFormerVersions);
        document.former.resize(former);
        for (DocumentVersion& version : document.former) {
            fields(a, version);
        }
    }
}

template <class Archive>
void fields(Archive& a, std::pair<DocumentName, std::string>& entry)
{
    fields(a, entry.first);
    a.text(entry.second, limits::maxCursorBytes);
}

}  // namespace mesh::cluster
