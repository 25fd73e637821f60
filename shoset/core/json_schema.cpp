#include "shoset/core/json_schema.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace mesh::shoset {

namespace {

using nlohmann::json;

enum JsonType : unsigned {
    typeNull = 1, typeBoolean = 2, typeInteger = 4, typeNumber = 8, typeString = 16, typeArray = 32, typeObject = 64
};
constexpr std::array<std::pair<const char*, unsigned>, 7> jsonTypes{{{"null", typeNull},
                                                                     {"boolean", typeBoolean},
                                                                     {"integer", typeInteger},
                                                                     {"number", typeNumber},
                                                                     {"string", typeString},
                                                                     {"array", typeArray},
                                                                     {"object", typeObject}}};
constexpr std::array jsonAnnotations{"$schema", "$id",     "$comment",  "title",   "description",
                                     "default", "examples", "deprecated", "readOnly", "writeOnly"};
constexpr std::size_t shownListBytes = 256;

// One (sub)schema; others are named by their place in the list.
struct SchemaRule {
    bool refusesAll = false;
    unsigned types = 0;                      // 0: any
    std::vector<std::vector<json>> choices;  // of enum and const: the value is in each
    std::size_t choicesCost = 0;
    std::map<std::string, std::size_t, std::less<>> properties;
    std::vector<std::string> required;
    std::optional<std::size_t> additional, items;
    std::optional<json> least, most, above, below;
    std::optional<std::uint64_t> leastProperties, mostProperties, leastItems, mostItems, leastLength, mostLength;
    std::vector<std::size_t> allOf, anyOf, oneOf;
};

template <class T>
struct SchemaKeyword {
    const char* name;
    T SchemaRule::*member;
};
constexpr std::array<SchemaKeyword<std::optional<std::uint64_t>>, 6> countKeywords{
    {{"minProperties", &SchemaRule::leastProperties},
     {"maxProperties", &SchemaRule::mostProperties},
     {"minItems", &SchemaRule::leastItems},
     {"maxItems", &SchemaRule::mostItems},
     {"minLength", &SchemaRule::leastLength},
     {"maxLength", &SchemaRule::mostLength}}};
constexpr std::array<SchemaKeyword<std::optional<json>>, 4> boundKeywords{{{"minimum", &SchemaRule::least},
                                                                          {"maximum", &SchemaRule::most},
                                                                          {"exclusiveMinimum", &SchemaRule::above},
                                                                          {"exclusiveMaximum", &SchemaRule::below}}};
constexpr std::array<SchemaKeyword<std::optional<std::size_t>>, 2> partKeywords{
    {{"additionalProperties", &SchemaRule::additional}, {"items", &SchemaRule::items}}};
constexpr std::array<SchemaKeyword<std::vector<std::size_t>>, 3> partsKeywords{
    {{"allOf", &SchemaRule::allOf}, {"anyOf", &SchemaRule::anyOf}, {"oneOf", &SchemaRule::oneOf}}};

// What the keyword of that name is kept in, or nullptr.
template <class T, std::size_t count>
T* memberFor(const std::array<SchemaKeyword<T>, count>& keywords, SchemaRule& rule, const std::string& name)
{
    const auto found = std::find_if(keywords.begin(), keywords.end(), [&](const auto& each) { return each.name == name; });
    return found == keywords.end() ? nullptr : &(rule.*(found->member));
}

bool isWhole(const json& value)
{
    if (!value.is_number_float()) {
        return value.is_number_integer();
    }
    const double number = value.get<double>();
    return number >= -9007199254740992.0 && number <= 9007199254740992.0 &&
           static_cast<double>(static_cast<std::int64_t>(number)) == number;
}

unsigned typesOf(const json& value)
{
    switch (value.type()) {
    case json::value_t::null: return typeNull;
    case json::value_t::boolean: return typeBoolean;
    case json::value_t::string: return typeString;
    case json::value_t::array: return typeArray;
    case json::value_t::object: return typeObject;
    default: return typeNumber | (isWhole(value) ? typeInteger : 0U);
    }
}

std::string typeNames(unsigned types)
{
    std::string names;
    for (const auto& [name, bit] : jsonTypes) {
        if ((types & bit) != 0) {
            names += (names.empty() ? "" : " or ") + std::string(name);
        }
    }
    return names;
}

// nlohmann's own comparison takes a large unsigned number for a negative one.
bool lessThan(const json& a, const json& b)
{
    if (a.is_number_float() || b.is_number_float()) {
        return a.get<double>() < b.get<double>();
    }
    const auto isHuge = [](const json& value) { return value.is_number_unsigned() && value.get<std::int64_t>() < 0; };
    if (isHuge(a) || isHuge(b)) {
        return isHuge(b) && (!isHuge(a) || a.get<std::uint64_t>() < b.get<std::uint64_t>());
    }
    return a.get<std::int64_t>() < b.get<std::int64_t>();
}

Result<json> parsed(std::string_view text, std::size_t maxBytes)
{
    if (Result<void> fits = checkJsonBounds(text, maxBytes, limits::maxPayloadDepth); !fits) {
        return fits.error();
    }
    json document = json::parse(text, nullptr, false);
    return document.is_discarded() ? Result<json>(notJson()) : Result<json>(std::move(document));
}

class SchemaCompiler : public JsonComplaint {
public:
    // The place of the rule in `rules`; nullopt: `problem` says why not.
    std::optional<std::size_t> compile(const json& schema, const JsonPlace& place, std::size_t depth);
    std::vector<SchemaRule> rules;

private:
    bool take(SchemaRule& rule, const std::string& name, const json& value, const JsonPlace& place, std::size_t depth);
    bool one(std::optional<std::size_t>& into, const json& value, const JsonPlace& place, std::size_t depth);
    bool several(std::vector<std::size_t>& into, const json& value, const JsonPlace& place, std::size_t depth);
    bool named(SchemaRule& rule, const json& value, const JsonPlace& place, std::size_t depth);
    bool count(std::optional<std::uint64_t>& into, const json& value, const JsonPlace& place);
    bool bound(std::optional<json>& into, const json& value, const JsonPlace& place);
    bool types(SchemaRule& rule, const json& value, const JsonPlace& place);
    bool required(SchemaRule& rule, const json& value, const JsonPlace& place);
    bool choice(SchemaRule& rule, const json& value, const JsonPlace& place);
};

std::optional<std::size_t> SchemaCompiler::compile(const json& schema, const JsonPlace& place, std::size_t depth)
{
    if (depth > limits::maxSchemaDepth || rules.size() >= limits::maxSchemaRules) {
        fail(place, "the schema is too deep or has too many parts");
        return std::nullopt;
    }
    const std::size_t own = rules.size();
    rules.emplace_back();
    if (schema.is_boolean()) {
        rules[own].refusesAll = !schema.get<bool>();
        return own;
    }
    if (!schema.is_object()) {
        fail(place, "expected a schema: an object, true or false");
        return std::nullopt;
    }
    SchemaRule rule;  // apart: compiling its parts moves the list
    for (const auto& [name, value] : schema.items()) {
        if (!take(rule, name, value, JsonPlace{&place, name, 0}, depth)) {
            return std::nullopt;
        }
    }
    rules[own] = std::move(rule);
    return own;
}

bool SchemaCompiler::take(SchemaRule& rule, const std::string& name, const json& value, const JsonPlace& place, std::size_t depth)
{
    if (auto* into = memberFor(countKeywords, rule, name)) {
        return count(*into, value, place);
    }
    if (auto* into = memberFor(boundKeywords, rule, name)) {
        return bound(*into, value, place);
    }
    if (auto* into = memberFor(partKeywords, rule, name)) {
        return one(*into, value, place, depth);
    }
    if (auto* into = memberFor(partsKeywords, rule, name)) {
        return several(*into, value, place, depth);
    }
    if (name == "type") {
        return types(rule, value, place);
    }
    if (name == "enum" || name == "const") {
        return choice(rule, name == "enum" ? value : json::array({value}), place);
    }
    if (name == "properties") {
        return named(rule, value, place, depth);
    }
    if (name == "required") {
        return required(rule, value, place);
    }
    return std::find(jsonAnnotations.begin(), jsonAnnotations.end(), name) != jsonAnnotations.end() ||
           fail(*place.parent, "the keyword '" + shownName(name) + "' is not checked here; leave it out");
}

bool SchemaCompiler::one(std::optional<std::size_t>& into, const json& value, const JsonPlace& place, std::size_t depth)
{
    into = compile(value, place, depth + 1);
    return into.has_value();
}

bool SchemaCompiler::several(std::vector<std::size_t>& into, const json& value, const JsonPlace& place, std::size_t depth)
{
    if (!value.is_array() || value.empty()) {
        return fail(place, "expected a list of schemas");
    }
    for (std::size_t index = 0; index < value.size(); ++index) {
        const std::optional<std::size_t> part = compile(value[index], JsonPlace{&place, {}, index}, depth + 1);
        if (!part) {
            return false;
        }
        into.push_back(*part);
    }
    return true;
}

bool SchemaCompiler::named(SchemaRule& rule, const json& value, const JsonPlace& place, std::size_t depth)
{
    if (!value.is_object()) {
        return fail(place, "expected an object of schemas");
    }
    for (const auto& [name, schema] : value.items()) {
        const std::optional<std::size_t> part = compile(schema, JsonPlace{&place, name, 0}, depth + 1);
        if (!part) {
            return false;
        }
        rule.properties.emplace(name, *part);
    }
    return true;
}

bool SchemaCompiler::count(std::optional<std::uint64_t>& into, const json& value, const JsonPlace& place)
{
    if (!isWhole(value) || lessThan(value, json(0))) {
        return fail(place, "expected a whole number, 0 or more");
    }
    into = value.get<std::uint64_t>();
    return true;
}

bool SchemaCompiler::bound(std::optional<json>& into, const json& value, const JsonPlace& place)
{
    into = value;
    return value.is_number() || fail(place, "expected a number");
}

bool SchemaCompiler::types(SchemaRule& rule, const json& value, const JsonPlace& place)
{
    const json list = value.is_array() ? value : json::array({value});
    for (const json& entry : list) {
        const auto known = std::find_if(jsonTypes.begin(), jsonTypes.end(), [&](const auto& type) {
            return entry.is_string() && entry.get_ref<const std::string&>() == type.first;
        });
        if (known == jsonTypes.end()) {
            return fail(place, "expected " + typeNames(~0U));
        }
        rule.types |= known->second;
    }
    return !list.empty() || fail(place, "expected " + typeNames(~0U));
}

bool SchemaCompiler::required(SchemaRule& rule, const json& value, const JsonPlace& place)
{
    const auto isText = [](const json& name) { return name.is_string(); };
    if (!value.is_array() || !std::all_of(value.begin(), value.end(), isText)) {
        return fail(place, "expected a list of names");
    }
    rule.required = value.get<std::vector<std::string>>();
    return true;
}

bool SchemaCompiler::choice(SchemaRule& rule, const json& value, const JsonPlace& place)
{
    if (!value.is_array() || value.empty()) {
        return fail(place, "expected a list of values");
    }
    rule.choices.emplace_back(value.begin(), value.end());
    rule.choicesCost += value.dump().size();
    return true;
}

class SchemaChecker : public JsonComplaint {
public:
    explicit SchemaChecker(const std::vector<SchemaRule>& compiled) : rules(compiled) {}
    bool check(std::size_t index, const json& value, const JsonPlace& place);
    bool isExhausted() const { return steps > limits::maxSchemaSteps; }

private:
    bool checkNumber(const SchemaRule& rule, const json& value, const JsonPlace& place);
    bool checkCount(const std::optional<std::uint64_t>& least, const std::optional<std::uint64_t>& most, std::size_t count,
                    const char* unit, const JsonPlace& place);
    bool checkItems(const SchemaRule& rule, const json& value, const JsonPlace& place);
    bool checkProperties(const SchemaRule& rule, const json& value, const JsonPlace& place);
    bool checkChoices(const SchemaRule& rule, const json& value, const JsonPlace& place);
    bool checkParts(const SchemaRule& rule, const json& value, const JsonPlace& place);
    std::size_t matching(const std::vector<std::size_t>& parts, std::size_t enough, const json& value, const JsonPlace& place);

