#include "connector/config.hpp"
#include "connector/enroll_command.hpp"
#include "connector/state_files.hpp"
#include "connector/tests/support.hpp"
#include "shoset/core/frame.hpp"
#include "shoset/sealing/secret_bytes.hpp"
#include "shoset/zmq/listener.hpp"
#include "shoset/zmq/zap.hpp"
#include "tenants/join_string.hpp"

#include <future>
#include <thread>

namespace mesh::connector {
namespace {

const std::string rightSecret = "0123456789abcdef";

// The enrolment endpoint of an aggregator, on a thread of its own: any key may connect, one secret is good for one key.
class EnrolmentEndpoint {
public:
    EnrolmentEndpoint()
    {
        std::promise<std::string> bound;
        std::future<std::string> where = bound.get_future();
        thread = std::thread([this, &bound] { serve(bound); });
        endpoint = where.get();
    }
    ~EnrolmentEndpoint() { stop(); }

    void stop()
    {
        loop.stop();
        if (thread.joinable()) {
            thread.join();
        }
    }
    tenants::JoinString joinString(const std::string& secret) const
    {
        return {{{"agg-a", endpoint, keys.publicKey}}, secret};
    }

    const shoset::KeyPair keys = makeKeys();
    const shoset::Aggregators aggregators{1, 5, {{"agg-a", "tcp://10.0.0.1:5670", keys.publicKey},
                                                 {"agg-b", "tcp://10.0.0.2:5670", makeKeys().publicKey}}};
    // To be read after stop().
    std::string enrolledKey;
    int asked = 0;

private:
    void serve(std::promise<std::string>& bound)
    {
        const shoset::Context context = *shoset::Context::create();
        const auto zap = shoset::Zap::start(context, loop, [](std::string_view domain, std::string_view key, std::string_view) {
            return domain == "enrolment" ? std::optional<std::string>(key) : std::nullopt;
        });
        ASSERT_TRUE(zap.ok());
        std::unique_ptr<shoset::MeshListener> listener;
        shoset::ListenerOptions options;
        options.keys = keys;
        options.domain = "enrolment";
        shoset::ListenerHandlers handlers;
        handlers.onMessage = [this, &listener](shoset::PeerId peer, std::string_view key, std::string_view frame) {
            EXPECT_EQ(listener->send(peer, answer(key, frame)), Code::ok);
        };
        auto opened = shoset::MeshListener::bind(context, loop, "tcp://127.0.0.1:*", options, handlers);
        ASSERT_TRUE(opened.ok());
        listener = std::move(*opened);
        bound.set_value(listener->endpoint());
        const auto work = boost::asio::make_work_guard(loop);
        loop.run();
    }

    std::string answer(std::string_view key, std::string_view frame)
    {
        ++asked;
        const auto record = shoset::FrameReader(frame).next();
        EXPECT_TRUE(record && record->has_value());
        const auto message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
        EXPECT_TRUE(message && std::holds_alternative<shoset::Enrol>(message->content));
        shoset::Enrolled out{Code::refused, "the secret is not known", "", "", {}};
        if (std::get<shoset::Enrol>(message->content).secret == rightSecret && (enrolledKey.empty() || enrolledKey == key)) {
            enrolledKey = key;
            out = {Code::ok, "", "acme", "sled07", aggregators};
        }
        std::string answered;
        shoset::appendRecord(answered, {shoset::Kind::enrolled, shoset::flagLast, 0, shoset::noDeadline, 0},
                             shoset::encodeHeader({{}, {}, {}, out}), {});
        return answered;
    }

    boost::asio::io_context loop;
    std::string endpoint;
    std::thread thread;
};

struct EnrollTest : testing::Test {
    TemporaryFolder folder;
    EnrolmentEndpoint aggregator;
    EnrollOptions options;

