#include "shoset/sealing/sealing.hpp"

#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <sodium/crypto_aead_xchacha20poly1305.h>
#include <sodium/crypto_box.h>
#include <sodium/crypto_generichash.h>
#include <sodium/crypto_sign.h>
#include <sodium/utils.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace mesh::sealing {

namespace {

static_assert(crypto_box_PUBLICKEYBYTES == keyBytes && crypto_sign_PUBLICKEYBYTES == keyBytes && crypto_box_SEEDBYTES == seedBytes &&
              crypto_sign_SEEDBYTES == seedBytes && crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == nonceBytes &&
              crypto_aead_xchacha20poly1305_ietf_ABYTES == tagBytes && crypto_sign_BYTES == signatureBytes &&
              crypto_aead_xchacha20poly1305_ietf_KEYBYTES == seedBytes && crypto_box_SEALBYTES + seedBytes == sealBytes);

const unsigned char* rawIn(std::string_view text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* rawOut(std::string& text)
{
    return reinterpret_cast<unsigned char*>(text.data());
}

// Both halves of what a seed makes; the secret one is wiped.
template <std::size_t SecretBytes, int (*Make)(unsigned char*, unsigned char*, const unsigned char*)>
struct KeyPairOf {
    explicit KeyPairOf(const Seed& seed) { Make(rawOut(publicKey), secret.data(), seed.data()); }
    KeyPairOf(const KeyPairOf&) = delete;
    KeyPairOf& operator=(const KeyPairOf&) = delete;
    ~KeyPairOf() { sodium_memzero(secret.data(), secret.size()); }
    std::string publicKey = std::string(keyBytes, '\0');
    std::array<unsigned char, SecretBytes> secret{};
};
using BoxPair = KeyPairOf<crypto_box_SECRETKEYBYTES, crypto_box_seed_keypair>;
using SignPair = KeyPairOf<crypto_sign_SECRETKEYBYTES, crypto_sign_seed_keypair>;

Seed signingSeed(const Seed& operatorSeed)
{
    return operatorSeed.derive("bmcmesh operator signs 1");
}

Seed operatorSealingSeed(const Seed& operatorSeed)
{
    return operatorSeed.derive("bmcmesh operator unseals 1");
}

// No two lists of parts make the same bytes.
void addPart(std::string& to, std::string_view part)
{
    to += std::to_string(part.size()) + ":";
    to += part;
}

// What the box is bound to.
std::string boundTo(const std::string& tenant, const std::string& name, std::uint64_t version)
{
    std::string bytes = "bmcmesh secret 1\n";
    addPart(bytes, tenant);
    addPart(bytes, name);
    addPart(bytes, std::to_string(version));
    return bytes;
}

std::string signedBytes(const Envelope& envelope)
{
    std::string bytes = "signed ";
    bytes += boundTo(envelope.tenant, envelope.name, envelope.version);
    for (const std::string* part : {&envelope.operatorKey, &envelope.operatorSeal.key, &envelope.operatorSeal.box, &envelope.nonce,
                                    &envelope.box}) {
        addPart(bytes, *part);
    }
    for (const Recipient& recipient : envelope.recipients) {
        addPart(bytes, recipient.connector);
    }
    return bytes;
}

// As crypto_box_seal() does it, whose ephemeral key comes from where nobody can see it.
Result<Seal> sealDataKey(const Seed& dataKey, const std::string& key, Rng& rng)
{
    const BoxPair ephemeral(Seed::make(rng));
    std::array<unsigned char, crypto_box_NONCEBYTES> nonce{};
    const std::string both = ephemeral.publicKey + key;
    crypto_generichash(nonce.data(), nonce.size(), rawIn(both), both.size(), nullptr, 0);
    std::string box(seedBytes + crypto_box_MACBYTES, '\0');
    if (key.size() != keyBytes ||
        crypto_box_easy(rawOut(box), dataKey.data(), seedBytes, nonce.data(), rawIn(key), ephemeral.secret.data()) != 0) {
        return Error{Code::invalidArgument, "nothing can be sealed to that key"};
    }
    return Seal{key, ephemeral.publicKey + box};
}

Result<SecretText> unsealDataKey(const Seal& seal, const Seed& own)
{
    const BoxPair pair(own);
    SecretText dataKey(seedBytes);
    if (seal.box.size() != sealBytes || crypto_box_seal_open(dataKey.data(), rawIn(seal.box), seal.box.size(), rawIn(pair.publicKey),
                                                             pair.secret.data()) != 0) {
        return Error{Code::corrupt, "it was sealed to a key that is not here, or it was changed"};
    }
    return dataKey;
}

Result<SecretText> openBox(const Envelope& envelope, const SecretText& dataKey)
{
    const std::string bound = boundTo(envelope.tenant, envelope.name, envelope.version);
    SecretText padded(envelope.box.size() - std::min(envelope.box.size(), tagBytes));
    std::size_t length = 0;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(padded.data(), nullptr, nullptr, rawIn(envelope.box), envelope.box.size(), rawIn(bound),
                                                   bound.size(), rawIn(envelope.nonce), rawIn(dataKey.view())) != 0 ||
        sodium_unpad(&length, padded.data(), padded.size(), limits::secretBlockBytes) != 0) {
        return Error{Code::corrupt, "the sealed secret " + envelope.name + " was changed"};
    }
    padded.shorten(length);
    return padded;
}

// Draws nonce and data key; what it makes lacks recipients and signature.
Result<Seed> fillBox(Envelope& envelope, std::string_view value, Rng& rng)
{
    const Seed dataKey = Seed::make(rng);
    const Seed random = Seed::make(rng);
    envelope.nonce.assign(reinterpret_cast<const char*>(random.data()), nonceBytes);
    SecretText padded(value.size() + limits::secretBlockBytes);
    std::memcpy(padded.data(), value.data(), value.size());
    std::size_t length = 0;
    if (sodium_pad(&length, padded.data(), value.size(), limits::secretBlockBytes, padded.size()) != 0) {
        return Error{Code::tooLarge, "a secret that cannot be padded"};
    }
    const std::string bound = boundTo(envelope.tenant, envelope.name, envelope.version);
    envelope.box.resize(length + tagBytes);
    crypto_aead_xchacha20poly1305_ietf_encrypt(rawOut(envelope.box), nullptr, padded.data(), length, rawIn(bound), bound.size(), nullptr,
                                               rawIn(envelope.nonce), dataKey.data());
    return dataKey;
}

Result<void> checkToSeal(const SecretToSeal& secret)
{
    if (!isValidName(secret.tenant) || !isValidName(secret.name)) {
        return Error{Code::invalidArgument, "a secret has a tenant and a name, of letters, digits, '.', '_' and '-', at most 63"};
    }
    if (secret.value.empty() || secret.value.size() > limits::maxSecretBytes) {
        return Error{Code::tooLarge, "a secret has 1 to " + std::to_string(limits::maxSecretBytes) + " bytes, not " +
                                         std::to_string(secret.value.size())};
    }
    if (secret.recipients.size() > limits::maxSecretRecipients) {
        return Error{Code::tooLarge, "a secret has at most " + std::to_string(limits::maxSecretRecipients) + " recipients"};
    }
    return {};
}

// What a connector makes sure of before it looks for its seal.
Result<const Recipient*> recipientFor(const Envelope& envelope, const Reader& reader)
{
    const bool trusted = std::find(reader.operators.begin(), reader.operators.end(), envelope.operatorKey) != reader.operators.end();
    if (!trusted) {
        return Error{Code::permissionDenied, "no operator that this connector trusts has signed the secret " + envelope.name};
    }
    if (Result<void> genuine = checkSignature(envelope); !genuine) {
        return genuine.error();
    }
    const Recipient* own = findRecipient(envelope, reader.connector);
    if (envelope.tenant != reader.tenant || own == nullptr) {
        return Error{Code::permissionDenied, "the secret " + envelope.name + " is not for this connector"};
    }
    return own;
}

Result<SecretText> unsealWithOneOf(const Envelope& envelope, const Seal& seal, std::span<const Seed> seeds)
{
    for (const Seed& seed : seeds) {
        if (sealingKeyOf(seed) == seal.key) {
            return unsealDataKey(seal, seed);
        }
    }
    return Error{Code::corrupt, "the secret " + envelope.name + " is sealed to a key that this connector has no more; grant it anew"};
}

}  // namespace

