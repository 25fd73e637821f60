#include "connector/enroll_command.hpp"

#include "connector/enrolment_client.hpp"
#include "connector/state_files.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/config/connector_file.hpp"
#include "shoset/host/files.hpp"
#include "tenants/join_string.hpp"

#include <filesystem>
#include <iostream>
#include <optional>

namespace mesh::connector {

namespace {

struct Enrolment {
    shoset::Enrolled answer;
    std::string keyFile;
};

Result<tenants::JoinString> readJoinString(const std::string& given)
{
    if (given != "-") {
        return tenants::decodeJoinString(given);
    }
    std::string text(limits::maxJoinStringBytes, '\0');
    std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::cin.gcount()));
    return tenants::decodeJoinString(text);
}

// One that is there is used: it may have been registered by an enrolment whose answer was lost.
Result<shoset::KeyPair> keyIn(const std::string& file)
{
    Result<shoset::KeyPair> pair = shoset::loadKeyFile(file);
    if (pair || pair.error().code != Code::notFound) {
        return pair;
    }
    pair = shoset::generateKeyPair();
    if (!pair) {
        return pair;
    }
    if (Result<void> written = shoset::writeKeyFile(file, *pair); !written) {
        return written.error();
    }
    return pair;
}

Result<shoset::Enrolled> ask(const tenants::JoinString& join, shoset::KeyPair keys)
{
    Result<shoset::Context> context = shoset::Context::create();
    if (!context) {
        return context.error();
    }
    std::vector<shoset::AggregatorAddress> aggregators;
    for (const tenants::JoinString::Aggregator& entry : join.aggregators) {
        aggregators.push_back({entry.name, entry.endpoint, entry.key});
    }
    host::Loop loop;
    std::optional<Result<shoset::Enrolled>> outcome;
    EnrolmentClient client(loop, std::move(*context), std::move(keys), std::move(aggregators), join.secret,
                           [&](Result<shoset::Enrolled> ended) {
                               outcome = std::move(ended);
                               loop.stop();
                           });
    client.start();
    loop.run();
    return outcome ? std::move(*outcome) : Result<shoset::Enrolled>(Error{Code::unavailable, "interrupted"});
}

std::string configText(const EnrollOptions& options, const Enrolment& enrolment)
{
    const shoset::Enrolled& answer = enrolment.answer;
    config::ConnectorFile file;
    file.comment = "Written by 'mesh-connectord enroll' for " + answer.name + " of tenant " + answer.tenant + ".";
    file.name = answer.name;
    file.key = options.keyAs.empty() ? enrolment.keyFile : options.keyAs;
    for (const shoset::AggregatorAddress& entry : answer.aggregators.list) {
        file.aggregators.push_back({entry.name, entry.endpoint, entry.key});
    }
    file.url = options.targetUrl;
    file.user = options.targetUser;
    file.passwordFile = options.targetPasswordFile;
    file.ca = options.targetCa;
    file.insecure = options.targetInsecure;
    if (!options.secretsOperator.empty()) {
        file.operators.push_back(options.secretsOperator);
        file.tenant = answer.tenant;
    }
    return config::toYaml(file);
}

// What another mesh told a connector of this name would outrank and hide what this one tells; without its note, a key that was
// rotated outside the key file counts for nothing. Who enrols anew is granted his secrets anew.
Result<void> forgetOtherMesh(const EnrollOptions& options, const std::string& name)
{
    for (const StateFile file : {StateFile::fence, StateFile::aggregators, StateFile::configuration, StateFile::rotation, StateFile::secrets}) {
        const std::string path = stateFilePath(options.state, name, file);
        std::error_code error;
        std::filesystem::remove(path, error);
        if (error) {
            return Error{Code::ioError, path + ": " + error.message() + "; it has to go before the connector starts"};
        }
    }
    return {};
}

}  // namespace

Result<std::string> enroll(const EnrollOptions& options)
{
    std::error_code ignored;
    if (!options.force && std::filesystem::exists(options.config, ignored)) {
        return Error{Code::alreadyExists, options.config + " is there already; --force replaces it"};
    }
    if (options.targetUser.empty() != options.targetPasswordFile.empty()) {
        return Error{Code::invalidArgument, "--target-user and --target-password-file go together"};
    }
    const Result<tenants::JoinString> join = readJoinString(options.joinString);
    if (!join) {
        return join.error();
    }
    const std::filesystem::path beside = std::filesystem::path(options.config).replace_filename("connector.key");
    Enrolment enrolment{{}, options.key.empty() ? beside.string() : options.key};
    Result<shoset::KeyPair> keys = keyIn(enrolment.keyFile);
    if (!keys) {
        return keys.error();
    }
    Result<shoset::Enrolled> answer = ask(*join, std::move(*keys));
    if (!answer) {
        return answer.error();
    }
    enrolment.answer = std::move(*answer);
    if (Result<void> forgotten = forgetOtherMesh(options, enrolment.answer.name); !forgotten) {
        return forgotten.error();
    }
    if (Result<void> written = host::writeFileAtomic(options.config, configText(options, enrolment), 0644); !written) {
        return written.error();
    }
    return "enrolled as " + enrolment.answer.name + " of tenant " + enrolment.answer.tenant + "; wrote " + options.config +
           " and " + enrolment.keyFile;
}

}  // namespace mesh::connector
