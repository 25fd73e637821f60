#include "shoset/config/yaml_json.hpp"

#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace mesh::config {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t indentBytes = 2;

template <class Number>
bool takeNumber(const std::string& text, Json& out)
{
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return false;
    }
    out = number;
    return true;
}

// As a plain scalar is read.
Json plain(const std::string& text)
{
    if (text.empty() || text == "~" || text == "null") {
        return nullptr;
    }
    if (text == "true" || text == "false") {
        return text == "true";
    }
    Json out;
    const bool mayBeNumber = (text.front() >= '0' && text.front() <= '9') || text.front() == '-';
    if (mayBeNumber && (takeNumber<std::int64_t>(text, out) || takeNumber<std::uint64_t>(text, out))) {
        return out;
    }
    if (mayBeNumber && takeNumber<double>(text, out) && std::isfinite(out.get<double>())) {
        return out;
    }
    return text;
}

class Converter {
public:
    explicit Converter(std::string file) : path(std::move(file)) {}

    Json convert(const YAML::Node& node, std::size_t depth)
    {
        if (!problem.empty()) {
            return nullptr;
        }
        if (++values > limits::maxYamlValues || depth > limits::maxSchemaDepth) {
            return complain(node, "too much, or too deep");
        }
        switch (node.Type()) {
            case YAML::NodeType::Scalar: return scalar(node);
            case YAML::NodeType::Sequence: {
                Json list = Json::array();
                for (const YAML::Node& item : node) {
                    list.push_back(convert(item, depth + 1));
                }
                return list;
            }
            case YAML::NodeType::Map: return mapping(node, depth);
            default: return nullptr;
        }
    }

    std::string problem;

private:
    Json complain(const YAML::Node& node, const std::string& sentence)
    {
        if (problem.empty()) {
            problem = path + ":" + std::to_string(std::max(node.Mark().line, 0) + 1) + ": " + sentence;
        }
        return nullptr;
    }
    Json scalar(const YAML::Node& node)
    {
        const std::string& tag = node.Tag();
        if (tag == "!" || tag == "tag:yaml.org,2002:str") {
            return node.Scalar();
        }
        return tag == "?" || tag.empty() ? plain(node.Scalar()) : complain(node, "the tag '" + tag + "' is not known");
    }
    Json mapping(const YAML::Node& node, std::size_t depth)
    {
        Json object = Json::object();
        for (const auto& item : node) {
            if (!item.first.IsScalar()) {
                return complain(item.first, "expected a name before the colon");
            }
            const std::string& name = item.first.Scalar();
            if (object.contains(name)) {
                return complain(item.first, "'" + name + "' stands there twice");
            }
            object[name] = convert(item.second, depth + 1);
        }
        return object;
    }

    const std::string path;
    std::size_t values = 0;
};

bool isPlain(const std::string& text)
{
    const bool letters = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-' || c == '/';
    });
    const bool begins = letters && ((text.front() >= 'a' && text.front() <= 'z') || (text.front() >= 'A' && text.front() <= 'Z'));
    std::string lower = text;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return begins && lower != "true" && lower != "false" && lower != "null" && lower != "yes" && lower != "no" && lower != "on" &&
           lower != "off" && lower != "y" && lower != "n";
}

std::string inLine(const Json& value)
{
    if (value.is_string() && isPlain(value.get_ref<const std::string&>())) {
        return value.get<std::string>();
    }
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool isBlock(const Json& value)
{
    return (value.is_object() || value.is_array()) && !value.empty();
}

void write(const Json& value, std::size_t indent, std::string& out)
{
    const std::string margin(indent, ' ');
    if (value.is_object()) {
        for (const auto& [name, member] : value.items()) {
            out += margin + inLine(name) + ":";
            if (isBlock(member)) {
                out += '\n';
                write(member, indent + indentBytes, out);
            } else {
                out += " " + inLine(member) + "\n";
            }
        }
        return;
    }
    for (const Json& item : value) {
        if (!isBlock(item)) {
            out += margin + "- " + inLine(item) + "\n";
            continue;
        }
        std::string block;
        write(item, indent + indentBytes, block);
        block[indent] = '-';
        out += block;
    }
}

}  // namespace

Result<std::string> jsonOfYaml(const std::string& path, const std::string& text)
{
    if (text.size() > limits::maxConfigBytes) {
        return Error{Code::tooLarge, path + ": expected at most " + std::to_string(limits::maxConfigBytes) + " bytes"};
    }
    try {
        Converter converter(path);
        const Json document = converter.convert(YAML::Load(text), 0);
        if (!converter.problem.empty()) {
            return Error{Code::invalidArgument, converter.problem};
        }
        return document.dump(-1, ' ', false, Json::error_handler_t::replace);
    } catch (const YAML::Exception& failure) {
        return Error{Code::invalidArgument,
                     path + ":" + std::to_string(failure.mark.line < 0 ? 1 : failure.mark.line + 1) + ": not YAML: " + failure.msg};
    }
}

std::string yamlOfJson(std::string_view text)
{
    const Json document = Json::parse(text, nullptr, false);
    if (document.is_discarded()) {
        return {};
    }
    std::string out;
    if (isBlock(document)) {
        write(document, 0, out);
    } else {
        out = inLine(document) + "\n";
    }
    return out;
}

}  // namespace mesh::config
