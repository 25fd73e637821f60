#include "shoset/core/link.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::shoset {

namespace {

constexpr int missedBeats = 3;

std::uint32_t remainingMs(Instant deadline, Now now)
{
    if (deadline == never) {
        return noDeadline;
    }
    const std::int64_t left = toMillis(deadline - now.mono);
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 0, noDeadline - 1));
}

}  // namespace

Link::Link(LinkId linkId, Role linkRole, Address provedIdentity, const LinkSelf& selfInfo, FramePort& framePort,
           LinkEvents& linkEvents, LinkCounters& counters)
    : id(linkId), role(linkRole), identity(std::move(provedIdentity)), self(selfInfo), port(framePort),
      events(linkEvents), interval(limits::heartbeatInterval), count(counters)
{
}

void Link::onConnected(Now now)
{
    if (role == Role::dialer) {
        goDown("the connection was made anew", now);
        reasonDown.clear();
        state = State::greeting;
        lastHeard = now.mono;
        sendHello(now);
    }
}

void Link::onDisconnected(Now now)
{
    goDown("the connection ended", now);
}

void Link::onFrame(std::string_view bytes, Now now)
{
    ++count.framesIn;
    if (state == State::up) {
        lastHeard = now.mono;
    }
    FrameReader reader(bytes);
    for (;;) {
        const Result<std::optional<Record>> next = reader.next();
        if (!next) {
            ++count.malformed;
            return;
        }
        if (!next->has_value()) {
            return;
        }
        const Record& record = **next;
        ++count.recordsIn;
        if (record.prelude.kind <= Kind::bye) {
            handleOwn(record, now);
        } else if (state == State::up) {
            onTraffic(now);
            events.onRecord(id, record, now);
        } else {
            ++count.beforeHello;
        }
    }
}

void Link::handleOwn(const Record& record, Now now)
{
    Result<Message> message = decodeHeader(record.prelude.kind, record.header);
    if (!message) {
        ++count.malformed;
        return;
    }
    if (const auto* hello = std::get_if<Hello>(&message->content)) {
        handle(*hello, now);
    } else if (const auto* ack = std::get_if<HelloAck>(&message->content)) {
        handle(*ack, now);
    } else if (state != State::up) {
        ++count.beforeHello;
    } else if (const auto* beat = std::get_if<Heartbeat>(&message->content)) {
        handle(*beat, now);
    } else if (const auto* echo = std::get_if<HeartbeatEcho>(&message->content)) {
        handle(*echo, now);
    } else if (const auto* bye = std::get_if<Bye>(&message->content)) {
        farewell = true;
        goDown("the peer said bye: " + bye->reason, now);
    }
}

std::string Link::refusalOf(const Hello& hello) const
{
    if (hello.major != protocolMajor) {
        return "protocol version " + std::to_string(hello.major) + " is not " + std::to_string(protocolMajor);
    }
    if (hello.name != identity && hello.name != nameOf(identity)) {
        return "the key belongs to another name";
    }
    return {};
}

void Link::handle(const Hello& hello, Now now)
{
    if (role != Role::listener) {
        ++count.malformed;
        return;
    }
    goDown("the peer greeted again", now);
    HelloAck ack;
    ack.name = self.name;
    ack.incarnation = self.incarnation;
    ack.capabilities = self.capabilities;
    ack.software = self.software;
    ack.echoedClock = hello.clock;
    ack.clock = toMicros(now.mono);
    ack.heartbeatMs = static_cast<std::uint32_t>(toMillis(interval));
    ack.you = identity;
    ack.refusal = refusalOf(hello);
    toldInterval = interval;
    sendOwn(ack, now);
    flush();
    if (!ack.refusal.empty()) {
        ++count.refusals;
        reasonDown = "refused: " + ack.refusal;
        return;
    }
    clock = {};
    goUp(hello.incarnation, hello.capabilities, now);
    events.onLinkUp(id, now);
}

