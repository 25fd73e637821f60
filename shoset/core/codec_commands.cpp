// The codec of commands, replies and what workers offer.
#include "shoset/core/codec_parts.hpp"

#include "shoset/base/limits.hpp"

#include "proto/mesh.pb.h"

#include <iterator>

namespace mesh::shoset {

namespace {

using HttpHeaders = google::protobuf::RepeatedPtrField<wire::HttpHeader>;

void putHeaders(const Headers& from, HttpHeaders& to)
{
    for (const Header& header : from) {
        wire::HttpHeader* out = to.Add();
        out->set_name(header.name);
        out->set_value(header.value);
    }
}

Headers takeHeaders(HttpHeaders& from)
{
    Headers out;
    out.reserve(static_cast<std::size_t>(from.size()));
    for (wire::HttpHeader& header : from) {
        out.push_back({std::move(*header.mutable_name()), std::move(*header.mutable_value())});
    }
    return out;
}

}  // namespace

Result<Code> codeFrom(std::uint32_t value)
{
    if (value > static_cast<std::uint32_t>(Code::unsupported)) {
        return Error{Code::corrupt, "an unknown error code"};
    }
    return static_cast<Code>(value);
}

void put(wire::Header& to, const Command& from)
{
    wire::Command& out = *to.mutable_command();
    out.set_name(from.name);
    out.set_user(from.user);
    out.set_prefix(from.prefix);
    out.set_method(from.http.method);
    out.set_target(from.http.target);
    putHeaders(from.http.headers, *out.mutable_headers());
    out.set_body_length(from.bodyLength);
    out.mutable_hosts()->Add(from.hosts.begin(), from.hosts.end());
    if (from.fence.isSet()) {
        out.mutable_fence()->set_generation(from.fence.generation);
        out.mutable_fence()->set_term(from.fence.term);
    }
    out.set_assignment(from.assignment);
    out.set_type(from.type);
    out.set_major(from.major);
    out.set_minor(from.minor);
    if (from.to != Target{}) {
        out.mutable_to()->set_name(from.to.name);
        out.mutable_to()->set_type(from.to.type);
        out.mutable_to()->set_all(from.to.all);
    }
    out.set_incarnation(from.incarnation);
}

Result<Command> takeCommand(wire::Command& from)
{
    if (from.body_length() < -1) {
        return Error{Code::corrupt, "a body length of " + std::to_string(from.body_length())};
    }
    Command out;
    out.name = std::move(*from.mutable_name());
    out.user = std::move(*from.mutable_user());
    out.prefix = std::move(*from.mutable_prefix());
    out.http = {std::move(*from.mutable_method()), std::move(*from.mutable_target()),
                takeHeaders(*from.mutable_headers())};
    out.bodyLength = from.body_length();
    auto& hosts = *from.mutable_hosts();
    out.hosts.assign(std::make_move_iterator(hosts.begin()), std::make_move_iterator(hosts.end()));
    out.fence = {from.fence().generation(), from.fence().term()};
    out.assignment = from.assignment();
    out.type = std::move(*from.mutable_type());
    out.major = from.major();
    out.minor = from.minor();
    if (from.has_to()) {
        out.to = {from.to().name(), from.to().type(), from.to().all()};
    }
    out.incarnation = from.incarnation();
    return out;
}

void put(wire::Header& to, const Reply& from)
{
    wire::Reply& out = *to.mutable_reply();
    out.set_state(static_cast<std::uint32_t>(from.state));
    out.set_code(static_cast<std::uint32_t>(from.code));
    out.set_message(from.message);
    out.set_status(static_cast<std::uint32_t>(from.http.status));
    out.set_undisturbed(from.undisturbed);
    putHeaders(from.http.headers, *out.mutable_headers());
    out.set_progress(from.progress);
    out.set_failure(from.failure);
}

Result<Reply> takeReply(wire::Reply& from)
{
    const Result<Code> code = codeFrom(from.code());
    if (!code) {
        return code.error();
    }
    if (from.state() < 1 || from.state() > 3) {
        return Error{Code::corrupt, "an unknown reply state"};
    }
    const auto state = static_cast<ReplyState>(from.state());
    const bool lacksStatus = from.status() == 0 && state != ReplyState::success;
    if (!lacksStatus && (from.status() < 100 || from.status() > 599)) {
        return Error{Code::corrupt, "an HTTP status of " + std::to_string(from.status())};
    }
    if (from.progress() > 100) {
        return Error{Code::corrupt, "a progress of " + std::to_string(from.progress()) + " percent"};
    }
    if (from.failure().size() > limits::maxFailureCodeBytes) {
        return Error{Code::corrupt, "a worker's code of " + std::to_string(from.failure().size()) + " bytes"};
    }
    return Reply{state,
                 *code,
                 std::move(*from.mutable_message()),
                 ResponseHead{static_cast<int>(from.status()), takeHeaders(*from.mutable_headers())},
                 from.undisturbed(),
                 from.progress(),
                 std::move(*from.mutable_failure())};
}

void put(wire::Header& to, const Offers& from)
{
    wire::Offers& out = *to.mutable_offers();
    out.set_incarnation(from.incarnation);
    out.set_sequence(from.sequence);
    for (const Offer& offer : from.offers) {
        wire::Offer* item = out.add_offers();
        item->set_type(offer.type);
        item->set_major(offer.major);
        item->set_minor(offer.minor);
        for (const OfferedCommand& command : offer.commands) {
            wire::OfferedCommand* entry = item->add_commands();
            entry->set_name(command.name);
            entry->set_schema(command.schema);
        }
    }
}

Result<Offers> takeOffers(wire::Offers& from)
{
    Offers out{from.incarnation(), from.sequence(), {}};
    for (wire::Offer& item : *from.mutable_offers()) {
        Offer offer{std::move(*item.mutable_type()), item.major(), item.minor(), {}};
        for (wire::OfferedCommand& command : *item.mutable_commands()) {
            offer.commands.push_back({std::move(*command.mutable_name()), std::move(*command.mutable_schema())});
        }
        out.offers.push_back(std::move(offer));
    }
    if (const Result<void> checked = checkOffers(out.offers); !checked) {
        return Error{Code::corrupt, checked.error().message};
    }
    return out;
}

}  // namespace mesh::shoset
