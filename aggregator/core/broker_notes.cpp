// What the broker notes of where its messages have been.
#include "aggregator/core/broker_request.hpp"

#include <utility>

namespace mesh::aggregator {

void Broker::note(const Request& request, HopEntry entry, Now now)
{
    if (notes != nullptr) {
        entry.id = request.id;
        entry.about = request.about;
        notes->add(request.asker != nullptr ? HopRing::messages : HopRing::requests, shoset::tenantOf(request.connector), entry, now);
    }
}

void Broker::noteSent(const Request& request, Now now)
{
    const HopFate fate = request.attempts > 1 ? HopFate::sentAgain : HopFate::sent;
    note(request, {.fate = fate, .from = mesh.name(), .to = request.connector, .over = mesh.peerOf(*request.link)}, now);
}

// Of the many that tell how far it is, the first.
void Broker::noteReply(Request& request, const shoset::Address& from, const shoset::Reply& reply, Instant sent, Now now)
{
    const bool onGoing = reply.state == shoset::ReplyState::onGoing;
    if (onGoing && std::exchange(request.toldOnGoing, true)) {
        return;
    }
    const HopFate fate = onGoing ? HopFate::onGoing : reply.state == shoset::ReplyState::success ? HopFate::succeeded : HopFate::failed;
    const WallTime left = sent == Instant::min() ? WallTime{} : now.wall - (now.mono - sent);
    note(request, {.kind = shoset::Kind::reply, .fate = fate, .code = reply.code, .from = from, .to = mesh.name(), .left = left}, now);
}

// A reply to nothing that is in flight, or from somebody who was not asked: it stands in the notes of who sent it.
void Broker::noteStray(const shoset::Address& from, const MessageId& id, Now now)
{
    const bool foreign = requests.contains(id);
    if (notes != nullptr) {
        notes->add(HopRing::requests, shoset::tenantOf(from),
                   {shoset::Kind::reply, foreign ? HopFate::refused : HopFate::duplicate, foreign ? Code::permissionDenied : Code::ok, id, {}, from,
                    mesh.name()},
                   now);
    }
}

}  // namespace mesh::aggregator
