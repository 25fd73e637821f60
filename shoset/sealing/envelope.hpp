#pragma once

#include "shoset/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::sealing {

constexpr std::size_t keyBytes = 32;         // of a public key, X25519 or Ed25519
constexpr std::size_t nonceBytes = 24;
constexpr std::size_t tagBytes = 16;
constexpr std::size_t sealBytes = 32 + 48;   // of a data key, sealed to somebody's sealing key
constexpr std::size_t signatureBytes = 64;

// The data key, readable by one.
struct Seal {
    std::string key;  // whom it is sealed to: his public sealing key
    std::string box;
    bool operator==(const Seal&) const = default;
};

// What the names of nodes among recipients begin with; no connector can be called so.
constexpr std::string_view nodePrefix = "node:";

struct Recipient {
    std::string connector;  // logical name, in the secret's tenant; or "node:" and the name of an aggregator
    Seal seal;
    bool operator==(const Recipient&) const = default;
};

// A secret as it is stored and travels: nobody but its recipients and its operator can read the value. Fields are raw bytes.
//
// The operator's signature covers everything but the recipients' seals: a connector replaces its own when its key changes.
// A seal that was tampered with opens nothing, as the data key in it must fit the signed box.
struct Envelope {
    std::string tenant;
    std::string name;
    std::uint64_t version = 0;  // grows with each change
    std::string operatorKey;    // who has signed it, Ed25519
    Seal operatorSeal;
    std::string nonce;
    std::string box;  // the value: XChaCha20-Poly1305 under the data key, bound to tenant, name and version
    std::vector<Recipient> recipients;  // by name, each once
    std::string signature;
    bool operator==(const Envelope&) const = default;
};

bool isRecipientName(std::string_view name);
const Recipient* findRecipient(const Envelope& envelope, std::string_view connector);

// JSON, at most limits::maxSecretEnvelopeBytes for what keeps to the limits.
std::string envelopeText(const Envelope& envelope);
// Form and bounds only; who has signed it is not looked at. Code::corrupt or tooLarge.
Result<Envelope> parseEnvelope(std::string_view text);

}  // namespace mesh::sealing
