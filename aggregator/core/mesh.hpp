#pragma once

#include "aggregator/core/event_store.hpp"
#include "aggregator/core/hop_notes.hpp"
#include "shoset/core/link.hpp"
#include "shoset/core/message.hpp"
#include "shoset/core/route_table.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mesh::aggregator {

// What the mesh delivers to this node, during a call into it. `from` is proved: the key's address for a connector's own
// link, the peer aggregator's word for what it forwards.
class MeshEvents {
public:
    virtual ~MeshEvents() = default;
    // `sent`: when it left `from`, at the earliest; Instant::min() where that cannot be told, because another aggregator passed
    // it on or the clocks were not compared yet.
    virtual void onReply(const shoset::Address& from, const MessageId& id, shoset::Reply reply, std::string_view body,
                         bool last, Instant sent, Now now) = 0;
    virtual void onChunk(const shoset::Address& from, const MessageId& id, const shoset::Chunk& chunk,
                         std::string_view body, bool last, Now now) = 0;
    virtual void onCredit(const shoset::Address& from, const MessageId& id, std::uint64_t total, Now now) = 0;
    virtual void onAnnounce(const shoset::Address& from, shoset::Announce announce, Now now) = 0;
    // A connector has greeted; its link's key is `key`.
    virtual void onConnectorUp(const shoset::Address& connector, const std::string& key, Now now) = 0;
    // Over its own link, whose key is `linkKey`.
    virtual void onKeyOffer(const shoset::Address& connector, const std::string& linkKey, const shoset::KeyOffer& offer, Now now) = 0;
    virtual void onOffers(const shoset::Address& from, shoset::Offers offers) = 0;
    // How far a connector has come with its configuration.
    virtual void onConfigured(const shoset::Address&, shoset::Configured) {}
    // A connector asks for a command. `deadline` on our clock; nullopt: it cannot be told.
    virtual void onCommandAsked(const shoset::Address& from, const MessageId& id, shoset::Command command, std::string_view payload,
                                std::optional<Instant> deadline, Now now) = 0;
    // Another aggregator does; false: it asks for nothing that is known here.
    virtual bool onPeerAsked(const shoset::Address&, const MessageId&, const shoset::Command&, std::string_view, Now) { return false; }
    // A record of events, over the direct link to `peer`; from a connector it bears its own name.
    virtual void onEventRecord(const shoset::Address& peer, shoset::Message message, std::string_view body, Now now);
    // What it sent was dropped: "malformed", "not_allowed" (its kind is not the sender's, or connectors do not speak to each other),
    // "wrong_source", "expired", or "unknown_destination".
    virtual void onRefusedRecord(const shoset::Address& peer, std::string_view why, Now now);
    // It has no link to this node any more.
    virtual void onConnectorDown(const shoset::Address& connector, Now now);
    virtual void onLinkLost(shoset::LinkId link, Now now) = 0;
    // There is now another way to these addresses, or none.
    virtual void onRoutesChanged(const std::vector<shoset::Address>& addresses, Now now) = 0;
};

struct MeshCounters {
    std::uint64_t delivered = 0, forwarded = 0, malformed = 0, wrongSource = 0, notAllowed = 0, noRoute = 0, hopLimit = 0,
                  expired = 0, clockUnknown = 0, replacedLinks = 0;
};

// Links, routes and forwarding of one aggregator. A connector may answer, announce, grant credit, offer a key, ask an
// aggregator for a command, tell it events and want some, and nothing else; its messages bear its own name or are dropped.
class Mesh final : public shoset::LinkEvents, public EventLinks {
public:
    Mesh(shoset::LinkSelf self, shoset::FramePort& frames, MeshEvents& events);
    ~Mesh() override;

    const shoset::Address& name() const { return self.name; }
    // Where it is noted what was passed on; without it, nowhere. Set once before the first frame.
    void setNotes(HopNotes& ofMessages) { notes = &ofMessages; }

    // A peer that we dial, until it is removed.
    void addDialledPeer(shoset::LinkId link, const shoset::Address& peer);
    // A connection that a listener accepted; `identity` is what its key stands for, and `key` that key.
    void addAccepted(shoset::LinkId link, const shoset::Address& identity, const std::string& key = {});
    void removeLink(shoset::LinkId link, Now now);

