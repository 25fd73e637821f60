#include "shoset/http/tests/loopback.hpp"
#include "shoset/http/tls.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <fstream>

namespace mesh::http {
namespace {

class Tls : public Loopback {
protected:
    void SetUp() override
    {
        own = *makeSelfSigned({"bmc.example", "localhost"}, {"127.0.0.1"}, 1);
        serverTls = *makeServerTls(own.certificatePem, own.keyPem);
        caFile =
            testing::TempDir() + "mesh-tls-" + testing::UnitTest::GetInstance()->current_test_info()->name() + ".pem";
        std::ofstream(caFile) << own.certificatePem;
    }
    void TearDown() override { std::remove(caFile.c_str()); }

    // Connects with that trust; the error, or nothing.
    std::optional<Error> tryTrust(const ClientTrust& trust, const std::string& host = "127.0.0.1")
    {
        const auto tls = makeClientTls(trust);
        if (!tls) {
            return tls.error();
        }
        connectBoth(serverTls, *tls, host);
        if (!*connected) {
            return connected->error();
        }
        EXPECT_EQ(transfer(client(), server(), "ping"), "ping");
        return {};
    }

    CertificateAndKey own;
    std::shared_ptr<ServerTls> serverTls;
    std::string caFile;
};

TEST_F(Tls, KnownAuthorityAndRightNameOrAddressAreAccepted)
{
    EXPECT_FALSE(tryTrust({caFile, "", false}, "127.0.0.1"));
    EXPECT_FALSE(tryTrust({caFile, "", false}, "localhost"));
}

TEST_F(Tls, UnknownAuthorityIsPermissionDeniedWithTheReason)
{
    const auto error = tryTrust({});
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Code::permissionDenied);
    EXPECT_NE(error->message.find("self-signed certificate"), std::string::npos) << error->message;
    EXPECT_FALSE(*served);
    EXPECT_EQ(served->error().code, Code::refused);
}

TEST_F(Tls, WrongNameOrAddressIsPermissionDenied)
{
    own = *makeSelfSigned({"other.example"}, {"127.0.0.2"}, 1);
    serverTls = *makeServerTls(own.certificatePem, own.keyPem);
    std::ofstream(caFile) << own.certificatePem;
    for (const std::string host : {"localhost", "127.0.0.1"}) {
        const auto error = tryTrust({caFile, "", false}, host);
        ASSERT_TRUE(error) << host;
        EXPECT_EQ(error->code, Code::permissionDenied);
        EXPECT_NE(error->message.find("mismatch"), std::string::npos) << error->message;
    }
}

TEST_F(Tls, FingerprintStandsForNameAndAuthority)
{
    const std::string digits = *certificateFingerprint(own.certificatePem);
    std::string upperWithColons;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        upperWithColons += (i == 0 ? "" : ":") + digits.substr(i, 2);
    }
    std::transform(upperWithColons.begin(), upperWithColons.end(), upperWithColons.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    EXPECT_FALSE(tryTrust({"", digits, false}));
    EXPECT_FALSE(tryTrust({"", upperWithColons, false}));

    std::string wrong = digits;
    wrong[0] = wrong[0] == '0' ? '1' : '0';
    const auto error = tryTrust({"", wrong, false});
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Code::permissionDenied);
}

TEST_F(Tls, InsecureTakesAnybody)
{
    EXPECT_FALSE(tryTrust({"", "", true}));
}

TEST_F(Tls, BadTrustIsRefusedBeforeConnecting)
{
    EXPECT_EQ(tryTrust({"/nonexistent/ca.pem", "", false})->code, Code::invalidArgument);
    EXPECT_EQ(tryTrust({"", "abc", false})->code, Code::invalidArgument);
    EXPECT_EQ(tryTrust({"", std::string(64, 'x'), false})->code, Code::invalidArgument);
    EXPECT_EQ(tryTrust({"", std::string(62, 'a'), false})->code, Code::invalidArgument);
}

TEST_F(Tls, SessionIsResumedOnTheSecondConnection)
{
    const auto tls = *makeClientTls({caFile, "", false});
    for (const long resumed : {0, 1, 2}) {
        connectBoth(serverTls, tls);
        ASSERT_TRUE(*connected) << connected->error().message;
        EXPECT_EQ(transfer(server(), client(), "a ticket comes along"), "a ticket comes along");
        EXPECT_EQ(SSL_CTX_sess_hits(serverTls->context.get()), resumed);
    }
    connectBoth(serverTls, tls, "localhost");
    ASSERT_TRUE(*connected);
    EXPECT_EQ(SSL_CTX_sess_hits(serverTls->context.get()), 2) << "a session belongs to one host";
}

TEST_F(Tls, PlainTextToATlsServerIsRefused)
{
    acceptOne(serverTls);
    boost::asio::ip::tcp::socket raw(context);
    raw.connect(acceptor.local_endpoint());
    raw.send(boost::asio::buffer("GET / HTTP/1.1\r\n\r\n", 18));
    ASSERT_TRUE(runUntil([this] { return served.has_value(); }));
    ASSERT_FALSE(*served);
    EXPECT_EQ(served->error().code, Code::refused);
}

TEST_F(Tls, HandshakeCutShortIsNotSentForTheClientAndRefusedForTheServer)
{
    acceptOne(serverTls);
    boost::asio::ip::tcp::socket raw(context);
    raw.connect(acceptor.local_endpoint());
    raw.close();
    ASSERT_TRUE(runUntil([this] { return served.has_value(); }));
    EXPECT_EQ(served->error().code, Code::refused);

    acceptor.async_accept([](boost::system::error_code, boost::asio::ip::tcp::socket socket) { socket.close(); });
    connectStream(context.get_executor(), "127.0.0.1", port(), *makeClientTls({"", "", true}),
                  [this](auto outcome) { connected.emplace(std::move(outcome)); });
    ASSERT_TRUE(runUntil([this] { return connected.has_value(); }));
    EXPECT_EQ(connected->error().code, Code::notSent);
}

TEST_F(Tls, OldProtocolVersionsAreRefused)
{
    acceptOne(serverTls);
    SSL_CTX* old = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(old, 0);
    SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION);
    boost::asio::ip::tcp::socket raw(context);
    raw.connect(acceptor.local_endpoint());
    SSL* ssl = SSL_new(old);
    SSL_set_fd(ssl, raw.native_handle());
    raw.non_blocking(true);
    ASSERT_TRUE(runUntil([&] {
        SSL_connect(ssl);
        return served.has_value();
    }));
    EXPECT_FALSE(*served);
    EXPECT_NE(served->error().message.find("protocol"), std::string::npos) << served->error().message;
    SSL_free(ssl);
    SSL_CTX_free(old);
}

TEST_F(Tls, CertificateAndKeyMustBelongTogether)
{
    const auto other = *makeSelfSigned({"localhost"}, {}, 1);
    EXPECT_EQ(makeServerTls(own.certificatePem, other.keyPem).error().code, Code::invalidArgument);
    EXPECT_EQ(makeServerTls("nonsense", own.keyPem).error().code, Code::invalidArgument);
    EXPECT_EQ(makeServerTls(own.certificatePem, "").error().code, Code::invalidArgument);
}

}  // namespace
}  // namespace mesh::http
