#include "shoset/http/certificate.hpp"

#include <gtest/gtest.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

namespace mesh::http {
namespace {

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Certificate parse(const std::string& pem)
{
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    Certificate certificate(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr), X509_free);
    BIO_free(bio);
    return certificate;
}

TEST(SelfSigned, NamesAndAddressesAreInTheCertificateAndNoOthers)
{
    const auto made = makeSelfSigned({"agg-a", "agg-a.example"}, {"10.0.0.1", "::1"}, 30);
    ASSERT_TRUE(made) << made.error().message;
    const auto certificate = parse(made->certificatePem);
    ASSERT_TRUE(certificate);
    EXPECT_EQ(X509_check_host(certificate.get(), "agg-a", 0, 0, nullptr), 1);
    EXPECT_EQ(X509_check_host(certificate.get(), "agg-a.example", 0, 0, nullptr), 1);
    EXPECT_EQ(X509_check_host(certificate.get(), "agg-b", 0, 0, nullptr), 0);
    EXPECT_EQ(X509_check_ip_asc(certificate.get(), "10.0.0.1", 0), 1);
    EXPECT_EQ(X509_check_ip_asc(certificate.get(), "::1", 0), 1);
    EXPECT_EQ(X509_check_ip_asc(certificate.get(), "10.0.0.2", 0), 0);
}

TEST(SelfSigned, IsAServerCertificateSignedByItselfAndNoAuthority)
{
    const auto certificate = parse(makeSelfSigned({"a"}, {}, 30)->certificatePem);
    EXPECT_EQ(X509_get_version(certificate.get()), X509_VERSION_3);
    EXPECT_EQ(X509_check_ca(certificate.get()), 0);
    EXPECT_EQ(X509_check_purpose(certificate.get(), X509_PURPOSE_SSL_SERVER, 0), 1);
    EXPECT_EQ(X509_check_purpose(certificate.get(), X509_PURPOSE_SSL_CLIENT, 0), 0);
    EXPECT_EQ(X509_get_key_usage(certificate.get()), static_cast<std::uint32_t>(KU_DIGITAL_SIGNATURE));
    EXPECT_EQ(X509_verify(certificate.get(), X509_get0_pubkey(certificate.get())), 1);
    EXPECT_EQ(EVP_PKEY_get_bits(X509_get0_pubkey(certificate.get())), 256);
    std::time_t inOneDay = std::time(nullptr) + 24 * 3600;
    std::time_t inAMonth = std::time(nullptr) + 31L * 24 * 3600;
    EXPECT_EQ(X509_cmp_time(X509_get0_notBefore(certificate.get()), nullptr), -1);
    EXPECT_EQ(X509_cmp_time(X509_get0_notAfter(certificate.get()), &inOneDay), 1);
    EXPECT_EQ(X509_cmp_time(X509_get0_notAfter(certificate.get()), &inAMonth), -1);
}

TEST(SelfSigned, KeysAndSerialsAreNewEachTime)
{
    const auto first = makeSelfSigned({"a"}, {}, 1);
    const auto second = makeSelfSigned({"a"}, {}, 1);
    EXPECT_NE(first->keyPem, second->keyPem);
    EXPECT_NE(*certificateFingerprint(first->certificatePem), *certificateFingerprint(second->certificatePem));
    EXPECT_EQ(first->keyPem.rfind("-----BEGIN PRIVATE KEY-----", 0), 0u);
}

TEST(SelfSigned, BadNamesCannotSmuggleExtensions)
{
    for (const std::string name : {"", "a,IP:10.0.0.1", "a b", "a\nb", "a:b"}) {
        EXPECT_EQ(makeSelfSigned({name}, {}, 1).error().code, Code::invalidArgument) << name;
    }
    for (const std::string address : {"", "nonsense", "10.0.0.256", "10.0.0.1,DNS:a"}) {
        EXPECT_EQ(makeSelfSigned({"a"}, {address}, 1).error().code, Code::invalidArgument) << address;
    }
    EXPECT_EQ(makeSelfSigned({}, {}, 1).error().code, Code::invalidArgument);
    EXPECT_EQ(makeSelfSigned({"a"}, {}, 0).error().code, Code::invalidArgument);
}

TEST(Fingerprint, IsOfTheFirstCertificateOnly)
{
    const auto one = *makeSelfSigned({"a"}, {}, 1);
    const auto two = *makeSelfSigned({"a"}, {}, 1);
    const std::string expected = *certificateFingerprint(one.certificatePem);
    EXPECT_EQ(expected.size(), 64u);
    EXPECT_EQ(*certificateFingerprint(one.certificatePem + two.certificatePem), expected);
    EXPECT_EQ(certificateFingerprint("nonsense").error().code, Code::invalidArgument);
}

}  // namespace
}  // namespace mesh::http
