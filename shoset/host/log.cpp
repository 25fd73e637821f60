#include "shoset/host/log.hpp"

#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace mesh::log {

namespace {

// A pipe that polls writable takes this much without blocking (PIPE_BUF), and no other writer's line gets in between.
constexpr std::size_t maxLineBytes = 4096;
// Of it, but for braces, newline, and a field that says that the line was cut.
constexpr std::size_t maxFieldsBytes = maxLineBytes - 32;

Options current;
std::atomic<std::uint64_t> dropped{0};
std::atomic<std::uint64_t> announced{0};

std::string_view levelName(Level level)
{
    static constexpr std::array<std::string_view, 4> names = {"debug", "info", "warning", "error"};
    return names[static_cast<std::size_t>(level)];
}

std::string formatTime(std::int64_t wallMillis)
{
    const std::time_t seconds = wallMillis / 1000;
    std::tm parts = {};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                  parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                  static_cast<int>(wallMillis % 1000));
    return text.data();
}

// In ASCII, so that no terminal acts on it; readers of logfmt know JSON's escapes as well.
std::string inQuotes(std::string_view text)
{
    return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

bool plain(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
    });
}

std::string fieldText(Format format, std::string_view key, const Value& value)
{
    const bool json = format == Format::json;
    const bool bare = json ? value.number : plain(value.text);
    return (json ? inQuotes(key) + ':' : std::string(key) + '=') + (bare ? value.text : inQuotes(value.text));
}

bool writeLine(std::string line)
{
    pollfd ready = {current.fd, POLLOUT, 0};
    if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
        return false;
    }
    line += '\n';
    return ::write(current.fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

std::int64_t wallMillis()
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

void write(Level level, std::string_view event, std::initializer_list<Field> fields)
{
    if (!enabled(level)) {
        return;
    }
    const std::int64_t now = wallMillis();
    const std::uint64_t missing = dropped;
    if (missing != announced) {
        const auto news =
            formatLine(current.format, now, Level::warning, "log_dropped", {{"count", missing - announced}});
        if (writeLine(news)) {
            announced = missing;
        }
    }
    if (!writeLine(formatLine(current.format, now, level, event, fields))) {
        ++dropped;
    }
}

}  // namespace

void configure(const Options& options)
{
    current = options;
}

bool enabled(Level level)
{
    return level >= current.level;
}

std::uint64_t droppedLines()
{
    return dropped;
}

std::string formatLine(Format format, std::int64_t wallMillis, Level level, std::string_view event,
                       std::initializer_list<Field> fields)
{
    const bool json = format == Format::json;
    const char separator = json ? ',' : ' ';
    std::string line = fieldText(format, "time", formatTime(wallMillis)) + separator +
                       fieldText(format, "level", levelName(level)) + separator + fieldText(format, "event", event);
    for (const Field& field : fields) {
        const std::string next = separator + fieldText(format, field.key, field.value);
        if (line.size() + next.size() > maxFieldsBytes) {
            // A field is shown whole or, from here on, not at all: a cut value could read as another one.
            line += separator + fieldText(format, "cut", "...");
            break;
        }
        line += next;
    }
    return json ? '{' + line + '}' : line;
}

void debug(std::string_view event, std::initializer_list<Field> fields)
{
    write(Level::debug, event, fields);
}

void info(std::string_view event, std::initializer_list<Field> fields)
{
    write(Level::info, event, fields);
}

void warning(std::string_view event, std::initializer_list<Field> fields)
{
    write(Level::warning, event, fields);
}

void error(std::string_view event, std::initializer_list<Field> fields)
{
    write(Level::error, event, fields);
}

}  // namespace mesh::log
