#include "shoset/core/message.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <tuple>

namespace mesh::shoset {

namespace {

constexpr std::size_t schemaDigestBytes = 32;

bool isHostCharacter(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
}

bool isHost(std::string_view host)
{
    const auto inBrackets = [](char c) { return isHostCharacter(c) || c == ':' || c == '%'; };
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        return std::all_of(host.begin() + 1, host.end() - 1, inBrackets);
    }
    return !host.empty() && std::all_of(host.begin(), host.end(), isHostCharacter);
}

}  // namespace

std::string_view tenantOf(std::string_view address)
{
    const std::size_t slash = address.find('/');
    return slash == std::string_view::npos ? std::string_view{} : address.substr(0, slash);
}

std::string_view nameOf(std::string_view address)
{
    const std::size_t slash = address.find('/');
    return slash == std::string_view::npos ? address : address.substr(slash + 1);
}

bool isConnector(std::string_view address)
{
    return address.find('/') != std::string_view::npos;
}

Address connectorAddress(std::string_view tenant, std::string_view name)
{
    return std::string(tenant) + "/" + std::string(name);
}

const char* kindName(Kind kind)
{
    switch (kind) {
        case Kind::hello: return "hello";
        case Kind::helloAck: return "hello_ack";
        case Kind::heartbeat: return "heartbeat";
        case Kind::heartbeatEcho: return "heartbeat_echo";
        case Kind::bye: return "bye";
        case Kind::command: return "command";
        case Kind::reply: return "reply";
        case Kind::chunk: return "chunk";
        case Kind::credit: return "credit";
        case Kind::cancel: return "cancel";
        case Kind::announce: return "announce";
        case Kind::routes: return "routes";
        case Kind::aggregators: return "aggregators";
        case Kind::enrol: return "enrol";
        case Kind::enrolled: return "enrolled";
        case Kind::keyStatus: return "key_status";
        case Kind::keyOffer: return "key_offer";
        case Kind::offers: return "offers";
        case Kind::event: return "event";
        case Kind::eventsStored: return "events_stored";
        case Kind::subscribe: return "subscribe";
        case Kind::eventsTaken: return "events_taken";
        case Kind::eventsWanted: return "events_wanted";
        case Kind::configure: return "configure";
        case Kind::configured: return "configured";
    }
    return "unknown";
}

// The variant's order is the order of the kinds, so that the two cannot drift apart unseen.
Content::Content() = default;
Content::Content(const Content& other) = default;
Content::Content(Content&& other) noexcept = default;
Content& Content::operator=(const Content& other) = default;
Content& Content::operator=(Content&& other) noexcept = default;
Content::~Content() = default;

Kind kindOf(const Content& content)
{
    static_assert(std::variant_size_v<Contents> == lastKind + 1);
    static_assert(std::is_same_v<std::variant_alternative_t<static_cast<std::size_t>(Kind::command), Contents>, Command>);
    static_assert(std::is_same_v<std::variant_alternative_t<static_cast<std::size_t>(Kind::offers), Contents>, Offers>);
    static_assert(std::is_same_v<std::variant_alternative_t<static_cast<std::size_t>(Kind::eventsWanted), Contents>, EventsWanted>);
    static_assert(std::is_same_v<std::variant_alternative_t<static_cast<std::size_t>(Kind::configured), Contents>, Configured>);
    return static_cast<Kind>(content.index());
}

bool isTcpEndpoint(std::string_view endpoint)
{
    constexpr std::string_view scheme = "tcp://";
    const std::size_t colon = endpoint.rfind(':');
    if (endpoint.size() > limits::maxEndpointBytes || !endpoint.starts_with(scheme) || colon < scheme.size()) {
        return false;
    }
    const std::string_view port = endpoint.substr(colon + 1);
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    return isHost(endpoint.substr(scheme.size(), colon - scheme.size())) && error == std::errc{} &&
           end == port.data() + port.size() && number != 0;
}

Result<void> checkAggregators(const std::vector<AggregatorAddress>& list)
{
    if (list.empty() || list.size() > limits::maxAggregators) {
        return Error{Code::invalidArgument, "expected 1 to " + std::to_string(limits::maxAggregators) + " aggregators"};
    }
    std::set<std::string_view> names;
    std::set<std::string_view> keys;
    for (const AggregatorAddress& entry : list) {
        if (!isValidName(entry.name)) {
            return Error{Code::invalidArgument, "an aggregator's name that is none"};
        }
        if (!isTcpEndpoint(entry.endpoint)) {
            return Error{Code::invalidArgument, "expected 'tcp://HOST:PORT' as the endpoint of " + entry.name};
        }
        if (!isPublicKey(entry.key)) {
            return Error{Code::invalidArgument, "expected a public key of 40 characters (Z85) as the key of " + entry.name};
        }
        if (!names.insert(entry.name).second || !keys.insert(entry.key).second) {
            return Error{Code::invalidArgument, entry.name + " or its key stands there twice"};
        }
    }
    return {};
}

Result<void> checkOffers(const std::vector<Offer>& offers)
{
    std::set<std::tuple<std::string_view, std::uint32_t, std::uint32_t>> versions;
    std::size_t commands = 0;
    for (const Offer& offer : offers) {
        if (!isValidName(offer.type) || offer.major == 0) {
            return Error{Code::invalidArgument, "expected a connector type's name and a version from 1.0"};
        }
        if (!versions.emplace(offer.type, offer.major, offer.minor).second) {
            return Error{Code::invalidArgument, offer.type + " is offered twice in one version"};
        }
        std::set<std::string_view> names;
        for (const OfferedCommand& command : offer.commands) {
            if (!isValidName(command.name) || (!command.schema.empty() && command.schema.size() != schemaDigestBytes)) {
                return Error{Code::invalidArgument, "a command of " + offer.type + " whose name or schema is none"};
            }
            if (!names.insert(command.name).second) {
                return Error{Code::invalidArgument, command.name + " is offered twice by " + offer.type};
            }
        }
        commands += offer.commands.size();
    }
    if (offers.size() > limits::maxOffers || commands > limits::maxOfferedCommands) {
        return Error{Code::tooLarge, "expected at most " + std::to_string(limits::maxOffers) + " types and versions and " +
                                         std::to_string(limits::maxOfferedCommands) + " commands"};
    }
    return {};
}

namespace {

bool isTopicLetter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

bool isTopic(std::string_view topic)
{
    return !topic.empty() && topic.size() <= limits::maxTopicBytes && isTopicLetter(topic.front()) &&
           std::all_of(topic.begin(), topic.end(), [](char c) { return isTopicLetter(c) || c == '.' || c == '_' || c == '-'; });
}

bool isCredibleEpoch(std::uint64_t epoch, WallTime now, std::uint64_t times)
{
    return epoch <= static_cast<std::uint64_t>(std::max<std::int64_t>(toMillis(now), 0)) + times * limits::maxEpochAhead;
}

bool isTopicPattern(std::string_view pattern)
{
    return pattern == "*" || isTopic(pattern.ends_with('*') ? pattern.substr(0, pattern.size() - 1) : pattern);
}

bool topicMatches(std::string_view pattern, std::string_view topic)
{
    return pattern.ends_with('*') ? topic.starts_with(pattern.substr(0, pattern.size() - 1)) : topic == pattern;
}

}  // namespace mesh::shoset
