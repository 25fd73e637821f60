#include "shoset/http/tls.hpp"

#include "shoset/base/ids.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace mesh::http {

namespace {

// Forward secrecy and authenticated encryption only, for TLS 1.2; TLS 1.3 has no others.
constexpr const char* ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr unsigned char http11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

int descriptorOf(BIO* bio)
{
    return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int transportWrite(BIO* bio, const char* data, int size)
{
    BIO_clear_retry_flags(bio);
    const ssize_t sent = ::send(descriptorOf(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    return static_cast<int>(sent);
}

int transportRead(BIO* bio, char* into, int size)
{
    BIO_clear_retry_flags(bio);
    const ssize_t got = ::recv(descriptorOf(bio), into, static_cast<std::size_t>(size), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_read(bio);
    }
    if (got == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    }
    return static_cast<int>(got);
}

long transportControl(BIO* bio, int command, long, void*)
{
    switch (command) {
        case BIO_CTRL_FLUSH: return 1;
        case BIO_CTRL_EOF: return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
        default: return 0;
    }
}

Error tlsError(const std::string& what)
{
    return {Code::invalidArgument, what + ": " + takeOpenSslError()};
}

Result<void> prepare(TlsContext& tls, const SSL_METHOD* method)
{
    tls.context.reset(SSL_CTX_new(method));
    tls.transport.reset(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "mesh socket"));
    SSL_CTX* context = tls.context.get();
    if (context == nullptr || tls.transport == nullptr ||
        BIO_meth_set_write(tls.transport.get(), transportWrite) != 1 ||
        BIO_meth_set_read(tls.transport.get(), transportRead) != 1 ||
        BIO_meth_set_ctrl(tls.transport.get(), transportControl) != 1 ||
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 || SSL_CTX_set_cipher_list(context, ciphers) != 1) {
        return tlsError("OpenSSL cannot be started");
    }
    // A password that was read is not left in a record's buffer.
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT);
    // An idle connection holds no record buffers; a record is read by one system call.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    return {};
}

OpenSslPointer<BIO> memory(const std::string& text)
{
    return OpenSslPointer<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Keys under a password are refused at once; OpenSSL would ask for it on the terminal.
int noPassword(char*, int, int, void*)
{
    return -1;
}

Result<void> useCertificate(SSL_CTX* context, const std::string& certificatePem, const std::string& keyPem)
{
    const auto chain = memory(certificatePem);
    const OpenSslPointer<X509> leaf(PEM_read_bio_X509(chain.get(), nullptr, noPassword, nullptr));
    if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
        return tlsError("the certificate cannot be used");
    }
    while (OpenSslPointer<X509> next{PEM_read_bio_X509(chain.get(), nullptr, noPassword, nullptr)}) {
        if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) {
            return tlsError("the certificate's chain cannot be used");
        }
        [[maybe_unused]] X509* owned = next.release();
    }
    ERR_clear_error();  // the end of the PEM text counts as one
    const auto keyText = memory(keyPem);
    const OpenSslPointer<EVP_PKEY> key(PEM_read_bio_PrivateKey(keyText.get(), nullptr, noPassword, nullptr));
    if (!key) {
        return tlsError("the private key cannot be used");
    }
    if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
        return tlsError("the private key is not the certificate's");
    }
    return {};
}

int chooseProtocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                   unsigned offeredSize, void*)
{
    const unsigned char* http = std::begin(http11);
    const unsigned char* found = std::search(offered, offered + offeredSize, http, http + sizeof(http11));
    if (found == offered + offeredSize) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *chosen = found + 1;
    *size = *found;
    return SSL_TLSEXT_ERR_OK;
}

int keepSession(SSL* ssl, SSL_SESSION* session)
{
    auto* tls = static_cast<ClientTls*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    const auto* host = static_cast<const std::string*>(SSL_get_app_data(ssl));
    if (host == nullptr) {
        return 0;
    }
    tls->sessionHost = *host;
    tls->session.reset(session);
    return 1;  // ours now
}