std::string sealingKeyOf(const Seed& connector)
{
    return BoxPair(connector).publicKey;
}

OperatorKeys keysOf(const Seed& operatorSeed)
{
    return {SignPair(signingSeed(operatorSeed)).publicKey, BoxPair(operatorSealingSeed(operatorSeed)).publicKey};
}

Result<Envelope> seal(const SecretToSeal& secret, const Seed& operatorSeed, Rng& rng)
{
    if (Result<void> fine = checkToSeal(secret); !fine) {
        return fine.error();
    }
    Envelope envelope;
    envelope.tenant = secret.tenant;
    envelope.name = secret.name;
    envelope.version = secret.version;
    const SignPair signing(signingSeed(operatorSeed));
    envelope.operatorKey = signing.publicKey;
    const Result<Seed> dataKey = fillBox(envelope, secret.value, rng);
    if (!dataKey) {
        return dataKey.error();
    }
    Result<Seal> own = sealDataKey(*dataKey, keysOf(operatorSeed).sealing, rng);
    if (!own) {
        return own.error();
    }
    envelope.operatorSeal = std::move(*own);
    for (const auto& [connector, key] : secret.recipients) {
        Result<Seal> sealed = isRecipientName(connector) ? sealDataKey(*dataKey, key, rng)
                                                     : Result<Seal>(Error{Code::invalidArgument, "that is no connector's name"});
        if (!sealed) {
            return Error{sealed.error().code, connector + ": " + sealed.error().message};
        }
        envelope.recipients.push_back({connector, std::move(*sealed)});
    }
    const std::string bytes = signedBytes(envelope);
    envelope.signature.resize(signatureBytes);
    crypto_sign_detached(rawOut(envelope.signature), nullptr, rawIn(bytes), bytes.size(), signing.secret.data());
    return envelope;
}