    const std::vector<SchemaRule>& rules;
    std::size_t steps = 0;
};

// As deep as the schema at most, whatever the value: every call goes one schema down.
bool SchemaChecker::check(std::size_t index, const json& value, const JsonPlace& place)
{
    const SchemaRule& rule = rules[index];
    steps += 1 + rule.choicesCost / 16 + rule.required.size();
    if (isExhausted()) {
        return fail(place, "checking it takes too long");
    }
    if (rule.refusesAll) {
        return fail(place, "expected nothing here");
    }
    if (const unsigned is = typesOf(value); rule.types != 0 && (rule.types & is) == 0) {
        return fail(place, "expected " + typeNames(rule.types) + ", not " + typeNames(is & typeInteger ? typeInteger : is));
    }
    if (!checkChoices(rule, value, place)) {
        return false;
    }
    if (value.is_number() && !checkNumber(rule, value, place)) {
        return false;
    }
    if (value.is_string() && (rule.leastLength || rule.mostLength)) {
        const auto& text = value.get_ref<const std::string&>();
        steps += text.size() / 64;
        if (!checkCount(rule.leastLength, rule.mostLength, codePoints(text), " characters", place)) {
            return false;
        }
    }
    if (value.is_array() && !checkItems(rule, value, place)) {
        return false;
    }
    return (!value.is_object() || checkProperties(rule, value, place)) && checkParts(rule, value, place);
}

bool SchemaChecker::checkChoices(const SchemaRule& rule, const json& value, const JsonPlace& place)
{
    const bool found = std::all_of(rule.choices.begin(), rule.choices.end(), [&value](const std::vector<json>& choice) {
        return std::find(choice.begin(), choice.end(), value) != choice.end();
    });
    if (found) {
        return true;
    }
    std::string list;
    for (const json& choice : rule.choices.front()) {
        list += (list.empty() ? "" : ", ") + shownName(choice.dump());
        if (list.size() > shownListBytes) {
            list += ", ...";
            break;
        }
    }
    return fail(place, rule.choices.front().size() == 1 ? "expected " + list : "expected one of " + list);
}

bool SchemaChecker::checkNumber(const SchemaRule& rule, const json& value, const JsonPlace& place)
{
    if (rule.least && lessThan(value, *rule.least)) {
        return fail(place, "expected at least " + rule.least->dump());
    }
    if (rule.most && lessThan(*rule.most, value)) {
        return fail(place, "expected at most " + rule.most->dump());
    }
    if (rule.above && !lessThan(*rule.above, value)) {
        return fail(place, "expected more than " + rule.above->dump());
    }
    return !(rule.below && !lessThan(value, *rule.below)) || fail(place, "expected less than " + rule.below->dump());
}

bool SchemaChecker::checkCount(const std::optional<std::uint64_t>& least, const std::optional<std::uint64_t>& most,
                               std::size_t count, const char* unit, const JsonPlace& place)
{
    if (least && count < *least) {
        return fail(place, "expected at least " + std::to_string(*least) + unit);
    }
    return !(most && count > *most) || fail(place, "expected at most " + std::to_string(*most) + unit);
}

bool SchemaChecker::checkItems(const SchemaRule& rule, const json& value, const JsonPlace& place)
{
    if (!checkCount(rule.leastItems, rule.mostItems, value.size(), " items", place)) {
        return false;
    }
    for (std::size_t index = 0; rule.items && index < value.size(); ++index) {
        if (!check(*rule.items, value[index], JsonPlace{&place, {}, index})) {
            return false;
        }
    }
    return true;
}

bool SchemaChecker::checkProperties(const SchemaRule& rule, const json& value, const JsonPlace& place)
{
    if (!checkCount(rule.leastProperties, rule.mostProperties, value.size(), " properties", place)) {
        return false;
    }
    for (const std::string& name : rule.required) {
        if (!value.contains(name)) {
            return fail(place, "expected the property '" + shownName(name) + "'");
        }
    }
    for (const auto& [name, part] : value.items()) {
        ++steps;
        const auto known = rule.properties.find(name);
        if (known == rule.properties.end() && rule.additional && rules[*rule.additional].refusesAll) {
            return fail(place, "the property '" + shownName(name) + "' is not known");
        }
        const std::optional<std::size_t> under = known != rule.properties.end() ? known->second : rule.additional;
        if (under && !check(*under, part, JsonPlace{&place, name, 0})) {
            return false;
        }
    }
    return true;
}

std::size_t SchemaChecker::matching(const std::vector<std::size_t>& parts, std::size_t enough, const json& value,
                                    const JsonPlace& place)
{
    std::size_t count = 0;
    for (const std::size_t part : parts) {
        count += check(part, value, place) ? 1 : 0;
        if (count == enough || isExhausted()) {
            break;
        }
    }
    return count;
}

bool SchemaChecker::checkParts(const SchemaRule& rule, const json& value, const JsonPlace& place)
{
    for (const std::size_t part : rule.allOf) {
        if (!check(part, value, place)) {
            return false;
        }
    }
    const std::size_t any = matching(rule.anyOf, 1, value, place);
    const std::size_t one = matching(rule.oneOf, 2, value, place);
    if (isExhausted()) {
        return false;
    }
    if ((any == 0 && !rule.anyOf.empty()) || (one == 0 && !rule.oneOf.empty())) {
        return fail(place, "none of the alternatives fits; of the last one: " + problem);
    }
    return one < 2 || fail(place, "expected exactly one of the alternatives to fit; several do");
}

}  // namespace

