#include "cluster/history/core/records.hpp"

namespace mesh::history {

namespace {

constexpr std::uint64_t auditRowBytes = 160;  // numbers, hash and indexes: SQLite takes 151
constexpr std::uint64_t eventRowBytes = 100;

}  // namespace

const char* phaseName(Phase phase)
{
    return phase == Phase::intent ? "intent" : "result";
}

std::string plainText(std::string_view text, std::size_t most)
{
    constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = byte > 0x20 && byte < 0x7f;
        if (out.size() + (plain ? 1 : 3) > most) {
            break;
        }
        if (plain) {
            out += c;
        } else {
            out += {'%', digits[byte >> 4], digits[byte & 15]};
        }
    }
    return out;
}

std::uint64_t storedBytes(const AuditRecord& record)
{
    return auditRowBytes + 2 * record.node.size() + 2 * record.tenant.size() + record.account.size() + record.client.size() +
           record.method.size() + record.uri.size() + record.request.size();
}

std::uint64_t storedBytes(const EventRecord& record)
{
    return eventRowBytes + 2 * record.tenant.size() + 2 * record.connector.size() + record.topic.size() + record.name.size() +
           record.payload.size();
}

}  // namespace mesh::history
