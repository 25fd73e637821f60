#include "connector/redfish/tests/harness.hpp"

#include <cstdio>
#include <fstream>

#include <unistd.h>

namespace mesh::connector::testing {
namespace {

class Tls : public ClientTest {
protected:
    void SetUp() override
    {
        const auto made = http::makeSelfSigned({"localhost"}, {"127.0.0.1"}, 30);
        ASSERT_TRUE(made.ok());
        certificate = made->certificatePem;
        const auto tls = http::makeServerTls(made->certificatePem, made->keyPem);
        ASSERT_TRUE(tls.ok());
        secure = std::make_unique<FakeBmc>(context, *tls);
        target.url = secure->url();
    }
    void TearDown() override { client.reset(); }

    std::string certificate;
    std::unique_ptr<FakeBmc> secure;
    BmcTarget target;
};

TEST_F(Tls, ACertificateIsKnownByItsFingerprint)
{
    target.trust.fingerprint = *http::certificateFingerprint(certificate);
    makeClient(target);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(ask("GET", "/x").body, "{}");
    }
    EXPECT_EQ(secure->peers.size(), 1u);
    EXPECT_EQ(ask("POST", "/x", std::string(300000, 'x')).body, "{}");
    EXPECT_EQ(secure->requests.back().bodyBytes, 300000u);
}

TEST_F(Tls, ACertificateIsKnownByItsCa)
{
    char path[] = "/tmp/redfish-ca-XXXXXX";
    const int file = mkstemp(path);
    ASSERT_GE(file, 0);
    ::close(file);
    std::ofstream(path) << certificate;
    target.trust.caFile = path;
    makeClient(target);
    std::remove(path);
    EXPECT_EQ(ask("GET", "/x").body, "{}");
}

TEST_F(Tls, AnUnknownCertificateIsRefusedBeforeAnythingIsSent)
{
    target.trust.fingerprint = std::string(64, '0');
    makeClient(target);
    EXPECT_EQ(ask("GET", "/x").error->code, Code::refused);
    target.trust = {};
    makeClient(target);
    EXPECT_EQ(ask("GET", "/x").error->code, Code::refused);
    EXPECT_TRUE(secure->requests.empty());
    target.trust.insecure = true;
    makeClient(target);
    EXPECT_EQ(ask("GET", "/x").body, "{}");
}

TEST_F(Tls, AServerWithoutTlsIsNotSent)
{
    target.url = "https://127.0.0.1:" + std::to_string(bmc.port());
    target.trust.insecure = true;
    bmc.onHead = nullptr;
    makeClient(target);
    const BmcExchange id = request("GET", "/x");
    runUntil([&] { return !bmc.peers.empty(); });
    bmc.peers[0]->reading = false;
    bmc.peers[0]->close();
    runUntilOver(id);
    EXPECT_EQ(codeOf(id), Code::notSent);
}

TEST_F(Tls, AnAnswerCutWithoutCloseNotifyNeverLooksComplete)
{
    target.trust.insecure = true;
    makeClient(target);
    secure->script = [](FakePeer& peer, const FakeRequest& r) {
        peer.send("HTTP/1.0 200 OK\r\n\r\nhalf");
        if (r.line == "GET /whole") {
            peer.finish();
        }
    };
    const BmcExchange id = request("GET", "/cut");
    runUntil([&] { return outcomes[id].body == "half"; });
    secure->peers[0]->close();
    runUntilOver(id);
    EXPECT_EQ(codeOf(id), Code::corrupt);
    EXPECT_EQ(ask("GET", "/whole").body, "half");
}

TEST_F(Tls, AStaleConnectionIsNoticedAndRetried)
{
    target.trust.insecure = true;
    makeClient(target);
    ask("GET", "/a");
    secure->script = [](FakePeer& peer, const FakeRequest&) { peer.number == 1 ? peer.close() : peer.reply(200, "new"); };
    EXPECT_EQ(ask("GET", "/b").body, "new");
    EXPECT_EQ(secure->count("GET /b"), 2);
    secure->peers.back()->close();
    settle();
    EXPECT_EQ(ask("POST", "/c", "x").body, "new");
    EXPECT_EQ(secure->count("POST /c"), 1);
}

}  // namespace
}  // namespace mesh::connector::testing
