#pragma once

#include "shoset/base/rng.hpp"
#include "shoset/core/clock_bound.hpp"
#include "shoset/core/frame.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>
#include <string>

namespace mesh::shoset {

// A connection to one peer, named by the shell when it appears; never used again.
using LinkId = std::uint32_t;

// What links ask of the shell. Never calls back from inside a call.
class FramePort {
public:
    virtual ~FramePort() = default;
    // One ZeroMQ message. A frame that cannot be queued is dropped and counted by the shell.
    virtual void sendFrame(LinkId link, std::string frame) = 0;
    // Ends the connection. A dialled one is opened again by the shell, which then says onConnected.
    virtual void resetLink(LinkId link) = 0;
};

// What a link tells its owner, during a call into it; the owner may call the link back, but not destroy it then.
class LinkEvents {
public:
    virtual ~LinkEvents() = default;
    virtual void onLinkUp(LinkId link, Now now) = 0;
    virtual void onLinkDown(LinkId link, const std::string& reason, Now now) = 0;
    // A record that is not the link's own business (hello, heartbeat, bye).
    virtual void onRecord(LinkId link, const Record& record, Now now) = 0;
};

struct LinkSelf {
    Address name;
    std::uint64_t incarnation = 0;
    std::uint64_t capabilities = 0;
    std::string software;
};

struct LinkCounters {
    std::uint64_t framesIn = 0, recordsIn = 0, recordsOut = 0, framesOut = 0, malformed = 0, beforeHello = 0,
                  sentWhileDown = 0, tooLarge = 0, hopLimit = 0, droppedQueued = 0, refusals = 0, timeouts = 0;
};

// The session on one connection: hello with version and capabilities, heartbeats that also measure the clocks, bye, and
// the coalescing of records into frames. Heartbeats are fewer on a calm link, one without anything else for
// limits::calmAfter, if both ends have the capability. `identity` is the address that the peer's CURVE key proves; a claimed name
// that differs is refused. A refused dialler resets its connection after limits::handshakeTimeout, to try again.
class Link {
public:
    enum class Role { dialer, listener };
    // `counters` are its owner's: the links of one node share them, so that what a link counted outlives it.
    Link(LinkId id, Role role, Address identity, const LinkSelf& self, FramePort& port, LinkEvents& events,
         LinkCounters& counters);

    void onConnected(Now now);     // dialler: the transport is there
    void onDisconnected(Now now);  // the transport is gone
    void onFrame(std::string_view frame, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const;

    bool isUp() const { return state == State::up; }
    const Address& peer() const { return identity; }
    // Dialler: the address under which the peer knows us.
    const Address& assignedName() const { return assigned; }
    std::uint64_t peerIncarnation() const { return incarnation; }
    // Bits of its last greeting.
    std::uint64_t peerCapabilities() const { return capabilities; }
    // Why it is not up, for people: what ended it last, or the peer's refusal. Empty while it is up and before.
    const std::string& downReason() const { return reasonDown; }
    // The peer took its leave, and has not greeted since.
    bool saidBye() const { return farewell; }
    // How often this link's dialler has to send; set by the listener's owner, told to the peer with the next echo. A
    // dialler obeys its peer and ignores it.
    void setHeartbeatInterval(Duration interval);

    // Queues a record; it leaves with the next flush(), or before when the frame is full. False, and counted, while the
    // link is down, for a header or body over its limit, and for what has no hop left to be forwarded.
    bool append(const Message& message, std::string_view body, std::uint8_t flags, Instant deadline, Now now,
                std::uint8_t hops);
    bool forward(const Record& record, Instant deadline, Now now);
    void flush();
    void bye(const std::string& reason, Now now);

    // The deadline that a received record carries, on our clock; `never` if it has none; nullopt when it cannot be told
    // because the clocks were not compared yet.
    std::optional<Instant> deadlineOf(const Prelude& prelude, Now now) const;
    // When the peer sent the record, at the earliest, on our clock; nullopt as above.
    std::optional<Instant> earliestSend(const Prelude& prelude, Now now) const;

private:
    enum class State { down, greeting, up };
    Duration patience() const;
    bool isCalm(Now now) const;
    void onTraffic(Now now);
    void goUp(std::uint64_t peerIncarnation, std::uint64_t peerCapabilities, Now now);
    void goDown(const std::string& reason, Now now);
    void sendHello(Now now);
    void handleOwn(const Record& record, Now now);
    void handle(const Hello& hello, Now now);
    void handle(const HelloAck& ack, Now now);
    std::string refusalOf(const Hello& hello) const;
    void handle(const Heartbeat& heartbeat, Now now);
    void handle(const HeartbeatEcho& echo, Now now);
    void sendHeartbeat(Now now);
    void putHeartbeat(Now now);
    void sendOwn(Content content, Now now);
    void makeRoom(std::size_t bytes);
    void put(const Prelude& prelude, std::string_view header, std::string_view body);

    const LinkId id;
    const Role role;
    const Address identity;
    const LinkSelf& self;
    FramePort& port;
    LinkEvents& events;

    State state = State::down;
    Address assigned;
    std::uint64_t incarnation = 0;
    std::uint64_t capabilities = 0;
    std::string reasonDown;
    bool farewell = false;
    Duration interval;
    Duration toldInterval{0};  // listener: what the dialler was told last
    Instant lastHeard{};       // or when the greeting began
    Duration pace{0};          // of the heartbeats, where it is longer than `interval` because the link is calm
    Instant lastTraffic{};     // anything but heartbeats, either way
    Instant hastenedAt{};      // until then, which may be ahead, a peer that is to take up its pace again is not missed
    Instant nextBeat = never;
    std::int64_t greetedAt = 0;  // clock of the last hello
    ClockBound clock;
    std::int64_t echoClock = 0;    // peer's clock in the last echo
    std::int64_t echoArrived = 0;  // and when it came
    std::string frame;
    std::uint64_t queued = 0;  // records in it
    LinkCounters& count;
};

}  // namespace mesh::shoset
