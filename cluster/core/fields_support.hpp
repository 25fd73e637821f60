#pragma once

#include "cluster/core/archive.hpp"
#include "cluster/core/command.hpp"
#include "cluster/core/feature_level.hpp"
#include "shoset/base/limits.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>

// What the fields_*.hpp share; nobody else includes it.
namespace mesh::cluster {

constexpr std::size_t maxNameText = 64;   // names, ids, user names, prefixes, UUIDs, keys
constexpr std::size_t maxHashText = 128;  // argon2id strings, token hashes
constexpr std::size_t maxClientText = 64;
constexpr std::size_t maxAuthorText = 128;   // tenant and user name
constexpr std::size_t maxMessageText = 512;  // of a remembered answer
constexpr std::size_t sealingKeyText = 32;   // X25519
constexpr std::size_t maxValueText = 128;    // of a remembered answer: "tenant/name" is the longest

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

// An enumeration that ends with `last`.
template <class Archive, class Enum>
void choice(Archive& archive, Enum& value, Enum last)
{
    auto number = static_cast<std::uint32_t>(value);
    archive.small(number, static_cast<std::uint32_t>(last));
    value = static_cast<Enum>(number);
}

inline void ids(Encoder& encoder, const std::set<std::uint64_t>& set, std::size_t limit)
{
    encoder.count(set.size(), limit);
    for (const std::uint64_t id : set) {
        encoder.number(id);
    }
}

inline void ids(Decoder& decoder, std::set<std::uint64_t>& set, std::size_t limit)
{
    std::size_t size = 0;
    decoder.count(size, limit);
    for (; size > 0 && decoder.good; --size) {
        std::uint64_t id = 0;
        decoder.number(id);
        set.insert(id);
    }
}

}  // namespace mesh::cluster
