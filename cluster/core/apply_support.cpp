#include "cluster/core/apply_support.hpp"

#include <algorithm>

namespace mesh::cluster {

std::string changeKey(const tenants::ConnectorName& name)
{
    return name.tenant + "/" + name.name;
}

std::string changeKey(const DocumentName& name)
{
    return std::to_string(static_cast<unsigned>(name.kind)) + "/" + name.tenant + "/" + name.name;
}

bool matches(Revision ifRevision, Revision actual)
{
    return ifRevision == anyRevision || ifRevision == actual;
}

Error changedMeanwhile(const std::string& what)
{
    return Error{Code::preconditionFailed, what + " was changed meanwhile: read it again"};
}

Error tooMany(std::size_t limit, const char* what)
{
    return Error{Code::full, "there are " + std::to_string(limit) + " " + what + " already, the most there can be"};
}

Error noAccount(const std::string& id)
{
    return Error{Code::notFound, "there is no account " + id};
}

bool isPrintable(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace mesh::cluster
