#pragma once

#include "cluster/core/fields_accounts.hpp"
#include "cluster/core/fields_support.hpp"

// The fields of nodes and of what keeps the cluster together, as in fields_accounts.hpp.
namespace mesh::cluster {

template <class Archive>
void fields(Archive& a, RaiseFeatureLevel& op)
{
    a.small(op.level, UINT32_MAX);
}

template <class Archive>
void fields(Archive& a, Node& node)
{
    a.number(node.id);
    name(a, node.name);
    name(a, node.key);
    a.text(node.peerEndpoint, limits::maxEndpointBytes);
    a.text(node.meshEndpoint, limits::maxEndpointBytes);
    a.text(node.enrolEndpoint, limits::maxEndpointBytes);
    a.text(node.facadeUrl, limits::maxFacadeUrlBytes);
    a.flag(node.witness);
    name(a, node.storage);
    name(a, node.software);
    a.small(node.featureLevel, UINT32_MAX);
    a.number(node.revision);
    if (a.level >= sealedSourcesFeatureLevel) {
        a.text(node.sealingKey, sealingKeyText);
    }
}

template <class Archive>
void fields(Archive& a, PutNode& op)
{
    fields(a, op.node);
    a.number(op.ifRevision);
}

template <class Archive>
void fields(Archive& a, RemoveNode& op)
{
    a.number(op.id);
    a.number(op.ifRevision);
}

template <class Archive>
void fields(Archive& a, RestoreAccount& op)
{
    fields(a, op.account);
}

}  // namespace mesh::cluster
