#pragma once

#include "cluster/core/fields_support.hpp"

// The fields of enrolments, revocation and rotation, as in fields_accounts.hpp.
namespace mesh::cluster {

template <class Archive>
void fields(Archive& a, Enrolment& enrolment)
{
    name(a, enrolment.id);
    a.text(enrolment.secretHash, maxHashText);
    choice(a, enrolment.role, EnrolmentRole::node);
    name(a, enrolment.tenant);
    name(a, enrolment.name);
    name(a, enrolment.prefix);
    name(a, enrolment.product);
    name(a, enrolment.type);
    a.time(enrolment.createdAt);
    a.time(enrolment.expiresAt);
    name(a, enrolment.usedKey);
}

template <class Archive>
void fields(Archive& a, AddEnrolment& op)
{
    name(a, op.id);
    a.text(op.secretHash, maxHashText);
    choice(a, op.role, EnrolmentRole::node);
    name(a, op.tenant);
    name(a, op.name);
    name(a, op.prefix);
    name(a, op.product);
    name(a, op.type);
    a.time(op.expiresAt);
}

template <class Archive>
void fields(Archive& a, CancelEnrolment& op)
{
    name(a, op.id);
}

template <class Archive>
void fields(Archive& a, ConsumeEnrolment& op)
{
    a.text(op.secretHash, maxHashText);
    name(a, op.publicKey);
}

template <class Archive>
void fields(Archive& a, RevokeConnector& op)
{
    name(a, op.tenant);
    name(a, op.name);
}

template <class Archive>
void fields(Archive& a, BeginRotation& op)
{
    name(a, op.tenant);
    name(a, op.name);
}

template <class Archive>
void fields(Archive& a, CancelRotation& op)
{
    name(a, op.tenant);
    name(a, op.name);
}

template <class Archive>
void fields(Archive& a, OfferKey& op)
{
    name(a, op.tenant);
    name(a, op.name);
    name(a, op.key);
}

template <class Archive>
void fields(Archive& a, CompleteRotation& op)
{
    name(a, op.tenant);
    name(a, op.name);
    name(a, op.key);
}

}  // namespace mesh::cluster
