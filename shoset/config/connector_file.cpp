#include "shoset/config/connector_file.hpp"

#include <yaml-cpp/yaml.h>

namespace mesh::config {

namespace {

void emit(YAML::Emitter& out, const char* name, const std::string& value)
{
    out << YAML::Key << name << YAML::Value << YAML::DoubleQuoted << value;
}

void emitUnlessEmpty(YAML::Emitter& out, const char* name, const std::string& value)
{
    if (!value.empty()) {
        emit(out, name, value);
    }
}

}  // namespace

std::string toYaml(const ConnectorFile& file)
{
    YAML::Emitter out;
    if (!file.comment.empty()) {
        out << YAML::Comment(file.comment);
    }
    out << YAML::BeginMap << YAML::Key << "connector" << YAML::Value << YAML::BeginMap;
    emit(out, "name", file.name);
    emit(out, "key", file.key);
    emitUnlessEmpty(out, "assignment", file.assignment == 0 ? std::string() : std::to_string(file.assignment));
    out << YAML::EndMap << YAML::Key << "aggregators" << YAML::Value << YAML::BeginSeq;
    for (const ConnectorFile::Aggregator& entry : file.aggregators) {
        out << YAML::BeginMap;
        emit(out, "name", entry.name);
        emit(out, "endpoint", entry.endpoint);
        emit(out, "key", entry.key);
        out << YAML::EndMap;
    }
    out << YAML::EndSeq << YAML::Key << "target" << YAML::Value << YAML::BeginMap;
    emit(out, "url", file.url);
    emit(out, "auth", file.user.empty() ? "none" : "basic");
    if (!file.user.empty()) {
        emit(out, "user", file.user);
        emitUnlessEmpty(out, "password_file", file.passwordFile);
        emitUnlessEmpty(out, "password_sealed", file.passwordSealed);
        emitUnlessEmpty(out, "sealing_key", file.sealingKey);
    }
    emitUnlessEmpty(out, "ca", file.ca);
    emitUnlessEmpty(out, "fingerprint", file.fingerprint);
    if (file.insecure) {
        out << YAML::Key << "insecure" << YAML::Value << true;
    }
    out << YAML::EndMap;
    if (!file.operators.empty()) {
        out << YAML::Key << "secrets" << YAML::Value << YAML::BeginMap << YAML::Key << "operators" << YAML::Value << YAML::Flow
            << file.operators;
        emitUnlessEmpty(out, "tenant", file.tenant);
        out << YAML::EndMap;
    }
    out << YAML::EndMap;
    return std::string(out.c_str()) + "\n";
}

}  // namespace mesh::config
