#include "shoset/http/certificate.hpp"

#include "shoset/base/ids.hpp"
#include "shoset/http/tls.hpp"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

namespace mesh::http {

namespace {

constexpr long hour = 3600;
constexpr long day = 24 * hour;
constexpr std::size_t maxCommonName = 64;

Error failed(const std::string& what)
{
    return {Code::invalidArgument, what + ": " + takeOpenSslError()};
}

// The list becomes a line of OpenSSL's extension syntax, so nothing of that syntax may be in it.
bool isPlain(const std::string& text)
{
    return !text.empty() && text.size() < 254 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
               c == ':' || c == '_' || c == '*';
    });
}

Result<std::string> alternativeNames(const std::vector<std::string>& names, const std::vector<std::string>& addresses)
{
    std::string list;
    const auto add = [&list](const char* kind, const std::string& text) {
        list += (list.empty() ? "" : ",") + std::string(kind) + ":" + text;
        return isPlain(text);
    };
    for (const std::string& name : names) {
        if (!add("DNS", name) || name.find(':') != std::string::npos) {
            return Error{Code::invalidArgument, "\"" + name + "\" is not a host name"};
        }
    }
    for (const std::string& address : addresses) {
        if (!add("IP", address)) {
            return Error{Code::invalidArgument, "\"" + address + "\" is not an address"};
        }
    }
    if (list.empty()) {
        return Error{Code::invalidArgument, "a certificate needs a name or an address"};
    }
    return list;
}

bool addExtension(X509* certificate, int kind, const std::string& value)
{
    X509V3_CTX context = {};
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

bool setSerial(X509* certificate)
{
    std::array<unsigned char, 16> random{};
    if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
        return false;
    }
    random[0] = static_cast<unsigned char>((random[0] & 0x7f) | 0x40);  // positive, and always of this length
    BIGNUM* number = BN_bin2bn(random.data(), static_cast<int>(random.size()), nullptr);
    const bool set = number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
    BN_free(number);
    return set;
}

bool setNames(X509* certificate, const std::string& commonName)
{
    X509_NAME* subject = X509_get_subject_name(certificate);
    const std::string shortName = commonName.substr(0, maxCommonName);
    const auto* bytes = reinterpret_cast<const unsigned char*>(shortName.c_str());
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, bytes, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, subject) == 1;
}

template <class T>
std::string toPem(int (*write)(BIO*, const T*), const T* what)
{
    const OpenSslPointer<BIO> out(BIO_new(BIO_s_mem()));
    char* data = nullptr;
    if (!out || write(out.get(), what) != 1) {
        return {};
    }
    const long size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

int writeKey(BIO* out, const EVP_PKEY* key)
{
    return PEM_write_bio_PKCS8PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
}

}  // namespace

Result<CertificateAndKey> makeSelfSigned(const std::vector<std::string>& names,
                                         const std::vector<std::string>& addresses, int days)
{
    const auto alternatives = alternativeNames(names, addresses);
    if (!alternatives) {
        return alternatives.error();
    }
    if (days < 1) {
        return Error{Code::invalidArgument, "a certificate must be valid for at least a day"};
    }
    const OpenSslPointer<EVP_PKEY> key(EVP_EC_gen("P-256"));
    const OpenSslPointer<X509> certificate(X509_new());
    X509* made = certificate.get();
    const bool filled =
        key && made != nullptr && X509_set_version(made, X509_VERSION_3) == 1 && setSerial(made) &&
        setNames(made, names.empty() ? addresses.front() : names.front()) &&
        X509_gmtime_adj(X509_getm_notBefore(made), -hour) != nullptr &&
        X509_gmtime_adj(X509_getm_notAfter(made), days * day) != nullptr && X509_set_pubkey(made, key.get()) == 1 &&
        addExtension(made, NID_basic_constraints, "critical,CA:FALSE") &&
        addExtension(made, NID_key_usage, "critical,digitalSignature") &&
        addExtension(made, NID_ext_key_usage, "serverAuth") && addExtension(made, NID_subject_key_identifier, "hash");
    if (!filled) {
        return failed("a certificate cannot be made");
    }
    if (!addExtension(made, NID_subject_alt_name, *alternatives)) {
        return failed("the certificate's names are not valid");
    }
    if (X509_sign(made, key.get(), EVP_sha256()) == 0) {
        return failed("the certificate cannot be signed");
    }
    return CertificateAndKey{toPem<X509>(PEM_write_bio_X509, made), toPem<EVP_PKEY>(writeKey, key.get())};
}

Result<std::string> certificateFingerprint(const std::string& certificatePem)
{
    const OpenSslPointer<BIO> text(BIO_new_mem_buf(certificatePem.data(), static_cast<int>(certificatePem.size())));
    const OpenSslPointer<X509> certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
    std::string digest(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    if (!certificate ||
        X509_digest(certificate.get(), EVP_sha256(), reinterpret_cast<unsigned char*>(digest.data()), &size) != 1) {
        return failed("not a certificate");
    }
    return toHex(std::string_view(digest).substr(0, size));
}

}  // namespace mesh::http