void Link::handle(const HelloAck& ack, Now now)
{
    if (role != Role::dialer || state != State::greeting || ack.echoedClock != greetedAt) {
        ++count.malformed;
        return;
    }
    if (!ack.refusal.empty() || ack.major != protocolMajor || ack.name != identity) {
        ++count.refusals;
        reasonDown = ack.refusal.empty() ? "the peer speaks another version or has another name" : "refused: " + ack.refusal;
        return;
    }
    assigned = ack.you;
    interval = std::chrono::milliseconds(std::max<std::uint32_t>(ack.heartbeatMs, 10));
    clock = {};
    clock.onRoundTrip(ack.echoedClock, toMicros(now.mono), ack.clock);
    echoClock = ack.clock;
    echoArrived = toMicros(now.mono);
    goUp(ack.incarnation, ack.capabilities, now);
    sendHeartbeat(now);
    events.onLinkUp(id, now);
}

void Link::handle(const Heartbeat& heartbeat, Now now)
{
    if (role != Role::listener) {
        ++count.malformed;
        return;
    }
    if (heartbeat.peerClock != 0) {
        clock.onRoundTrip(heartbeat.peerClock, toMicros(now.mono), heartbeat.peerClockAt);
    }
    pace = std::clamp<Duration>(std::chrono::milliseconds(heartbeat.nextMs), Duration{}, limits::calmHeartbeat);
    toldInterval = interval;
    sendOwn(HeartbeatEcho{heartbeat.clock, toMicros(now.mono), static_cast<std::uint32_t>(toMillis(interval))}, now);
    flush();
}

void Link::handle(const HeartbeatEcho& echo, Now now)
{
    if (role != Role::dialer) {
        ++count.malformed;
        return;
    }
    clock.onRoundTrip(echo.echoedClock, toMicros(now.mono), echo.clock);
    echoClock = echo.clock;
    echoArrived = toMicros(now.mono);
    if (echo.heartbeatMs >= 10) {
        interval = std::chrono::milliseconds(echo.heartbeatMs);
        nextBeat = std::min(nextBeat, now.mono + std::max(interval, pace));
    }
}

// A dialler that was told a shorter interval may still be waiting for the longer one.
Duration Link::patience() const
{
    return state == State::up ? std::max({interval, toldInterval, pace}) * missedBeats : limits::handshakeTimeout;
}

// Both ends understand it, and there is something to be gained.
bool Link::isCalm(Now now) const
{
    return (self.capabilities & capabilities & capabilityCalm) != 0 && interval < limits::calmHeartbeat &&
           now.mono - lastTraffic >= limits::calmAfter;
}

// Who speaks, or is spoken to, on a calm link takes up the old pace: the dialler with a heartbeat, which leaves with what is
// said or answered next; the listener expects that, and gives it time for the way.
void Link::onTraffic(Now now)
{
    lastTraffic = now.mono;
    if (pace <= interval) {
        return;
    }
    pace = Duration{};
    hastenedAt = now.mono + interval;
    if (role == Role::dialer) {
        putHeartbeat(now);
    }
}

void Link::onTimer(Now now)
{
    if (state == State::down || now.mono < nextDeadline()) {
        return;
    }
    if (now.mono - std::max(lastHeard, hastenedAt) >= patience()) {
        ++count.timeouts;
        goDown(state == State::up ? "three heartbeats missed" : "no answer to the greeting", now);
        port.resetLink(id);
        return;
    }
    if (state == State::up && role == Role::dialer && now.mono >= nextBeat) {
        sendHeartbeat(now);
    }
}

Instant Link::nextDeadline() const
{
    return state == State::down ? never : std::min(std::max(lastHeard, hastenedAt) + patience(), nextBeat);
}

void Link::setHeartbeatInterval(Duration newInterval)
{
    if (role == Role::listener) {
        interval = newInterval;
    }
}

bool Link::append(const Message& message, std::string_view body, std::uint8_t flags, Instant deadline, Now now,
                  std::uint8_t hops)
{
    if (state != State::up) {
        ++count.sentWhileDown;
        return false;
    }
    const std::string header = encodeHeader(message);
    if (header.size() > limits::maxHeaderBytes || body.size() > limits::inlineBodyBytes) {
        ++count.tooLarge;
        return false;
    }
    onTraffic(now);
    put({kindOf(message.content), flags, hops, remainingMs(deadline, now), toMicros(now.mono)}, header, body);
    return true;
}

