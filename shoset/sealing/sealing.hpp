#pragma once

#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/sealing/envelope.hpp"
#include "shoset/sealing/secret_bytes.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Named secrets that only their recipients can read; README.md says what that protects. Pure: what is random is drawn from the
// Rng that is given, which must be the kernel's entropy but in tests.
namespace mesh::sealing {

// A connector's: public half of the X25519 pair that its seed makes; raw.
std::string sealingKeyOf(const Seed& connector);

// Public halves of what an operator's one seed makes; raw.
struct OperatorKeys {
    std::string signing;  // what connectors trust
    std::string sealing;
};
OperatorKeys keysOf(const Seed& operatorSeed);

struct SecretToSeal {
    std::string tenant;
    std::string name;
    std::uint64_t version = 0;
    std::string_view value;                         // 1 to limits::maxSecretBytes
    std::map<std::string, std::string> recipients;  // connector's name, its sealing key (raw)
};
// A fresh data key, sealed to each recipient and to the operator, and all of it signed. invalidArgument, tooLarge.
Result<Envelope> seal(const SecretToSeal& secret, const Seed& operatorSeed, Rng& rng);

// The signature is that of the operator whom the envelope names. Code::corrupt.
Result<void> checkSignature(const Envelope& envelope);

// On the operator's machine. permissionDenied: another one has signed it; corrupt: it was changed.
Result<SecretText> openAsOperator(const Envelope& envelope, const Seed& operatorSeed);

// Who opens: a connector.
struct Reader {
    std::string tenant;
    std::string connector;
    std::span<const std::string> operators;  // whom it trusts: signing keys, raw
    std::span<const Seed> seeds;             // its own, the newest first
};
// permissionDenied: no trusted operator has signed it, or it is not for this connector; corrupt: it was changed, or sealed to a
// key that is gone.
Result<SecretText> open(const Envelope& envelope, const Reader& reader, std::string_view name);

// The connector's own seal, anew for the first of its seeds. Whoever has signed it: nobody learns anything by it, and an operator
// may be trusted again later. Errors as of open().
Result<Seal> reseal(const Envelope& envelope, std::string_view connector, std::span<const Seed> seeds, Rng& rng);

}  // namespace mesh::sealing
