#pragma once

#include "shoset/base/result.hpp"

#include <string>
#include <vector>

namespace mesh::http {

struct CertificateAndKey {
    std::string certificatePem;
    std::string keyPem;  // PKCS #8, not encrypted: a secret
};

// A new EC P-256 key and an X.509v3 server certificate signed by itself (RFC 5280): subjectAltName with all names and
// addresses, not a CA, valid from an hour ago (clocks differ) for `days` days. Code::invalidArgument for an empty list,
// days < 1, or what is not a name or an address.
Result<CertificateAndKey> makeSelfSigned(const std::vector<std::string>& names,
                                         const std::vector<std::string>& addresses, int days);

// SHA-256 of the first certificate of a PEM text, 64 lower-case hex digits: what ClientTrust::fingerprint compares.
Result<std::string> certificateFingerprint(const std::string& certificatePem);

}  // namespace mesh::http
