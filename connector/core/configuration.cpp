#include "connector/core/configuration.hpp"

#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

namespace mesh::connector {

namespace {

using Json = nlohmann::json;

Error noConfiguration()
{
    return Error{Code::invalidArgument, "it is no configuration"};
}

std::uint64_t numberOf(const Json& object, const char* name)
{
    const auto found = object.find(name);
    return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::string wordOf(const Json& object, const char* name)
{
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool takeContract(const Json& contract, WorkerConfiguration& out)
{
    const std::uint64_t major = contract.is_object() ? numberOf(contract, "major") : 0;
    const auto commands = contract.is_object() ? contract.find("commands") : contract.end();
    if (major == 0 || major > limits::maxContractMajor || commands == contract.end() || !commands->is_array()) {
        return false;
    }
    std::vector<std::string>& names = out.contracts[static_cast<std::uint32_t>(major)];
    for (const Json& name : *commands) {
        if (!name.is_string()) {
            return false;
        }
        names.push_back(name.get<std::string>());
    }
    return true;
}

}  // namespace

Result<WorkerConfiguration> Configuration::parse(const shoset::Configure& told, std::string_view text) const
{
    if (Result<void> fits = shoset::checkJsonBounds(text, limits::maxPayloadBytes, limits::maxPayloadDepth); !fits) {
        return fits.error();
    }
    const Json document = Json::parse(text, nullptr, false);
    if (!document.is_object()) {
        return noConfiguration();
    }
    WorkerConfiguration out;
    out.type = wordOf(document, "type");
    for (const Json& contract : document.value("contracts", Json::array())) {
        if (!takeContract(contract, out)) {
            return noConfiguration();
        }
    }
    if (told.version == 0) {
        return out;
    }
    const std::uint64_t major = numberOf(document, "major");
    const auto values = document.find("values");
    const auto resources = document.find("resources");
    if (major == 0 || major > limits::maxContractMajor || values == document.end() || !values->is_object() ||
        resources == document.end() || !resources->is_object()) {
        return noConfiguration();
    }
    out.major = static_cast<std::uint32_t>(major);
    out.version = told.version;
    out.document = told.document;
    out.values = values->dump();
    out.resources = resources->dump();
    return out;
}

Configuration::Taken Configuration::take(const shoset::Configure& told, std::string_view text)
{
    if (std::tie(told.generation, told.revision) < std::tie(head.generation, head.revision)) {
        return Taken::older;
    }
    if (!isEmpty() && told.version == head.version && told.document == head.document && text == body) {
        head = told;
        return Taken::known;
    }
    Result<WorkerConfiguration> fresh = parse(told, text);
    if (!fresh) {
        return Taken::malformed;
    }
    if (fresh->document != parsed.document) {
        reopen();
    }
    head = told;
    body = text;
    parsed = std::move(*fresh);
    return Taken::newer;
}

bool Configuration::judge(shoset::ConfiguredState state, std::string why)
{
    why.resize(std::min(why.size(), limits::maxConfigReasonBytes));
    if (judged && verdict == state && reason == why) {
        return false;
    }
    judged = true;
    verdict = state;
    reason = std::move(why);
    return true;
}

void Configuration::reopen()
{
    judged = false;
    verdict = shoset::ConfiguredState::pending;
    reason.clear();
}

shoset::Configured Configuration::acknowledgement() const
{
    return {0, 0, head.version, head.document, verdict, reason};
}

std::string Configuration::content() const
{
    const Json out{{"generation", head.generation}, {"revision", head.revision}, {"version", head.version},
                   {"document", head.document},     {"body", body},              {"judged", judged},
                   {"state", static_cast<unsigned>(verdict)}, {"reason", reason}};
    return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<void> Configuration::load(std::string_view content)
{
    if (content.empty()) {
        return {};
    }
    const Json saved = Json::parse(content, nullptr, false);
    if (!saved.is_object()) {
        return noConfiguration();
    }
    const shoset::Configure told{numberOf(saved, "generation"), numberOf(saved, "revision"), numberOf(saved, "version"),
                                 numberOf(saved, "document")};
    const std::uint64_t state = numberOf(saved, "state");
    if (take(told, wordOf(saved, "body")) != Taken::newer || state < 1 || state > 3) {
        *this = Configuration();
        return noConfiguration();
    }
    if (saved.value("judged", Json(false)) == true) {
        judge(static_cast<shoset::ConfiguredState>(state), wordOf(saved, "reason"));
    }
    return {};
}

}  // namespace mesh::connector
