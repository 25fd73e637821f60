#include "aggregator/core/hop_notes.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

namespace mesh::aggregator {

namespace {

constexpr std::array<std::size_t, 3> hopRingSizes{limits::hopNotesOfMessages, limits::hopNotesOfRequests, limits::hopNotesOfEvents};

std::optional<std::uint64_t> placeNumber(std::string_view text)
{
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && number > 0 ? std::optional(number) : std::nullopt;
}

EventPlace placeOfId(const MessageId& id)
{
    EventPlace place;
    for (std::size_t i = 0; i < MessageId::size; ++i) {
        std::uint64_t& half = i < MessageId::size / 2 ? place.epoch : place.sequence;
        half = half << 8 | static_cast<unsigned char>(id.bytes()[i]);
    }
    return place;
}

bool isConfiguration(shoset::Kind kind)
{
    return kind == shoset::Kind::configure || kind == shoset::Kind::configured;
}

bool isOfMessage(shoset::Kind kind)
{
    return kind == shoset::Kind::command || kind == shoset::Kind::reply;
}

}  // namespace

const char* fateName(HopFate fate)
{
    switch (fate) {
        case HopFate::recorded: return "recorded";
        case HopFate::taken: return "taken";
        case HopFate::sent: return "sent";
        case HopFate::sentAgain: return "sent again";
        case HopFate::forwarded: return "forwarded";
        case HopFate::delivered: return "delivered";
        case HopFate::onGoing: return "ON_GOING";
        case HopFate::succeeded: return "SUCCESS";
        case HopFate::failed: return "FAIL";
        case HopFate::duplicate: return "duplicate";
        case HopFate::refused: return "refused";
        case HopFate::ended: return "ended";
        case HopFate::stored: return "stored";
    }
    return "?";
}

MessageId idOfPlace(std::uint64_t high, std::uint64_t low)
{
    std::array<char, MessageId::size> raw{};
    for (std::size_t i = 0; i < raw.size(); ++i) {
        const std::size_t shift = 8 * (7 - i % 8);
        raw[i] = static_cast<char>((i < 8 ? high : low) >> shift & 0xff);
    }
    return *MessageId::fromBytes({raw.data(), raw.size()});
}

std::string eventId(std::string_view tenant, std::string_view connector, EventPlace place)
{
    return std::string(tenant) + ":" + std::string(connector) + ":" + std::to_string(place.epoch) + ":" + std::to_string(place.sequence);
}

std::optional<TraceKey> readTraceKey(std::string_view text)
{
    if (const Result<MessageId> id = MessageId::fromHex(text)) {
        return id->isNil() ? std::nullopt : std::optional(TraceKey{{*id}, {}, {}, 0});
    }
    std::vector<std::string_view> parts;
    for (std::size_t at = 0; at <= text.size() && parts.size() <= 4;) {
        const std::size_t colon = std::min(text.find(':', at), text.size());
        parts.push_back(text.substr(at, colon - at));
        at = colon + 1;
    }
    if ((parts.size() != 3 && parts.size() != 4) || !isValidName(parts[0]) ||
        !isValidName(parts[1].substr(parts[1].starts_with('@') ? 1 : 0))) {
        return std::nullopt;
    }
    TraceKey key;
    key.connector = shoset::connectorAddress(parts[0], parts[1]);
    if (parts.size() == 3) {
        const auto version = parts[2].starts_with('v') ? placeNumber(parts[2].substr(1)) : std::nullopt;
        key.version = version.value_or(0);
        return version ? std::optional(key) : std::nullopt;
    }
    const auto epoch = placeNumber(parts[2]);
    const auto sequence = placeNumber(parts[3]);
    key.event = {epoch.value_or(0), sequence.value_or(0)};
    return epoch && sequence ? std::optional(key) : std::nullopt;
}

HopNotes::NameIndex HopNotes::indexOf(std::string_view name)
{
    if (name.empty()) {
        return 0;
    }
    if (const auto known = indices.find(name); known != indices.end()) {
        return known->second;
    }
    const auto index = static_cast<NameIndex>(names.size());
    names.emplace_back(name);
    indices.emplace(names.back(), index);
    return index;
}

HopNotes::OfTenant& HopNotes::ofTenant(std::string_view tenant)
{
    if (const auto known = tenants.find(tenant); known != tenants.end()) {
        return known->second;
    }
    if (tenants.size() >= limits::maxHopTenants) {
        ++forgottenTenants;
        tenants.erase(std::min_element(tenants.begin(), tenants.end(),
                                       [](const auto& a, const auto& b) { return a.second.newest < b.second.newest; }));
    }
    return tenants[std::string(tenant)];
}

void HopNotes::add(HopRing which, std::string_view tenant, const HopEntry& entry, Now now)
{
    if (tenant.empty()) {
        return;
    }
    if (names.size() + 3 > limits::maxHopNames) {  // an index must not come to mean another name
        ++forgottenAll;
        tenants.clear();
        indices.clear();
        names.resize(1);
    }
    const auto kind = static_cast<std::size_t>(which);
    OfTenant& notes = ofTenant(tenant);
    notes.newest = now.wall;
    Ring& ring = notes.rings[kind];
    if (ring.notes.capacity() == 0) {
        ring.notes.reserve(hopRingSizes[kind]);
    }
    const Note note{entry.id,           entry.about,         now.wall,   entry.left, indexOf(entry.from), indexOf(entry.to),
                    indexOf(entry.over), entry.kind, entry.fate, entry.code};
    ++noted;
    if (ring.notes.size() < hopRingSizes[kind]) {
        ring.notes.push_back(note);
    } else {
        ++overwritten;
        ring.notes[ring.next] = note;
    }
    ring.next = (ring.next + 1) % hopRingSizes[kind];
}

bool HopNotes::matches(const Note& note, const TraceKey& key, NameIndex connector)
{
    if (key.isOfMessages()) {
        return isOfMessage(note.kind) && std::find(key.ids.begin(), key.ids.end(), note.id) != key.ids.end();
    }
    if (key.version != 0) {
        return isConfiguration(note.kind) && (note.from == connector || note.to == connector) && placeOfId(note.id).sequence == key.version;
    }
    return note.kind == shoset::Kind::event && note.from == connector && placeOfId(note.id) <= key.event && key.event <= placeOfId(note.about);
}

// Until no more are found: a command that a connector asks for has one id there and one here, and one to all has one for each.
void HopNotes::addRelated(const OfTenant& notes, const TraceKey& key, FoundHops& found) const
{
    std::set<MessageId> known(key.ids.begin(), key.ids.end());
    for (std::size_t before = 0; before != known.size();) {
        before = known.size();
        for (const Ring& ring : notes.rings) {
            for (const Note& note : ring.notes) {
                const bool related = isOfMessage(note.kind) && known.contains(note.about) && !known.contains(note.id);
                if (related && known.size() >= limits::maxTracedIds) {
                    found.more = true;
                } else if (related) {
                    known.insert(note.id);
                    found.others.push_back(note.id);
                }
            }
        }
    }
}

void HopNotes::collect(const std::string& tenant, const OfTenant& notes, const TraceKey& key, FoundHops& found) const
{
    const auto known = indices.find(key.connector);
    const NameIndex connector = known == indices.end() ? 0 : known->second;
    if (!key.isOfMessages() && connector == 0) {
        return;
    }
    for (const Ring& ring : notes.rings) {
        for (std::size_t i = 0; i < ring.notes.size(); ++i) {
            const Note& note = ring.notes[(ring.next + i) % ring.notes.size()];
            if (matches(note, key, connector)) {
                found.hops.push_back({tenant, note.kind, note.fate, note.code, note.id, names[note.from], names[note.to], names[note.over],
                                      note.at, note.left});
            }
        }
    }
}

FoundHops HopNotes::find(const TraceKey& key, std::string_view tenant) const
{
    FoundHops found;
    for (const auto& [name, notes] : tenants) {
        if (!tenant.empty() && name != tenant) {
            continue;
        }
        TraceKey wider = key;
        if (key.isOfMessages()) {
            const std::size_t before = found.others.size();
            addRelated(notes, key, found);
            wider.ids.insert(wider.ids.end(), found.others.begin() + static_cast<std::ptrdiff_t>(before), found.others.end());
        }
        collect(name, notes, wider, found);
    }
    std::stable_sort(found.hops.begin(), found.hops.end(), [](const Hop& a, const Hop& b) { return a.at < b.at; });
    if (found.hops.size() > limits::maxTracedHops) {
        found.more = true;
        found.hops.resize(limits::maxTracedHops);
    }
    return found;
}

void HopNotes::addMetrics(std::vector<Counter>& out) const
{
    out.push_back({"bmcmesh_hop_notes_total", "Notes of where messages have been", noted, false});
    out.push_back({"bmcmesh_hop_notes_overwritten_total", "Those that newer ones have taken the place of", overwritten, false});
    out.push_back({"bmcmesh_hop_tenants_forgotten_total", "Tenants whose notes were given up, as too many had some", forgottenTenants, false});
    out.push_back({"bmcmesh_hop_names_forgotten_total", "Times that all notes were given up, as too many names stood in them", forgottenAll, false});
}

}  // namespace mesh::aggregator