Result<void> checkSignature(const Envelope& envelope)
{
    const std::string bytes = signedBytes(envelope);
    if (envelope.signature.size() != signatureBytes || envelope.operatorKey.size() != keyBytes ||
        crypto_sign_verify_detached(rawIn(envelope.signature), rawIn(bytes), bytes.size(), rawIn(envelope.operatorKey)) != 0) {
        return Error{Code::corrupt, "the sealed secret " + envelope.name + " does not bear its operator's signature"};
    }
    return {};
}

Result<SecretText> openAsOperator(const Envelope& envelope, const Seed& operatorSeed)
{
    if (envelope.operatorKey != keysOf(operatorSeed).signing) {
        return Error{Code::permissionDenied, "another operator has sealed " + envelope.name};
    }
    if (Result<void> genuine = checkSignature(envelope); !genuine) {
        return genuine.error();
    }
    const Result<SecretText> dataKey = unsealDataKey(envelope.operatorSeal, operatorSealingSeed(operatorSeed));
    return dataKey ? openBox(envelope, *dataKey) : Result<SecretText>(dataKey.error());
}

Result<SecretText> open(const Envelope& envelope, const Reader& reader, std::string_view name)
{
    if (envelope.name != name) {
        return Error{Code::corrupt, "another secret came in the place of " + std::string(name)};
    }
    const Result<const Recipient*> own = recipientFor(envelope, reader);
    if (!own) {
        return own.error();
    }
    const Result<SecretText> dataKey = unsealWithOneOf(envelope, (*own)->seal, reader.seeds);
    return dataKey ? openBox(envelope, *dataKey) : Result<SecretText>(dataKey.error());
}

Result<Seal> reseal(const Envelope& envelope, std::string_view connector, std::span<const Seed> seeds, Rng& rng)
{
    const Recipient* own = findRecipient(envelope, connector);
    if (own == nullptr || seeds.empty()) {
        return Error{Code::permissionDenied, "the secret " + envelope.name + " is not for this connector"};
    }
    const Result<SecretText> dataKey = unsealWithOneOf(envelope, own->seal, seeds);
    if (!dataKey) {
        return dataKey.error();
    }
    if (const Result<SecretText> fits = openBox(envelope, *dataKey); !fits) {
        return fits.error();
    }
    const Result<Seed> key = Seed::fromBytes(dataKey->view());
    return key ? sealDataKey(*key, sealingKeyOf(seeds.front()), rng) : Result<Seal>(key.error());
}

}  // namespace mesh::sealing