    void SetUp() override
    {
        options.config = folder / "connector.yaml";
        options.state = folder.string();
        options.joinString = *tenants::encodeJoinString(aggregator.joinString(rightSecret));
    }
    std::string ownKey() const { return shoset::loadKeyFile(folder / "connector.key")->publicKey; }
};

TEST_F(EnrollTest, MakesAKeyThatTheMeshRegistersAndWritesAConfigurationThatWorks)
{
    const Result<std::string> done = enroll(options);
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_NE(done->find("sled07 of tenant acme"), std::string::npos) << *done;
    EXPECT_TRUE(isPrivate(folder / "connector.key"));
    const Result<Config> config = loadConfig(options.config);
    ASSERT_TRUE(config.ok()) << config.error().message;
    EXPECT_EQ(config->name, "sled07");
    EXPECT_EQ(config->keyFile, folder / "connector.key");
    EXPECT_EQ(config->settings.aggregators, aggregator.aggregators.list);
    EXPECT_EQ(config->target.url, "https://127.0.0.1");
    EXPECT_EQ(config->target.auth, BmcTarget::Auth::none);
    aggregator.stop();
    EXPECT_EQ(aggregator.enrolledKey, ownKey());
    EXPECT_EQ(contentOf(options.config).find(rightSecret), std::string::npos);
}

TEST_F(EnrollTest, AConfigurationThatIsThereIsNotReplacedAndNothingIsSpent)
{
    write(options.config, "mine");
    const Result<std::string> done = enroll(options);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Code::alreadyExists);
    EXPECT_NE(done.error().message.find("--force"), std::string::npos);
    EXPECT_EQ(contentOf(options.config), "mine");
    EXPECT_FALSE(std::filesystem::exists(folder / "connector.key"));
    aggregator.stop();
    EXPECT_EQ(aggregator.asked, 0);
}

TEST_F(EnrollTest, ForceReplacesItAndForgetsWhatAnotherMeshTold)
{
    write(options.config, "old");
    write(stateFilePath(options.state, "sled07", StateFile::fence), "9 9\n");
    write(stateFilePath(options.state, "sled07", StateFile::rotation), "9 9\n");
    write(stateFilePath(options.state, "sled07", StateFile::aggregators), "{}");
    write(stateFilePath(options.state, "sled07", StateFile::configuration), "{}");
    options.force = true;
    ASSERT_TRUE(enroll(options).ok());
    EXPECT_TRUE(loadConfig(options.config).ok());
    EXPECT_FALSE(std::filesystem::exists(stateFilePath(options.state, "sled07", StateFile::fence)));
    EXPECT_FALSE(std::filesystem::exists(stateFilePath(options.state, "sled07", StateFile::rotation)));
    EXPECT_FALSE(std::filesystem::exists(stateFilePath(options.state, "sled07", StateFile::aggregators)));
    EXPECT_FALSE(std::filesystem::exists(stateFilePath(options.state, "sled07", StateFile::configuration)));
}

TEST_F(EnrollTest, ARefusalIsSaidAndNoConfigurationIsWritten)
{
    EnrollOptions wrong = options;
    wrong.joinString = *tenants::encodeJoinString(aggregator.joinString("another secret!!"));
    const Result<std::string> done = enroll(wrong);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Code::refused);
    EXPECT_NE(done.error().message.find("agg-a: refused: the secret is not known"), std::string::npos) << done.error().message;
    EXPECT_EQ(done.error().message.find("another secret"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(options.config));
}

TEST_F(EnrollTest, AnEnrolmentWhoseAnswerWasLostIsRepeatedWithTheSameKey)
{
    ASSERT_TRUE(enroll(options).ok());
    const std::string key = ownKey();
    std::filesystem::remove(options.config);
    ASSERT_TRUE(enroll(options).ok());
    EXPECT_EQ(ownKey(), key);
    std::filesystem::remove(options.config);
    std::filesystem::remove(folder / "connector.key");
    EXPECT_FALSE(enroll(options).ok()) << "the secret is another key's now";
}

TEST_F(EnrollTest, TheConfigurationSaysWhatTheOperatorSaid)
{
    write(folder / "bmc.pw", "secret\n");
    std::filesystem::permissions(folder / "bmc.pw", std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    options.key = folder / "own.key";
    options.keyAs = "/run/credentials/connector.key";
    options.targetUrl = "https://10.0.0.5";
    options.targetUser = "ro\"ot";
    options.targetPasswordFile = folder / "bmc.pw";
    options.targetInsecure = true;
    options.secretsOperator = sealing::toBase64(std::string(32, 'k'));
    ASSERT_TRUE(enroll(options).ok());
    const Result<Config> config = loadConfig(options.config);
    ASSERT_TRUE(config.ok()) << config.error().message;
    EXPECT_EQ(config->keyFile, "/run/credentials/connector.key");
    EXPECT_TRUE(isPrivate(folder / "own.key"));
    EXPECT_EQ(config->target.url, "https://10.0.0.5");
    EXPECT_EQ(config->target.auth, BmcTarget::Auth::basic);
    EXPECT_EQ(config->target.user, "ro\"ot");
    EXPECT_EQ(config->target.password, "secret");
    EXPECT_TRUE(config->target.trust.insecure);
    EXPECT_EQ(config->settings.operators, std::vector<std::string>{std::string(32, 'k')});
    EXPECT_EQ(config->settings.tenant, "acme");
}

TEST_F(EnrollTest, WhatIsNoJoinStringIsRefusedBeforeAKeyIsMade)
{
    options.joinString = options.joinString.substr(0, options.joinString.size() - 2);
    EXPECT_FALSE(enroll(options).ok());
    options.joinString = *tenants::encodeJoinString(aggregator.joinString(rightSecret));
    options.targetUser = "root";
    EXPECT_FALSE(enroll(options).ok()) << "a user without a password";
    EXPECT_FALSE(std::filesystem::exists(folder / "connector.key"));
}

}  // namespace
}  // namespace mesh::connector