bool Link::forward(const Record& record, Instant deadline, Now now)
{
    if (state != State::up) {
        ++count.sentWhileDown;
        return false;
    }
    if (record.prelude.hops == 0) {
        ++count.hopLimit;
        return false;
    }
    onTraffic(now);
    makeRoom(record.whole.size());
    const int hops = std::min<int>(record.prelude.hops, limits::maxHops) - 1;
    appendForwarded(frame, record,
                    {record.prelude.kind, record.prelude.flags, static_cast<std::uint8_t>(hops),
                     remainingMs(deadline, now), toMicros(now.mono)});
    return true;
}

void Link::put(const Prelude& prelude, std::string_view header, std::string_view body)
{
    makeRoom(preludeBytes + header.size() + body.size());
    appendRecord(frame, prelude, header, body);
}

void Link::makeRoom(std::size_t bytes)
{
    if (!frame.empty() && frame.size() + bytes > limits::coalesceBytes) {
        flush();
    }
    ++count.recordsOut;
    ++queued;
}

void Link::flush()
{
    if (frame.empty()) {
        return;
    }
    ++count.framesOut;
    queued = 0;
    port.sendFrame(id, std::move(frame));
    frame.clear();
}

void Link::bye(const std::string& reason, Now now)
{
    if (state == State::up) {
        sendOwn(Bye{reason}, now);
        flush();
        state = State::down;
        nextBeat = never;
        reasonDown = reason;
    }
}

std::optional<Instant> Link::deadlineOf(const Prelude& prelude, Now now) const
{
    if (prelude.remainingMs == noDeadline) {
        return never;
    }
    const std::optional<Instant> sent = earliestSend(prelude, now);
    if (!sent) {
        return std::nullopt;
    }
    return *sent + std::chrono::milliseconds(prelude.remainingMs);
}

std::optional<Instant> Link::earliestSend(const Prelude& prelude, Now now) const
{
    return clock.earliestSend(prelude.sentMicros, now.mono);
}

void Link::goUp(std::uint64_t peerIncarnation, std::uint64_t peerCapabilities, Now now)
{
    state = State::up;
    incarnation = peerIncarnation;
    capabilities = peerCapabilities;
    lastHeard = now.mono;
    lastTraffic = now.mono;
    hastenedAt = {};
    pace = {};
    reasonDown.clear();
    farewell = false;
}

void Link::goDown(const std::string& reason, Now now)
{
    if (state == State::down) {
        return;
    }
    const bool wasUp = state == State::up;
    state = State::down;
    if (reasonDown.empty()) {  // a refusal says more than the end that follows it
        reasonDown = reason;
    }
    count.droppedQueued += queued;
    queued = 0;
    frame.clear();
    nextBeat = never;
    if (wasUp) {
        events.onLinkDown(id, reason, now);
    }
}

void Link::sendHello(Now now)
{
    greetedAt = toMicros(now.mono);
    sendOwn(Hello{protocolMajor, protocolMinor, self.name, self.incarnation, self.capabilities, self.software,
                  greetedAt},
            now);
    flush();
}

void Link::sendHeartbeat(Now now)
{
    pace = isCalm(now) ? limits::calmHeartbeat : Duration{};
    putHeartbeat(now);
    flush();
}

void Link::putHeartbeat(Now now)
{
    nextBeat = now.mono + std::max(interval, pace);
    sendOwn(Heartbeat{toMicros(now.mono), echoClock, echoArrived, static_cast<std::uint32_t>(toMillis(pace))}, now);
}

void Link::sendOwn(Content content, Now now)
{
    Message message;
    message.source = self.name;
    message.content = std::move(content);
    put({kindOf(message.content), 0, 0, noDeadline, toMicros(now.mono)}, encodeHeader(message), {});
}

}  // namespace mesh::shoset
