#pragma once

#include "shoset/http/stream.hpp"

#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

// For the files of this folder that speak to OpenSSL.
namespace mesh::http {

struct OpenSslDelete {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
    void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <class T>
using OpenSslPointer = std::unique_ptr<T, OpenSslDelete>;

// The newest error of OpenSSL's queue in words, and empties the queue.
std::string takeOpenSslError();

// What both roles share: the context and how its connections reach their socket.
struct TlsContext {
    OpenSslPointer<SSL_CTX> context;
    OpenSslPointer<BIO_METHOD> transport;

    // An SSL over `fd`, which stays the caller's; nullptr if memory is out. Sends never raise SIGPIPE.
    OpenSslPointer<SSL> open(int fd) const;
};

class ServerTls : public TlsContext {};

class ClientTls : public TlsContext {
public:
    bool checksHost = true;
    std::optional<std::array<unsigned char, 32>> fingerprint;
    std::string sessionHost;
    OpenSslPointer<SSL_SESSION> session;  // the newest of sessionHost
};

}  // namespace mesh::http
