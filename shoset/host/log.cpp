#include "shoset/host/log.hpp"

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

// How many bytes the UTF-8 character at `at` has; 0 if it is not valid UTF-8.
std::size_t utf8Length(std::string_view text, std::size_t at)
{
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const unsigned first = byte(at);
    const unsigned second = byte(at + 1);
    std::size_t length = first < 0x80 ? 1 : first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : 4;
    const bool overlongOrSurrogate = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                                     (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || overlongOrSurrogate) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(at + i) & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

// Escapes of JSON, which logfmt readers know as well. DEL, the C1 controls and what is not UTF-8 go too: a terminal may
// act on them.
void appendQuoted(std::string& out, std::string_view text)
{
    static constexpr std::string_view digits = "0123456789abcdef";
    out += '"';
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const std::size_t length = utf8Length(text, i);
        const bool c1 = length == 2 && byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += text[i];
        } else if (byte == '\n') {
            out += "\\n";
        } else if (byte == '\r') {
            out += "\\r";
        } else if (byte == '\t') {
            out += "\\t";
        } else if (byte < 0x20 || byte == 0x7f || length == 0 || c1) {
            const auto shown = static_cast<unsigned char>(text[c1 ? i + 1 : i]);
            out += "\\u00";
            out += digits[shown >> 4];
            out += digits[shown & 15];
        } else {
            out += text.substr(i, length);
        }
        i += std::max<std::size_t>(length, 1);
    }
    out += '"';
}

bool plain(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
    });
}

void appendField(std::string& out, Format format, std::string_view key, std::string_view text, bool bare)
{
    if (format == Format::json) {
        out += out.empty() ? '{' : ',';
        appendQuoted(out, key);
        out += ':';
    } else {
        if (!out.empty()) {
            out += ' ';
        }
        out += key;
        out += '=';
        bare = plain(text);
    }
    if (bare) {
        out += text;
    } else {
        appendQuoted(out, text);
    }
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
    static constexpr std::string_view cutMark = "...";
    std::string line;
    appendField(line, format, "time", formatTime(wallMillis), false);
    appendField(line, format, "level", levelName(level), false);
    appendField(line, format, "event", event, false);
    for (const Field& field : fields) {
        const std::size_t before = line.size();
        appendField(line, format, field.key, field.value.text, field.value.number);
        if (line.size() + cutMark.size() + 16 > maxLineBytes) {
            // A field is shown whole or, from here on, not at all: a cut value could read as another one.
            line.resize(before);
            appendField(line, format, "cut", cutMark, false);
            break;
        }
    }
    if (format == Format::json) {
        line += '}';
    }
    return line;
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
