#include "tests/simulation/event_checkers.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

namespace mesh::simulation {

using aggregator::EventPlace;
using shoset::Address;

namespace {

constexpr std::string_view payloadBegin = R"({"by":")";
constexpr std::string_view payloadMiddle = R"(","n":)";

// Whose it is, and which one.
std::optional<std::pair<Address, std::uint64_t>> readPayload(std::string_view payload)
{
    const std::size_t middle = payload.find(payloadMiddle);
    if (!payload.starts_with(payloadBegin) || middle == std::string_view::npos) {
        return std::nullopt;
    }
    std::uint64_t number = 0;
    const char* const digits = payload.data() + middle + payloadMiddle.size();
    std::from_chars(digits, payload.data() + payload.size(), number);
    return std::pair(Address(payload.substr(payloadBegin.size(), middle - payloadBegin.size())), number);
}

std::string placeText(EventPlace place)
{
    return std::to_string(place.epoch) + ":" + std::to_string(place.sequence);
}

// The mesh's own events and those of BMCs are nobody's here.
bool isOfWorker(const history::EventRecord& record)
{
    return record.topic.starts_with("sensor.");
}

}  // namespace

std::string eventPayload(const Address& source, std::uint64_t number)
{
    return std::string(payloadBegin) + source + std::string(payloadMiddle) + std::to_string(number) + "}";
}

void EventCheckers::emitted(const Address& source, std::uint64_t number)
{
    emittedBy[source].insert(number);
}

void EventCheckers::accepted(const Address& source, std::uint64_t number, bool onDisk)
{
    world.trace("accepted " + source + " " + std::to_string(number));
    if (!onDisk) {
        world.fail("event " + std::to_string(number) + " of " + source + " is accepted, and not on its disk");
    }
    if (!acceptedOf[source].insert(number).second) {
        world.fail(source + " was told twice that event " + std::to_string(number) + " is accepted");
    }
    ++acceptedCount;
}

void EventCheckers::refused(const Address& source, std::uint64_t number, const std::string& code)
{
    if (acceptedOf[source].contains(number) || (code != "outbox_full" && code != "write_budget" && code != "too_many")) {
        world.fail("event " + std::to_string(number) + " of " + source + " is refused: " + code);
    }
    emittedBy[source].erase(number);
    ++refusedCount;
}

void EventCheckers::acknowledged(const std::string& node, const SimEventStore& its, const Address& source, EventPlace place)
{
    if (its.head(source) < place) {
        world.fail(node + " says that it has " + source + " up to " + placeText(place) + ", and has it up to " +
                   placeText(its.head(source)));
    }
}

void EventCheckers::trimmed(const Address& source, std::uint64_t epoch, std::uint64_t below)
{
    std::uint64_t& checked = trimmedBelow[source].try_emplace(epoch, 1).first->second;
    for (; checked < below; ++checked) {
        const auto has = [&](const SimEventStore* store) {
            const auto rows = store->content().find(source);
            return rows != store->content().end() && rows->second.contains({epoch, checked});
        };
        const auto copies = std::count_if(stores.begin(), stores.end(), has);
        if (static_cast<std::size_t>(copies) < stores.size() / 2 + 1) {
            world.fail(source + " has trimmed event " + placeText({epoch, checked}) + ", which is on " + std::to_string(copies) + " disks");
        }
    }
}

void EventCheckers::holds(const Address& source, std::size_t bytes, std::size_t most)
{
    if (bytes > most) {
        world.fail("the outbox of " + source + " has " + std::to_string(bytes) + " bytes, more than " + std::to_string(most));
    }
}

void EventCheckers::delivered(const Address& listener, const Address& source, EventPlace place, const std::string& payload)
{
    const auto said = readPayload(payload);
    const auto what = [&] { return "event " + placeText(place) + " of " + source + " for " + listener + " " + payload; };
    world.trace("hears " + listener + " " + source + " " + placeText(place));
    if (!said || !emittedBy[said->first].contains(said->second)) {
        world.fail(what() + ": nobody has emitted it");
        return;
    }
    const auto& [by, number] = *said;
    if (shoset::tenantOf(by) != shoset::tenantOf(listener)) {
        world.fail(what() + ": it is another tenant's");
    } else if (by == listener) {
        world.fail(what() + ": it is back at its origin");
    } else if (by != source) {
        world.fail(what() + ": it bears another's name");
    }
    Heard& before = heard[listener][source];
    if (!before.numbers.insert(number).second) {
        world.fail(what() + ": it has heard it before");
    } else if (number < before.number || place <= before.place) {
        world.fail(what() + ": it comes behind " + std::to_string(before.number) + " at " + placeText(before.place));
    }
    before.number = number;
    before.place = place;
    ++deliveredCount;
}

void EventCheckers::lost(const Address& listener, const Address& source)
{
    world.fail(listener + " is told that events of " + source + " are lost");
}

void EventCheckers::outstanding(const Address& listener, std::uint64_t events, std::uint64_t most)
{
    if (events > most) {
        world.fail(listener + " has not taken " + std::to_string(events) + " events, more than " + std::to_string(most));
    }
}

void EventCheckers::finish()
{
    for (const SimEventStore* store : stores) {
        checkStore(*store);
    }
    checkListeners();
}

void EventCheckers::checkStore(const SimEventStore& store)
{
    std::map<Address, std::set<std::uint64_t>> there;
    for (const auto& [source, rows] : store.content()) {
        EventPlace last;
        std::uint64_t lastNumber = 0;
        for (const auto& [place, record] : rows) {
            const std::uint64_t next = place.epoch == last.epoch ? last.sequence + 1 : 1;
            if (place.sequence != next || (record.lostTo != 0 && !shoset::nameOf(source).starts_with('@'))) {
                world.fail("a disk has " + placeText(place) + " of " + source + " behind " + placeText(last) +
                           (record.lostTo != 0 ? ", as lost" : ""));
            }
            last = aggregator::placeBehind(record);
            if (!isOfWorker(record)) {
                continue;
            }
            const auto said = readPayload(record.payload);
            if (!said || said->first != source || said->second <= lastNumber) {
                world.fail("a disk has " + record.payload + " at " + placeText(place) + " of " + source);
            } else {
                lastNumber = said->second;
                there[source].insert(said->second);
            }
        }
    }
    for (const auto& [source, numbers] : acceptedOf) {
        for (const std::uint64_t number : numbers) {
            if (!there[source].contains(number)) {
                world.fail("event " + std::to_string(number) + " of " + source + " was accepted, and is not on every disk");
                return;
            }
        }
    }
}

void EventCheckers::checkListeners()
{
    for (auto& [listener, sources] : heard) {
        for (const auto& [source, numbers] : acceptedOf) {
            if (source == listener || shoset::tenantOf(source) != shoset::tenantOf(listener)) {
                continue;
            }
            const std::set<std::uint64_t>& had = sources[source].numbers;
            const auto missing = std::find_if(numbers.begin(), numbers.end(), [&had](std::uint64_t number) { return !had.contains(number); });
            if (missing != numbers.end()) {
                world.fail(listener + " has never heard event " + std::to_string(*missing) + " of " + source);
            }
        }
    }
}

}  // namespace mesh::simulation
