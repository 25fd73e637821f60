#include "shoset/config/reader.hpp"

#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"

#include <yaml-cpp/yaml.h>

#include <array>
#include <charconv>
#include <set>
#include <span>

namespace mesh::config {

struct Section::Node {
    YAML::Node yaml;
    std::string name;  // as a person would write it: "facade", "peers.members[1]"
    std::set<std::string> asked;
};

struct Reader::State {
    std::string path;
    std::string problem;
    YAML::Node document;
    std::vector<std::shared_ptr<Section::Node>> sections;

    void complain(int line, const std::string& sentence)
    {
        if (problem.empty()) {
            problem = path + ":" + std::to_string(line) + ": " + sentence;
        }
    }
};

namespace {

int lineOf(const YAML::Node& node)
{
    return node.Mark().line < 0 ? 1 : node.Mark().line + 1;
}

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::uint64_t dayNanoseconds = 86400000000000;
constexpr std::uint64_t longestDuration = 36500 * dayNanoseconds;
constexpr std::array<Unit, 5> durationUnits = {
    Unit{"ms", 1000000}, Unit{"s", 1000000000}, Unit{"m", 60000000000}, Unit{"h", 3600000000000}, Unit{"d", dayNanoseconds}};
constexpr std::array<Unit, 4> sizeUnits = {Unit{"", 1}, Unit{"KiB", 1024}, Unit{"MiB", 1024 * 1024}, Unit{"GiB", 1024 * 1024 * 1024}};
constexpr std::array<Unit, 1> noUnit = {Unit{"", 1}};

bool parseWithUnit(const std::string& text, std::span<const Unit> units, std::uint64_t& out)
{
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
    for (const Unit& unit : units) {
        if (error == std::errc{} && rest == unit.name && number <= UINT64_MAX / unit.factor) {
            out = number * unit.factor;
            return true;
        }
    }
    return false;
}

}  // namespace

Reader::Reader(const std::string& path) : state(std::make_shared<State>())
{
    state->path = path;
    if (const Result<std::string> text = host::readFile(path, limits::maxConfigBytes)) {
        parse(*text);
    } else {
        state->problem = text.error().message;
    }
}

Reader::Reader(std::string path, const std::string& text) : state(std::make_shared<State>())
{
    state->path = std::move(path);
    parse(text);
}

void Reader::parse(const std::string& text)
{
    try {
        state->document = YAML::Load(text);
    } catch (const YAML::Exception& failure) {
        state->complain(failure.mark.line < 0 ? 1 : failure.mark.line + 1, "not YAML: " + failure.msg);
    }
    if (state->problem.empty() && !state->document.IsMap()) {
        state->complain(1, "expected a mapping of sections");
    }
}

Reader::~Reader() = default;

Section Reader::root()
{
    auto node = std::make_shared<Section::Node>();
    if (state->problem.empty()) {
        node->yaml = state->document;
    }
    state->sections.push_back(node);
    return Section(state, node);
}

Result<void> Reader::finish()
{
    for (const auto& section : state->sections) {
        if (!state->problem.empty() || !section->yaml.IsMap()) {
            continue;
        }
        std::set<std::string> seen;
        for (const auto& item : section->yaml) {
            const std::string key = item.first.Scalar();
            if (!seen.insert(key).second) {
                state->complain(lineOf(item.first), "'" + key + "' stands here a second time");
            }
            if (!section->asked.contains(key)) {
                std::string known;
                for (const std::string& name : section->asked) {
                    known += (known.empty() ? "" : ", ") + name;
                }
                state->complain(lineOf(item.first), "unknown key '" + key + "'" +
                                                        (section->name.empty() ? "" : " in " + section->name) +
                                                        "; expected one of " + known);
            }
        }
    }
    if (!state->problem.empty()) {
        return Error{Code::invalidArgument, state->problem};
    }
    return {};
}

void Reader::complain(const Section& section, const std::string& sentence)
{
    state->complain(section.line(), sentence);
}

Section::Section(std::shared_ptr<Reader::State> owner, std::shared_ptr<Node> content)
    : reader(std::move(owner)), node(std::move(content))
{
}
Section::~Section() = default;
Section::Section(const Section&) = default;
Section& Section::operator=(const Section&) = default;

int Section::line() const
{
    return node->yaml.IsDefined() ? lineOf(node->yaml) : 1;
}

bool Section::present() const
{
    return node->yaml.IsDefined() && node->yaml.IsMap();
}

bool Section::has(const std::string& key) const
{
    return present() && node->yaml[key].IsDefined();
}

bool Section::isText(const std::string& key) const
{
    return has(key) && node->yaml[key].IsScalar();
}

std::string Section::text(const std::string& key)
{
    if (!has(key)) {
        node->asked.insert(key);
        reader->complain(line(), "expected '" + key + "'" + (node->name.empty() ? "" : " in " + node->name));
        return {};
    }
    return text(key, "");
}

std::string Section::name(const std::string& key)
{
    std::string value = text(key);
    if (!value.empty() && !isValidName(value)) {
        reader->complain(line(), "expected a name of letters, digits, '.', '_' and '-', at most 63, for '" + key + "'");
    }
    return value;
}

std::string Section::text(const std::string& key, const std::string& fallback)
{
    node->asked.insert(key);
    if (!has(key)) {
        return fallback;
    }
    const YAML::Node value = node->yaml[key];
    if (!value.IsScalar() || value.Scalar().empty()) {
        reader->complain(lineOf(value), "expected a text for '" + key + "'");
        return fallback;
    }
    return value.Scalar();
}

std::string Section::text(const std::string& key, const Form& form)
{
    text(key);
    return text(key, "", form);
}

std::string Section::text(const std::string& key, const std::string& fallback, const Form& form)
{
    std::string value = text(key, fallback);
    if (has(key) && !value.empty() && !form.fits(value)) {
        reader->complain(lineOf(node->yaml[key]), std::string("expected ") + form.expected + " for '" + key + "', not '" + value + "'");
    }
    return value;
}

bool Section::flag(const std::string& key, bool fallback)
{
    const std::string value = text(key, fallback ? "true" : "false");
    if (value != "true" && value != "false") {
        reader->complain(lineOf(node->yaml[key]), "expected true or false for '" + key + "', not '" + value + "'");
    }
    return value == "true";
}

Duration Section::duration(const std::string& key, Duration fallback)
{
    const std::string value = text(key, "");
    std::uint64_t nanoseconds = 0;
    if (value.empty()) {
        return fallback;
    }
    if (value != "0" && !parseWithUnit(value, durationUnits, nanoseconds)) {
        reader->complain(lineOf(node->yaml[key]), "expected a time such as 500ms, 2s or 10m for '" + key + "', not '" + value + "'");
        return fallback;
    }
    if (nanoseconds > longestDuration) {
        reader->complain(lineOf(node->yaml[key]), "expected at most 36500d for '" + key + "', not '" + value + "'");
        return fallback;
    }
    return Duration(static_cast<std::int64_t>(nanoseconds));
}

std::uint64_t Section::bytes(const std::string& key, std::uint64_t fallback)
{
    const std::string value = text(key, "");
    std::uint64_t number = 0;
    if (value.empty()) {
        return fallback;
    }
    if (!parseWithUnit(value, sizeUnits, number)) {
        reader->complain(lineOf(node->yaml[key]), "expected a size such as 64KiB or 512MiB for '" + key + "', not '" + value + "'");
        return fallback;
    }
    return number;
}

std::uint64_t Section::number(const std::string& key, std::uint64_t fallback, std::uint64_t most)
{
    const std::string value = text(key, "");
    std::uint64_t number = 0;
    if (value.empty()) {
        return fallback;
    }
    if (!parseWithUnit(value, noUnit, number) || number > most) {
        reader->complain(lineOf(node->yaml[key]), "expected a number up to " + std::to_string(most) + " for '" + key + "', not '" + value + "'");
        return fallback;
    }
    return number;
}

Section Section::section(const std::string& key)
{
    node->asked.insert(key);
    auto child = std::make_shared<Node>();
    child->name = node->name.empty() ? key : node->name + "." + key;
    if (has(key)) {
        child->yaml.reset(node->yaml[key]);
        if (!child->yaml.IsMap()) {
            reader->complain(lineOf(child->yaml), "expected a mapping for '" + key + "'");
        }
    } else {
        child->yaml.reset(YAML::Node(YAML::NodeType::Undefined));
    }
    reader->sections.push_back(child);
    return Section(reader, child);
}

std::vector<Section> Section::sections(const std::string& key)
{
    node->asked.insert(key);
    std::vector<Section> out;
    if (!has(key)) {
        return out;
    }
    const YAML::Node list = node->yaml[key];
    if (!list.IsSequence()) {
        reader->complain(lineOf(list), "expected a list for '" + key + "'");
        return out;
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
        auto child = std::make_shared<Node>();
        child->name = (node->name.empty() ? key : node->name + "." + key) + "[" + std::to_string(i) + "]";
        child->yaml.reset(list[i]);
        if (!child->yaml.IsMap()) {
            reader->complain(lineOf(child->yaml), "expected a mapping in the list '" + key + "'");
        }
        reader->sections.push_back(child);
        out.push_back(Section(reader, child));
    }
    return out;
}

std::vector<std::string> Section::texts(const std::string& key)
{
    node->asked.insert(key);
    std::vector<std::string> out;
    if (!has(key)) {
        return out;
    }
    const YAML::Node list = node->yaml[key];
    if (!list.IsSequence()) {
        reader->complain(lineOf(list), "expected a list for '" + key + "'");
        return out;
    }
    for (const YAML::Node& item : list) {
        if (!item.IsScalar()) {
            reader->complain(lineOf(item), "expected a list of texts for '" + key + "'");
            return out;
        }
        out.push_back(item.Scalar());
    }
    return out;
}

}  // namespace mesh::config
