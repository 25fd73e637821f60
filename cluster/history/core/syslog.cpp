#include "cluster/history/core/syslog.hpp"

#include <array>
#include <chrono>
#include <cstdio>

namespace mesh::history {

namespace {

constexpr int auditFacility = 13;
constexpr int warning = 4;
constexpr int notice = 5;
constexpr int firstError = 400;
constexpr std::string_view dataId = "audit@32473";  // the number that RFC 5612 keeps for those who have none

// RFC 5424, 6.3.3.
std::string escapeParameter(std::string_view value)
{
    std::string out;
    for (const char c : value) {
        if (c == '"' || c == '\\' || c == ']') {
            out += '\\';
        }
        out += c;
    }
    return out;
}

}  // namespace

std::string preciseTime(WallTime time)
{
    using namespace std::chrono;
    const auto micros = floor<microseconds>(sys_time<nanoseconds>(time.time_since_epoch()));
    const auto day = floor<days>(micros);
    const year_month_day date{day};
    const hh_mm_ss clock{micros - day};
    std::array<char, 40> text{};
    const int length = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
                                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                     static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                                     static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return {text.data(), static_cast<std::size_t>(length)};
}

std::string syslogLine(const StoredAudit& stored)
{
    const AuditRecord& record = stored.record;
    const bool failed = record.phase == Phase::result && (record.status == 0 || record.status >= firstError);
    std::string line = "<" + std::to_string(auditFacility * 8 + (failed ? warning : notice)) + ">1 " + preciseTime(record.time) + " " +
                       (record.node.empty() ? "-" : record.node) + " mesh-aggregatord - audit [" + std::string(dataId);
    const auto add = [&line](const char* name, std::string_view value) {
        line += std::string(" ") + name + "=\"" + escapeParameter(value) + "\"";
    };
    add("tenant", record.tenant);
    add("account", record.account);
    add("client", record.client);
    add("method", record.method);
    add("uri", record.uri);
    add("request", record.request);
    add("phase", phaseName(record.phase));
    if (record.phase == Phase::result) {
        add("status", std::to_string(record.status));
    }
    add("position", std::to_string(stored.link.position));
    add("hash", stored.link.hash);
    return line + "]";
}

}  // namespace mesh::history
