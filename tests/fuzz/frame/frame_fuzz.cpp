// Any bytes as a ZeroMQ message: what is accepted must come back the same when it is encoded again, a router's view of
// it must agree with its destination's, and a session must survive it.
#include "shoset/base/limits.hpp"
#include "shoset/core/link.hpp"

#include <cstdint>
#include <cstdlib>

using namespace mesh;
using namespace mesh::shoset;

namespace {

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

void checkFrame(const Record& record)
{
    std::string again;
    appendRecord(again, record.prelude, record.header, record.body);
    require(again == record.whole);
    std::string forwarded;
    appendForwarded(forwarded, record, record.prelude);
    require(forwarded == record.whole);
}

void checkHeader(const Record& record)
{
    const Result<Message> message = decodeHeader(record.prelude.kind, record.header);
    const Result<Envelope> envelope = peekEnvelope(record.header);
    if (!message) {
        return;
    }
    require(kindOf(message->content) == record.prelude.kind);
    require(envelope.ok() && envelope->source == message->source && envelope->destination == message->destination);
    require(envelope->id.empty() ? message->id.isNil() : envelope->id == message->id.bytes());
    const std::string once = encodeHeader(*message);
    const Result<Message> again = decodeHeader(record.prelude.kind, once);
    // Its unusual encoding may have been the shorter one.
    require(again.ok() ? encodeHeader(*again) == once : once.size() > limits::maxHeaderBytes);
}

class Owner final : public FramePort, public LinkEvents {
public:
    void sendFrame(LinkId, std::string) override {}
    void resetLink(LinkId) override {}
    void onLinkUp(LinkId, Now) override {}
    void onLinkDown(LinkId, const std::string&, Now) override {}
    void onRecord(LinkId, const Record& record, Now now) override
    {
        if (const auto deadline = link->deadlineOf(record.prelude, now)) {
            link->forward(record, *deadline, now);
        }
    }
    Link* link = nullptr;
};

void checkSession(Link::Role role, std::string_view frame)
{
    const LinkSelf self{"agg-a", 1, 0, "fuzz"};
    Owner owner;
    LinkCounters counters;
    Link link(1, role, role == Link::Role::dialer ? "agg-b" : "acme/sled07", self, owner, owner, counters);
    owner.link = &link;
    Now now{Instant{1s}, WallTime{}};
    link.onConnected(now);
    link.onFrame(frame, now);
    now.mono += 50ms;
    link.onTimer(now);
    link.onFrame(frame, now);
    link.flush();
    require(link.nextDeadline() > now.mono);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view frame(reinterpret_cast<const char*>(data), size);
    FrameReader reader(frame);
    std::size_t taken = 0;
    for (auto record = reader.next(); record.ok() && record->has_value(); record = reader.next()) {
        require((*record)->whole.data() == frame.data() + taken);
        taken += (*record)->whole.size();
        checkFrame(**record);
        checkHeader(**record);
    }
    require(taken <= size);
    checkSession(Link::Role::listener, frame);
    checkSession(Link::Role::dialer, frame);
    return 0;
}