int checkFingerprint(X509_STORE_CTX* store, void* argument)
{
    const auto* tls = static_cast<const ClientTls*>(argument);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    X509* leaf = X509_STORE_CTX_get0_cert(store);
    if (leaf != nullptr && X509_digest(leaf, EVP_sha256(), digest.data(), &size) == 1 &&
        size == tls->fingerprint->size() &&
        std::equal(tls->fingerprint->begin(), tls->fingerprint->end(), digest.begin())) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

Result<void> setTrust(ClientTls& tls, const ClientTrust& trust)
{
    SSL_CTX* context = tls.context.get();
    tls.checksHost = !trust.insecure && trust.fingerprint.empty();
    if (!tls.checksHost) {
        SSL_CTX_set_security_level(context, 1);  // old BMCs have short keys, and here no chain vouches for them anyway
    }
    if (trust.insecure) {
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
        return {};
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    if (!trust.fingerprint.empty()) {
        std::string digits = trust.fingerprint;
        std::erase(digits, ':');
        const auto raw = fromHex(digits);
        if (!raw || raw->size() != tls.fingerprint.emplace().size()) {
            return Error{Code::invalidArgument, "a certificate's fingerprint has 64 hexadecimal digits (SHA-256)"};
        }
        std::copy(raw->begin(), raw->end(), tls.fingerprint->begin());
        SSL_CTX_set_cert_verify_callback(context, checkFingerprint, &tls);
        return {};
    }
    if (trust.caFile.empty()) {
        return SSL_CTX_set_default_verify_paths(context) == 1 ? Result<void>() : tlsError("no trusted authorities");
    }
    if (SSL_CTX_load_verify_locations(context, trust.caFile.c_str(), nullptr) != 1) {
        return tlsError(trust.caFile);
    }
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    return {};
}

}  // namespace

std::string takeOpenSslError()
{
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    const char* reason = ERR_reason_error_string(code);
    if (reason != nullptr) {
        return reason;
    }
    return ERR_SYSTEM_ERROR(code) ? std::strerror(ERR_GET_REASON(code)) : "unknown error";
}

OpenSslPointer<SSL> TlsContext::open(int fd) const
{
    OpenSslPointer<SSL> ssl(SSL_new(context.get()));
    BIO* bio = BIO_new(transport.get());
    if (!ssl || bio == nullptr) {
        BIO_free(bio);
        return nullptr;
    }
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl.get(), bio, bio);
    return ssl;
}

Result<std::shared_ptr<ServerTls>> makeServerTls(const std::string& certificatePem, const std::string& keyPem)
{
    auto tls = std::make_shared<ServerTls>();
    if (auto prepared = prepare(*tls, TLS_server_method()); !prepared) {
        return prepared.error();
    }
    SSL_CTX* context = tls->context.get();
    if (auto used = useCertificate(context, certificatePem, keyPem); !used) {
        return used.error();
    }
    static constexpr unsigned char sessionContext[] = "bmcmesh";
    SSL_CTX_set_session_id_context(context, sessionContext, sizeof(sessionContext));
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets alone: no memory per client
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_alpn_select_cb(context, chooseProtocol, nullptr);
    return tls;
}

Result<std::shared_ptr<ClientTls>> makeClientTls(const ClientTrust& trust)
{
    auto tls = std::make_shared<ClientTls>();
    if (auto prepared = prepare(*tls, TLS_client_method()); !prepared) {
        return prepared.error();
    }
    if (auto trusted = setTrust(*tls, trust); !trusted) {
        return trusted.error();
    }
    SSL_CTX* context = tls->context.get();
    SSL_CTX_set_alpn_protos(context, http11, sizeof(http11));
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_app_data(context, tls.get());
    SSL_CTX_sess_set_new_cb(context, keepSession);
    return tls;
}

}  // namespace mesh::http
