#include "shoset/sealing/envelope.hpp"

#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"
#include "shoset/sealing/secret_bytes.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace mesh::sealing {

namespace {

using json = nlohmann::ordered_json;

constexpr std::uint64_t format = 1;
constexpr std::size_t envelopeDepth = 4;

constexpr std::size_t base64Bytes(std::size_t raw)
{
    return (raw * 4 + 2) / 3;
}
constexpr std::size_t recipientBytes = 63 + nodePrefix.size() + base64Bytes(keyBytes) + base64Bytes(sealBytes) + 48;
constexpr std::size_t largestBox = limits::maxSecretBytes + limits::secretBlockBytes + tagBytes;
static_assert(base64Bytes(largestBox) + limits::maxSecretRecipients * recipientBytes + 1024 <= limits::maxSecretEnvelopeBytes,
              "what keeps to the limits must be one that can be stored");

Error noEnvelope(const std::string& why)
{
    return {Code::corrupt, "this is no sealed secret: " + why};
}

// Takes fields out of an object; after a wrong one `problem` says which.
class EnvelopeReader {
public:
    explicit EnvelopeReader(const json& from) : object(from) {}

    std::string bytes(const char* field, std::size_t least, std::size_t most)
    {
        Result<std::string> raw = fromBase64(text(field));
        if (!raw || raw->size() < least || raw->size() > most) {
            problem = std::string("'") + field + "' is not what it must be";
            return {};
        }
        return std::move(*raw);
    }
    std::string name(const char* field)
    {
        std::string value = text(field);
        if (!isValidName(value)) {
            problem = std::string("'") + field + "' is no name";
        }
        return value;
    }
    std::string recipient(const char* field)
    {
        std::string value = text(field);
        if (!isRecipientName(value)) {
            problem = std::string("'") + field + "' is no name";
        }
        return value;
    }
    std::uint64_t number(const char* field)
    {
        const auto found = object.is_object() ? object.find(field) : object.end();
        if (found == object.end() || !found->is_number_unsigned()) {
            problem = std::string("'") + field + "' is no number";
            return 0;
        }
        return found->get<std::uint64_t>();
    }
    std::string problem;

private:
    std::string text(const char* field) const
    {
        const auto found = object.is_object() ? object.find(field) : object.end();
        return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
    }
    const json& object;
};

Result<std::vector<Recipient>> recipientsFrom(const json& list)
{
    if (!list.is_array() || list.size() > limits::maxSecretRecipients) {
        return noEnvelope("it has at most " + std::to_string(limits::maxSecretRecipients) + " recipients");
    }
    std::vector<Recipient> out;
    for (const json& entry : list) {
        EnvelopeReader reader(entry);
        Recipient recipient{reader.recipient("connector"),
                            {reader.bytes("key", keyBytes, keyBytes), reader.bytes("seal", sealBytes, sealBytes)}};
        if (!reader.problem.empty()) {
            return noEnvelope(reader.problem + ", of a recipient");
        }
        if (!out.empty() && recipient.connector <= out.back().connector) {
            return noEnvelope("its recipients stand in the order of their names, each once");
        }
        out.push_back(std::move(recipient));
    }
    return out;
}

}  // namespace

bool isRecipientName(std::string_view name)
{
    return isValidName(name.starts_with(nodePrefix) ? name.substr(nodePrefix.size()) : name);
}

const Recipient* findRecipient(const Envelope& envelope, std::string_view connector)
{
    const auto found = std::find_if(envelope.recipients.begin(), envelope.recipients.end(),
                                    [connector](const Recipient& recipient) { return recipient.connector == connector; });
    return found == envelope.recipients.end() ? nullptr : &*found;
}

std::string envelopeText(const Envelope& envelope)
{
    json recipients = json::array();
    for (const Recipient& recipient : envelope.recipients) {
        recipients.push_back({{"connector", recipient.connector},
                              {"key", toBase64(recipient.seal.key)},
                              {"seal", toBase64(recipient.seal.box)}});
    }
    const json document{{"format", format},
                        {"tenant", envelope.tenant},
                        {"name", envelope.name},
                        {"version", envelope.version},
                        {"operator", toBase64(envelope.operatorKey)},
                        {"operator_key", toBase64(envelope.operatorSeal.key)},
                        {"operator_seal", toBase64(envelope.operatorSeal.box)},
                        {"nonce", toBase64(envelope.nonce)},
                        {"box", toBase64(envelope.box)},
                        {"recipients", std::move(recipients)},
                        {"signature", toBase64(envelope.signature)}};
    return document.dump();
}

Result<Envelope> parseEnvelope(std::string_view text)
{
    if (Result<void> fits = shoset::checkJsonBounds(text, limits::maxSecretEnvelopeBytes, envelopeDepth); !fits) {
        return fits.error();
    }
    const json document = json::parse(text, nullptr, false);
    if (!document.is_object()) {
        return noEnvelope("it is not a JSON object");
    }
    EnvelopeReader reader(document);
    if (reader.number("format") != format) {
        return noEnvelope("its format is not " + std::to_string(format));
    }
    Envelope out;
    out.tenant = reader.name("tenant");
    out.name = reader.name("name");
    out.version = reader.number("version");
    out.operatorKey = reader.bytes("operator", keyBytes, keyBytes);
    out.operatorSeal = {reader.bytes("operator_key", keyBytes, keyBytes), reader.bytes("operator_seal", sealBytes, sealBytes)};
    out.nonce = reader.bytes("nonce", nonceBytes, nonceBytes);
    out.box = reader.bytes("box", tagBytes + 1, largestBox);
    out.signature = reader.bytes("signature", signatureBytes, signatureBytes);
    if (!reader.problem.empty()) {
        return noEnvelope(reader.problem);
    }
    Result<std::vector<Recipient>> recipients = recipientsFrom(document.value("recipients", json()));
    if (!recipients) {
        return recipients.error();
    }
    out.recipients = std::move(*recipients);
    return out;
}

}  // namespace mesh::sealing
