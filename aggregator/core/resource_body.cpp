#include "aggregator/core/resource_body.hpp"

#include "aggregator/core/json_text.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

bool isAnnotation(std::string_view name)
{
    return name.find('@') != std::string_view::npos;
}

// So deep only as a body may be.
template <class Json>
void wipeTexts(Json& value)
{
    if (value.is_string()) {
        sealing::wipe(value.template get_ref<std::string&>());
    } else if (value.is_structured()) {
        for (auto& element : value) {
            wipeTexts(element);
        }
    }
}

// A password that was read stays in no other place than in the body that can be acted on.
class TextsWiped {
public:
    TextsWiped(json& parsed, std::span<const PropertyRule> rules) : document(parsed), wanted(hasSecret(rules)) {}
    TextsWiped(const TextsWiped&) = delete;
    TextsWiped& operator=(const TextsWiped&) = delete;
    ~TextsWiped()
    {
        if (wanted) {
            wipeTexts(document);
        }
    }
    static bool hasSecret(std::span<const PropertyRule> rules)
    {
        return std::any_of(rules.begin(), rules.end(), [](const PropertyRule& rule) { return rule.takes == Takes::secret; });
    }

private:
    json& document;
    const bool wanted;
};

// As it may stand in a message: a composite value is not repeated.
std::string spell(const json& value, Takes takes)
{
    if (takes == Takes::secret) {
        return "******";
    }
    return value.is_structured() ? std::string(value.type_name()) : jsonText(value);
}

std::optional<PropertyValue> take(const json& value, Takes takes)
{
    switch (takes) {
        case Takes::text:
        case Takes::secret:
            return value.is_string() ? std::optional<PropertyValue>(value.get<std::string>()) : std::nullopt;
        case Takes::flag: return value.is_boolean() ? std::optional<PropertyValue>(value.get<bool>()) : std::nullopt;
        case Takes::integer:
            return value.is_number_integer() ? std::optional<PropertyValue>(value.get<std::int64_t>()) : std::nullopt;
        case Takes::texts: {
            if (!value.is_array() ||
                !std::all_of(value.begin(), value.end(), [](const json& element) { return element.is_string(); })) {
                return std::nullopt;
            }
            return value.get<std::vector<std::string>>();
        }
        case Takes::json: return jsonText(value);
        case Takes::nothing: return std::nullopt;
    }
    return std::nullopt;
}

// Sorts the members of a body by what the rules say of them.
class Sorter {
public:
    explicit Sorter(std::span<const PropertyRule> allowed) : rules(allowed) {}

    // Goes down only where a rule does, so a deep body costs no stack.
    void sort(const json& object, const std::string& above)
    {
        for (const auto& [key, value] : object.items()) {
            const std::string name = above + key;
            if (isAnnotation(key) && !isRuled(name)) {
                continue;
            }
            const auto below = [&name](const PropertyRule& rule) { return rule.name.starts_with(name + "/"); };
            if (value.is_object() && std::any_of(rules.begin(), rules.end(), below)) {
                sort(value, name + "/");
            } else {
                sortOne(key, name, value);
            }
        }
    }

    RequestBody body;
    std::vector<RedfishMessage> wrong;

private:
    bool isRuled(const std::string& name) const
    {
        return std::any_of(rules.begin(), rules.end(), [&name](const PropertyRule& rule) { return rule.name == name; });
    }

    void sortOne(const std::string& key, const std::string& name, const json& value)
    {
        const auto rule =
            std::find_if(rules.begin(), rules.end(), [&name](const PropertyRule& known) { return known.name == name; });
        if (rule == rules.end() || rule->takes == Takes::nothing) {
            const char* id = rule == rules.end() ? "PropertyUnknown" : "PropertyNotWritable";
            if (body.ignored.size() < limits::maxReportedProperties) {
                body.ignored.push_back({id, {key}, "#/" + name});
            }
        } else if (std::optional<PropertyValue> taken = take(value, rule->takes)) {
            body.values.insert_or_assign(name, std::move(*taken));
        } else if (!(value.is_null() && rule->takes == Takes::secret)) {
            wrong.push_back({"PropertyValueTypeError", {spell(value, rule->takes), key}, "#/" + name});
        }
    }

    const std::span<const PropertyRule> rules;
};

