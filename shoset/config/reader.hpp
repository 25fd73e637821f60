#pragma once

#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::config {

// Strict reading of a YAML file: every key must be known and stand there once, every value be of the right form. The first problem is kept, with
// file, line and what was expected; after it everything reads as its default. Start-up and reload only.
//
//     Reader reader(path);
//     Section node = reader.root().section("node");
//     settings.name = node.text("name");
//     ...
//     if (Result<void> fine = reader.finish(); !fine) ...
class Section;

// How a text has to look beside not being empty.
struct Form {
    bool (*fits)(std::string_view text);
    const char* expected;  // for a person: "tcp://HOST:PORT"
};

class Reader {
public:
    // A file of at most limits::maxConfigBytes; that it cannot be read is its first problem.
    explicit Reader(const std::string& path);
    // `text` is the file's content; `path` is for messages only.
    Reader(std::string path, const std::string& text);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    Section root();
    // The first problem, or a key that nobody asked for or that stands there twice.
    Result<void> finish();
    // A problem that the caller found with a value just read, at the line of `section`.
    void complain(const Section& section, const std::string& sentence);

private:
    friend class Section;
    struct State;
    void parse(const std::string& text);
    std::shared_ptr<State> state;
};

class Section {
public:
    ~Section();
    Section(const Section&);
    Section& operator=(const Section&);

    bool has(const std::string& key) const;
    bool isText(const std::string& key) const;  // one value, neither a mapping nor a list
    bool present() const;  // the section itself stands in the file
    // Required.
    std::string text(const std::string& key);
    std::string text(const std::string& key, const std::string& fallback);
    std::string text(const std::string& key, const Form& form);
    // The fallback may be of another form: "".
    std::string text(const std::string& key, const std::string& fallback, const Form& form);
    // Required, a name of a node, connector or tenant.
    std::string name(const std::string& key);
    bool flag(const std::string& key, bool fallback);
    // "2s", "500ms", "10m", "12h", "90d", "0"; at most 36500d, so that it can be added to any instant.
    Duration duration(const std::string& key, Duration fallback);
    // "512MiB", "64KiB", plain bytes.
    std::uint64_t bytes(const std::string& key, std::uint64_t fallback);
    // 0 to `most`.
    std::uint64_t number(const std::string& key, std::uint64_t fallback, std::uint64_t most);
    // A mapping; absent ones read as empty.
    Section section(const std::string& key);
    // A list of mappings; absent ones read as empty.
    std::vector<Section> sections(const std::string& key);
    std::vector<std::string> texts(const std::string& key);
    int line() const;

private:
    friend class Reader;
    struct Node;
    Section(std::shared_ptr<Reader::State> owner, std::shared_ptr<Node> content);
    std::shared_ptr<Reader::State> reader;
    std::shared_ptr<Node> node;
};

}  // namespace mesh::config