struct JsonSchema::Rules {
    std::vector<SchemaRule> list;  // the first one is the whole schema's
};

JsonSchema::JsonSchema(std::unique_ptr<const Rules> compiled) : rules(std::move(compiled)) {}
JsonSchema::JsonSchema(JsonSchema&&) noexcept = default;
JsonSchema& JsonSchema::operator=(JsonSchema&&) noexcept = default;
JsonSchema::~JsonSchema() = default;

Result<JsonSchema> JsonSchema::compile(std::string_view text)
{
    const Result<json> document = parsed(text, limits::maxSchemaBytes);
    if (!document) {
        return Error{document.error().code, "the schema: " + document.error().message};
    }
    SchemaCompiler compiler;
    if (!compiler.compile(*document, JsonPlace{}, 0)) {
        return Error{Code::invalidArgument, "the schema, " + compiler.problem};
    }
    return JsonSchema(std::make_unique<const Rules>(Rules{std::move(compiler.rules)}));
}

Result<std::string> JsonSchema::check(std::string_view payload) const
{
    const Result<json> document = parsed(payload, limits::maxPayloadBytes);
    if (!document) {
        return Error{document.error().code, "the payload: " + document.error().message};
    }
    SchemaChecker checker(rules->list);
    if (!checker.check(0, *document, JsonPlace{})) {
        return Error{Code::invalidArgument, "the payload, " + checker.problem};
    }
    return document->dump();
}

}  // namespace mesh::shoset
