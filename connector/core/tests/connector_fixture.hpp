#pragma once

#include "connector/core/tests/fixture.hpp"

namespace mesh::connector {

using shoset::LinkId;

struct Wire : ConnectorPort {
    void sendFrame(LinkId link, std::string frame) override { frames.emplace_back(link, std::move(frame)); }
    void resetLink(LinkId) override {}
    void dial(LinkId link, const shoset::AggregatorAddress& address, const std::string& key) override
    {
        dialled[link] = address;
        keys[link] = key;
    }
    void hangUp(LinkId link) override
    {
        dialled.erase(link);
        keys.erase(link);
    }
    void makeKey(std::string note) override { steps.push_back("make " + note); }
    void adoptKey() override { steps.emplace_back("adopt"); }
    void dropKey() override { steps.emplace_back("drop"); }
    Code sendToWorker(WorkerId worker, std::string word) override
    {
        words.push_back(word);
        workerWords.emplace_back(worker, std::move(word));
        return workersTake;
    }

    std::vector<std::pair<LinkId, std::string>> frames;
    std::map<LinkId, shoset::AggregatorAddress> dialled;
    std::map<LinkId, std::string> keys;  // ours, of each
    std::vector<std::string> steps;      // of the key files
    std::vector<std::string> words;      // to workers
    std::vector<std::pair<WorkerId, std::string>> workerWords;  // the same, with who was told
    Code workersTake = Code::ok;
};

inline shoset::AggregatorAddress aggregator(const std::string& name, char key, const std::string& endpoint = "tcp://10.0.0.1:5670")
{
    return {name, endpoint, std::string(40, key)};
}

// A connector with links 0 to agg-a and 1 to agg-b; the test plays the aggregators.
struct ConnectorTest : testing::Test {
    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    SeededRng rng{1};
    Wire wire;
    FakeBmc bmc;
    FakeJournal journal;
    FakeState state;
    Connector connector{{"s1", {}, LocalPolicy{}, {aggregator("agg-a", '0'), aggregator("agg-b", '1')}}, wire, bmc, journal, state,
                        rng};

    struct Said {
        LinkId way = 0;
        shoset::Address to;
        shoset::Announce announce;
    };

    void SetUp() override { start(); }
    void start()
    {
        connector.start(now);
        connector.onHead(bmc.last, {200, {{"Content-Type", "application/json"}}}, true, now);
        connector.onBody(bmc.last, R"({"UUID":"u-1"})", true, now);
    }
    // The link to that aggregator, as dialled last.
    LinkId linkTo(const std::string& name) const
    {
        const auto found = std::find_if(wire.dialled.rbegin(), wire.dialled.rend(),
                                        [&name](const auto& entry) { return entry.second.name == name; });
        EXPECT_NE(found, wire.dialled.rend()) << name;
        return found == wire.dialled.rend() ? 0 : found->first;
    }
    std::vector<shoset::AggregatorAddress> dialled() const
    {
        std::vector<shoset::AggregatorAddress> all;
        for (const auto& [link, address] : wire.dialled) {
            all.push_back(address);
        }
        return all;
    }
    void hears(LinkId link, const shoset::Message& message)
    {
        std::string frame;
        shoset::appendRecord(frame, {shoset::kindOf(message.content), shoset::flagLast, 0, shoset::noDeadline, toMicros(now.mono)},
                             shoset::encodeHeader(message), {});
        connector.onFrame(link, frame, now);
    }
    // The aggregator at the other end tells a list.
    void told(LinkId link, const shoset::Aggregators& list) { hears(link, {{}, wire.dialled.at(link).name, "acme/s1", list}); }
    // A GET of the system, asked by agg-a.
    shoset::Message askedByA()
    {
        shoset::Command command;
        command.name = shoset::redfishRequest;
        command.prefix = "P1";
        command.http = {"GET", "/redfish/v1/Systems/P1_1", {}};
        return {MessageId::make(now.wall, rng), "agg-a", "acme/s1", std::move(command)};
    }
    void up(LinkId link)
    {
        connector.onConnected(link, now);
        shoset::HelloAck ack;
        for (const shoset::Message& message : take(link)) {
            if (const auto* hello = std::get_if<shoset::Hello>(&message.content)) {
                ack.echoedClock = hello->clock;
            }
        }
        ack.major = shoset::protocolMajor;
        ack.name = wire.dialled.at(link).name;
        ack.clock = toMicros(now.mono);
        ack.heartbeatMs = 100;
        ack.you = "acme/s1";
        hears(link, {{}, ack.name, "", ack});
    }
    std::vector<shoset::Message> take(LinkId link)
    {
        connector.flush();
        std::vector<shoset::Message> messages;
        for (const auto& [way, frame] : wire.frames) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record.ok() && record->has_value(); record = reader.next()) {
                if (way == link) {
                    messages.push_back(*shoset::decodeHeader((*record)->prelude.kind, (*record)->header));
                }
            }
        }
        std::erase_if(wire.frames, [link](const auto& entry) { return entry.first == link; });
        return messages;
    }
    std::vector<Said> said()
    {
        std::vector<Said> all;
        for (const LinkId link : {0U, 1U}) {
            for (shoset::Message& message : take(link)) {
                if (auto* announce = std::get_if<shoset::Announce>(&message.content)) {
                    all.push_back({link, message.destination, std::move(*announce)});
                }
            }
        }
        return all;
    }
};

}  // namespace mesh::connector
