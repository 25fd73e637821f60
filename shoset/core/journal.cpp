#include "shoset/core/journal.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <charconv>

namespace mesh::shoset {

namespace {

template <class Number>
bool parseNumber(std::string_view text, Number& out)
{
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size();
}

constexpr std::size_t hexIdLength = MessageId::size * 2;

}  // namespace

Result<void> Journal::load(std::string_view content)
{
    entries.clear();
    floorMillis = 0;
    linesInFile = 0;
    for (std::size_t end = content.find('\n'); end != std::string_view::npos; end = content.find('\n')) {
        ++linesInFile;
        if (Result<void> line = loadLine(content.substr(0, end)); !line) {
            return Error{Code::corrupt, "line " + std::to_string(linesInFile) + ": " + line.error().message};
        }
        content.remove_prefix(end + 1);
    }
    overdue = !content.empty();
    evict();
    return {};
}

Result<void> Journal::loadLine(std::string_view line)
{
    const Error unreadable{Code::corrupt, "expected 'B <id>', 'F <id> <status>' or 'L <milliseconds>'"};
    if (line.size() < 3 || line[1] != ' ') {
        return unreadable;
    }
    const std::string_view rest = line.substr(2);
    if (line[0] == 'L') {
        return parseNumber(rest, floorMillis) ? Result<void>{} : Result<void>{unreadable};
    }
    const Result<MessageId> id = MessageId::fromHex(rest.substr(0, hexIdLength));
    if (!id) {
        return unreadable;
    }
    if (line[0] == 'B' && rest.size() == hexIdLength) {
        entries[*id] = {};
        return {};
    }
    int status = 0;
    if (line[0] == 'F' && rest.size() > hexIdLength + 1 && rest[hexIdLength] == ' ' &&
        parseNumber(rest.substr(hexIdLength + 1), status)) {
        entries[*id] = {true, status};
        return {};
    }
    return unreadable;
}

std::optional<Journal::Entry> Journal::find(const MessageId& id) const
{
    const auto found = entries.find(id);
    return found == entries.end() ? std::nullopt : std::optional<Entry>(found->second);
}

std::string Journal::begin(const MessageId& id)
{
    entries[id] = {};
    evict();
    ++linesInFile;
    return "B " + id.hex() + "\n";
}

std::string Journal::finish(const MessageId& id, int status)
{
    if (const auto found = entries.find(id); found != entries.end()) {
        found->second = {true, status};
    }
    ++linesInFile;
    return "F " + id.hex() + " " + std::to_string(status) + "\n";
}

void Journal::forget(const MessageId& id)
{
    entries.erase(id);
    overdue = true;
}

std::string Journal::compacted()
{
    overdue = false;
    linesInFile = entries.size() + 1;
    std::string out = "L " + std::to_string(floorMillis) + "\n";
    for (const auto& [id, entry] : entries) {
        out += entry.finished ? "F " + id.hex() + " " + std::to_string(entry.status) + "\n" : "B " + id.hex() + "\n";
    }
    return out;
}

bool Journal::compactionDue() const
{
    return overdue || linesInFile > 4 * limits::maxJournalEntries;
}

// Ids are ordered by time, so the first are the oldest. The floor is not written at once: it is derived again from the
// same lines at the next start.
void Journal::evict()
{
    while (entries.size() > limits::maxJournalEntries) {
        floorMillis = std::max(floorMillis, entries.begin()->first.millis());
        entries.erase(entries.begin());
    }
}

}  // namespace mesh::shoset