    void onConnected(shoset::LinkId link, Now now);
    void onDisconnected(shoset::LinkId link, Now now);
    void onFrame(shoset::LinkId link, std::string_view frame, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const;
    void flush();
    void bye(const std::string& reason, Now now);

    // Sends over the nearest link that is up, but not over `avoid` while there is another, and over `prefer` while it leads
    // there: what goes over a nearer one overtakes what went before. Returns the link, or nothing when there is no way.
    std::optional<shoset::LinkId> send(const shoset::Address& destination, const MessageId& id, shoset::Content content,
                                       std::string_view body, bool last, Instant deadline, Now now,
                                       std::optional<shoset::LinkId> avoid = std::nullopt,
                                       std::optional<shoset::LinkId> prefer = std::nullopt);
    // The list of all aggregators, from now on: every connector that knows such lists is told at once, or when it links.
    void tellConnectors(shoset::Aggregators list, Now now);
    // How it stands with a connector's key, or with those of all: told to those that are linked and know such records.
    using KeyStatusOf = std::function<std::optional<shoset::KeyStatus>(const shoset::Address& connector)>;
    void tellKey(const shoset::Address& connector, const shoset::KeyStatus& status, Now now);
    void tellKeys(const KeyStatusOf& statusOf, Now now);
    std::uint64_t incarnation() const { return self.incarnation; }
    bool tellEvents(const shoset::Address& to, const shoset::Address& source, shoset::Content content, std::string_view body,
                    Now now) override;
    bool takesEvents(const shoset::Address& peer) const override;
    bool creditsLosses(const shoset::Address& peer) const override;
    // What a connector is to be configured as, over each of its own links, if it knows such records. False: nobody was told.
    bool tellConfiguration(const shoset::Address& connector, const shoset::Configure& what, std::string_view body, Now now);
    std::vector<shoset::Address> linkedConnectors() const;
    bool isReachable(const shoset::Address& address) const;
    // Whether this link is one of the ways to it.
    bool leadsTo(shoset::LinkId link, const shoset::Address& address) const;
    std::string_view peerOf(shoset::LinkId link) const;  // empty: there is no such link
    bool hasDirectLink(const shoset::Address& address) const;
    std::vector<shoset::Address> reachable() const { return routes.addresses(); }
    // A node that took its leave over its last link, and has not come back.
    bool hasLeft(const shoset::Address& node) const { return departed.contains(node); }
    std::size_t linksUp() const;
    const MeshCounters& counters() const { return count; }
    // Of all links there ever were.
    const shoset::LinkCounters& linkCounters() const { return linkCount; }

    void onLinkUp(shoset::LinkId link, Now now) override;
    void onLinkDown(shoset::LinkId link, const std::string& reason, Now now) override;
    void onRecord(shoset::LinkId link, const shoset::Record& record, Now now) override;

private:
    void deliver(shoset::LinkId id, const shoset::Record& record, Now now);
    void forward(shoset::LinkId from, const shoset::Record& record, const shoset::Envelope& envelope, Now now);
    void noteForward(const shoset::Record& record, const shoset::Envelope& envelope, HopFate fate, Code code, std::string_view over, Now now);
    void noteConfiguration(shoset::Kind kind, HopFate fate, const shoset::Address& connector, std::uint64_t document, std::uint64_t version,
                           Now now);
    void noteConfigured(const shoset::Address& connector, const shoset::Configured& told, Now now);
    // To the source of a record that could not be passed on, with its id.
    void sayBack(shoset::Link& link, const shoset::Envelope& envelope, shoset::Content content, Now now);
    void tellAggregators(shoset::Link& link, Now now);
    void tellRoutes(shoset::Link& link, const std::vector<shoset::Route>& told, Now now);
    void advertise(const shoset::RouteTable::Changed& changed, Now now);
    void dropOlderLinks(shoset::LinkId newest, Now now);
    shoset::Link* linkOfEvents(const shoset::Address& peer) const;
    void adaptHeartbeats();
    shoset::Link* find(shoset::LinkId link);

    const shoset::LinkSelf self;
    shoset::FramePort& frames;
    MeshEvents& events;
    shoset::LinkCounters linkCount;
    std::map<shoset::LinkId, std::unique_ptr<shoset::Link>> links;
    std::map<shoset::LinkId, std::string> keys;  // of accepted ones
    shoset::RouteTable routes;
    std::set<shoset::Address> departed;  // nodes that said bye; as many as there can be
    shoset::Aggregators aggregators;  // as connectors are told; empty: nothing to tell yet
    MeshCounters count;
    HopNotes* notes = nullptr;
};

}  // namespace mesh::aggregator
