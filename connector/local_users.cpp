#include "connector/local_users.hpp"

#include <grp.h>
#include <pwd.h>

namespace mesh::connector {

Result<std::uint32_t> userIdOf(const std::string& user)
{
    const passwd* entry = ::getpwnam(user.c_str());
    if (entry == nullptr) {
        return Error{Code::notFound, "this machine has no user '" + user + "'"};
    }
    return entry->pw_uid;
}

Result<LocalGroup> groupOf(const std::string& group)
{
    const ::group* entry = ::getgrnam(group.c_str());
    if (entry == nullptr) {
        return Error{Code::notFound, "this machine has no group '" + group + "'"};
    }
    LocalGroup out{entry->gr_gid, {}};
    for (char** member = entry->gr_mem; *member != nullptr; ++member) {
        if (const Result<std::uint32_t> uid = userIdOf(*member)) {
            out.members.insert(*uid);
        }
    }
    return out;
}

}  // namespace mesh::connector
