#include "deploy/meshctl/query_text.hpp"

#include "shoset/base/time.hpp"
#include "shoset/host/loop.hpp"

#include <cctype>
#include <chrono>
#include <cstdio>
#include <iostream>

namespace mesh::ctl {

std::string escapeValue(const std::string& text)
{
    constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = std::isalnum(byte) != 0 || c == '/' || c == '-' || c == '_' || c == '.';
        out += plain ? std::string(1, c) : std::string{'%', digits[byte >> 4], digits[byte & 15]};
    }
    return out;
}

Result<std::int64_t> readTime(const std::string& text)
{
    int amount = 0;
    char unit = 0;
    int used = 0;
    if (std::sscanf(text.c_str(), "%d%c%n", &amount, &unit, &used) == 2 && used == static_cast<int>(text.size()) && amount >= 0) {
        const std::int64_t seconds = unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : unit == 'd' ? 86400 : 0;
        if (seconds > 0) {
            return toMillis(host::systemNow().wall) / 1000 - amount * seconds;
        }
    }
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    const int fields = std::sscanf(text.c_str(), "%4d-%2u-%2u%nT%2d:%2d:%2dZ%n", &year, &month, &day, &used, &hour, &minute, &second, &used);
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
    if ((fields != 3 && fields != 6) || used != static_cast<int>(text.size()) || !date.ok()) {
        return Error{Code::invalidArgument, "expected a time such as 30s, 90m, 12h, 3d (ago), 2024-05-01 or 2024-05-01T12:00:00Z, not '" + text + "'"};
    }
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::sys_days(date).time_since_epoch()).count() + hour * 3600 +
           minute * 60 + second;
}

void noteElsewhere(const nlohmann::json& page, bool& told)
{
    std::string names;
    for (const nlohmann::json& tenant : page.value("elsewhere", nlohmann::json::array())) {
        names += (names.empty() ? "" : ", ") + tenant.get<std::string>();
    }
    if (!names.empty() && !told) {
        told = true;
        std::cerr << "meshctl: the history of " << names << " is in a database of its own, and not shown here: give --tenant\n";
    }
}

}  // namespace mesh::ctl
