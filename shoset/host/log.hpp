#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

// Structured log lines on stderr: `time=2024-05-01T12:00:00.000Z level=info event=link_up peer=agg-b`, or one JSON
// object per line. Any thread. Never waits: a line that stderr cannot take at once is dropped and counted, and the next
// line that gets through is preceded by an event=log_dropped with the count. Secrets are the caller's duty to leave
// out.
namespace mesh::log {

enum class Level { debug, info, warning, error };
enum class Format { logfmt, json };

struct Options {
    Level level = Level::info;
    Format format = Format::logfmt;
    int fd = 2;
};

// Once, before threads start. Without it: the defaults above.
void configure(const Options& options);

class Value {
public:
    Value(std::string_view from) : text(from), number(false) {}
    Value(const std::string& from) : text(from), number(false) {}
    Value(const char* from) : text(from), number(false) {}
    Value(bool truth) : text(truth ? "true" : "false"), number(true) {}
    template <std::integral T>
    Value(T value) : text(std::to_string(value)), number(true)
    {
    }

    std::string text;
    bool number;  // bare in JSON, never quoted
};

struct Field {
    std::string_view key;  // lower_snake_case
    Value value;
};

// `event`: lower_snake_case, constant. Lines are cut at 4096 bytes.
void debug(std::string_view event, std::initializer_list<Field> fields = {});
void info(std::string_view event, std::initializer_list<Field> fields = {});
void warning(std::string_view event, std::initializer_list<Field> fields = {});
void error(std::string_view event, std::initializer_list<Field> fields = {});

// Whether lines of this level are written at all, to spare the making of expensive values.
bool enabled(Level level);
std::uint64_t droppedLines();

// The line as it is written, without the newline; for tests.
std::string formatLine(Format format, std::int64_t wallMillis, Level level, std::string_view event,
                       std::initializer_list<Field> fields);

}  // namespace mesh::log
