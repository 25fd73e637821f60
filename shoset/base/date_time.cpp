#include "shoset/base/date_time.hpp"

#include <cstdio>

namespace mesh {

std::string dateTime(WallTime time)
{
    using namespace std::chrono;
    const auto since = time.time_since_epoch();
    const auto day = floor<days>(since);
    const year_month_day date{sys_days{day}};
    const hh_mm_ss clock{duration_cast<seconds>(since - day)};
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return text;
}

}  // namespace mesh
