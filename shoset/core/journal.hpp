#pragma once

#include "shoset/base/ids.hpp"
#include "shoset/base/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace mesh::shoset {

// What a connector has to remember of commands that are not safe to repeat, across restarts: that one was begun (on disk
// before the BMC is asked) and how it ended. Bounded by limits::maxJournalEntries; what falls out raises the floor, and
// a command older than the floor is refused, since nobody knows any more whether it was executed.
//
// Pure: it gives lines to append to a file and takes them back at the start. Format, one line an event:
//   "B <id>\n" begun · "F <id> <HTTP status>\n" finished · "L <milliseconds>\n" floor
class Journal {
public:
    struct Entry {
        bool finished = false;
        int status = 0;
    };

    // The file's content. A last line without its newline was torn by a power loss and is ignored; any other line that
    // does not parse is Code::corrupt with its number. Behind a torn line nothing may be appended, so that compaction is
    // due at once then.
    Result<void> load(std::string_view content);

    bool isBelowFloor(const MessageId& id) const { return id.millis() <= floorMillis; }
    std::optional<Entry> find(const MessageId& id) const;
    // Both return the line to append; begin's must be durable before the command is executed.
    std::string begin(const MessageId& id);
    std::string finish(const MessageId& id, int status);
    // It could not be made durable and was not executed. The file may end in a torn line now.
    void forget(const MessageId& id);
    // The whole content anew, for compaction; due when the file has grown to a multiple of it, or may end in a torn line, or was
    // not written anew when it was due.
    std::string compacted();
    void notCompacted() { overdue = true; }
    bool compactionDue() const;
    std::size_t size() const { return entries.size(); }

private:
    Result<void> loadLine(std::string_view line);
    void evict();

    std::map<MessageId, Entry> entries;
    std::int64_t floorMillis = 0;
    std::size_t linesInFile = 0;
    bool overdue = false;  // whatever its size
};

}  // namespace mesh::shoset
