#include "connector/core/contacts.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <compare>
#include <utility>

namespace mesh::connector {

using nlohmann::json;
using shoset::AggregatorAddress;
using shoset::Aggregators;
using Addresses = std::vector<AggregatorAddress>;

namespace {

bool isAmong(const Addresses& list, const AggregatorAddress& address)
{
    return std::find(list.begin(), list.end(), address) != list.end();
}

json toJson(const Addresses& list)
{
    json out = json::array();
    for (const AggregatorAddress& entry : list) {
        out.push_back({{"name", entry.name}, {"endpoint", entry.endpoint}, {"key", entry.key}});
    }
    return out;
}

// nullptr for what is missing.
const json* member(const json& object, const char* name)
{
    const auto found = object.find(name);
    return found == object.end() ? nullptr : &*found;
}

bool takeText(const json& object, const char* name, std::string& out)
{
    const json* value = member(object, name);
    if (value == nullptr || !value->is_string()) {
        return false;
    }
    out = value->get<std::string>();
    return true;
}

bool takeNumber(const json& object, const char* name, std::uint64_t& out)
{
    const json* value = member(object, name);
    if (value == nullptr || !value->is_number_unsigned()) {
        return false;
    }
    out = value->get<std::uint64_t>();
    return true;
}

bool takeList(const json& object, const char* name, Addresses& out)
{
    const json* list = member(object, name);
    if (list == nullptr || !list->is_array()) {
        return false;
    }
    for (const json& item : *list) {
        AggregatorAddress entry;
        if (!item.is_object() || !takeText(item, "name", entry.name) || !takeText(item, "endpoint", entry.endpoint) ||
            !takeText(item, "key", entry.key)) {
            return false;
        }
        out.push_back(std::move(entry));
    }
    return true;
}

}  // namespace

Contacts::Contacts(Addresses fromFile) : configured(std::move(fromFile)) {}

Result<void> Contacts::load(std::string_view content)
{
    if (content.empty()) {
        return {};
    }
    const json document = json::parse(content, nullptr, false);
    Aggregators list;
    Addresses left;
    if (!document.is_object() || !takeNumber(document, "generation", list.generation) ||
        !takeNumber(document, "revision", list.revision) || !takeList(document, "aggregators", list.list) ||
        !takeList(document, "forgotten", left)) {
        return Error{Code::corrupt, "not a list of aggregators"};
    }
    if (const Result<void> checked = shoset::checkAggregators(list.list); !checked) {
        return Error{Code::corrupt, checked.error().message};
    }
    told = std::move(list);
    forgotten = std::move(left);
    return {};
}

std::string Contacts::content() const
{
    const json document{{"generation", told.generation},
                        {"revision", told.revision},
                        {"aggregators", toJson(told.list)},
                        {"forgotten", toJson(forgotten)}};
    return document.dump(1, ' ', true, json::error_handler_t::replace) + "\n";
}

Contacts::Taken Contacts::take(const Aggregators& list)
{
    if (!shoset::checkAggregators(list.list)) {
        return Taken::malformed;
    }
    if (hasList()) {
        const auto mine = std::pair(told.generation, told.revision);
        const auto theirs = std::pair(list.generation, list.revision);
        if (theirs <= mine) {
            return theirs < mine ? Taken::older : Taken::known;
        }
    }
    told = list;
    forgotten.clear();
    for (const AggregatorAddress& entry : configured) {
        const bool isMember = std::any_of(told.list.begin(), told.list.end(), [&entry](const AggregatorAddress& other) {
            return other.key == entry.key;
        });
        if (!isMember) {
            forgotten.push_back(entry);
        }
    }
    return Taken::newer;
}

bool Contacts::isListed(const AggregatorAddress& address) const
{
    return isAmong(told.list, address);
}

Addresses Contacts::toDial(bool reserve) const
{
    Addresses out = told.list;
    if (hasList() && !reserve) {
        return out;
    }
    for (const AggregatorAddress& entry : configured) {
        if (!isAmong(out, entry) && !isAmong(forgotten, entry)) {
            out.push_back(entry);
        }
    }
    return out;
}

}  // namespace mesh::connector