std::optional<Answer> checkMediaType(const OwnRequest& request)
{
    const std::string* type = findHeader(request.head.headers, "Content-Type");
    const std::string_view media = type == nullptr ? std::string_view() : std::string_view(*type).substr(0, type->find_first_of("; "));
    const bool fromBrowser = findHeader(request.head.headers, "Origin") != nullptr;
    if (type == nullptr ? !fromBrowser : equalsIgnoreCase(media, "application/json")) {
        return std::nullopt;
    }
    return errorAnswer(415, {"UnrecognizedRequestBody", {}, {}}, "The body must be JSON, with Content-Type application/json.");
}

template <class Value>
const Value* valueOf(const RequestBody& body, std::string_view name)
{
    const auto found = body.values.find(name);
    return found == body.values.end() ? nullptr : std::get_if<Value>(&found->second);
}

}  // namespace

const std::string* RequestBody::text(std::string_view name) const
{
    return valueOf<std::string>(*this, name);
}

std::string RequestBody::textOr(std::string_view name, std::string_view fallback) const
{
    const std::string* value = text(name);
    return value == nullptr ? std::string(fallback) : *value;
}

const bool* RequestBody::flag(std::string_view name) const
{
    return valueOf<bool>(*this, name);
}

sealing::SecretText RequestBody::takeSecret(std::string_view name)
{
    const auto found = values.find(name);
    std::string* value = found == values.end() ? nullptr : std::get_if<std::string>(&found->second);
    if (value == nullptr) {
        return {};
    }
    sealing::SecretText out(*value);
    sealing::wipe(*value);
    values.erase(found);
    return out;
}

const std::int64_t* RequestBody::integer(std::string_view name) const
{
    return valueOf<std::int64_t>(*this, name);
}

const std::vector<std::string>* RequestBody::texts(std::string_view name) const
{
    return valueOf<std::vector<std::string>>(*this, name);
}

Answer adminRefusal(const Error& error)
{
    const int status = error.code == Code::notFound ? 404 : error.code == Code::invalidArgument ? 400 : 409;
    return errorAnswer(status, {"GeneralError", {}, {}}, error.message);
}

Answer badRequest(const std::vector<RedfishMessage>& messages)
{
    Answer answer = errorAnswer(400, messages.front());
    answer.body = errorBody(messages);
    return answer;
}

std::variant<RequestBody, Answer> readBody(const OwnRequest& request, std::span<const PropertyRule> rules)
{
    if (std::optional<Answer> refused = checkMediaType(request)) {
        return std::move(*refused);
    }
    if (shoset::nestingOfJson(request.body) > limits::maxOwnBodyDepth) {
        return errorAnswer(400, {"UnrecognizedRequestBody", {}, {}},
                           "Arrays and objects of a body stand at most " + std::to_string(limits::maxOwnBodyDepth) + " deep inside each other.");
    }
    // Not by the parser that keeps the order of names: its time grows with the square of their number.
    nlohmann::json unordered = nlohmann::json::parse(request.body, nullptr, false);
    json parsed(unordered);
    if (TextsWiped::hasSecret(rules)) {
        wipeTexts(unordered);
    }
    const TextsWiped afterwards(parsed, rules);
    if (parsed.is_discarded()) {
        return badRequest({{"MalformedJSON", {}, {}}});
    }
    if (!parsed.is_object()) {
        return badRequest({{"UnrecognizedRequestBody", {}, {}}});
    }
    Sorter sorter(rules);
    sorter.sort(parsed, {});
    std::vector<RedfishMessage> wrong = std::move(sorter.wrong);
    for (const PropertyRule& rule : rules) {
        const bool isWrong = std::any_of(wrong.begin(), wrong.end(), [&rule](const RedfishMessage& message) {
            return message.related == "#/" + std::string(rule.name);
        });
        if (rule.required && !sorter.body.has(rule.name) && !isWrong) {
            wrong.push_back({"PropertyMissing", {std::string(rule.name)}, "#/" + std::string(rule.name)});
        }
    }
    if (wrong.empty() && sorter.body.values.empty()) {
        wrong = sorter.body.ignored;
        if (wrong.empty()) {
            wrong.push_back({parsed.empty() ? "EmptyJSON" : "NoOperation", {}, {}});
        }
    }
    if (!wrong.empty()) {
        return badRequest(wrong);
    }
    return std::move(sorter.body);
}

}  // namespace mesh::aggregator
