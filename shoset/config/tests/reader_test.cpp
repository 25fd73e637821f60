#include "shoset/config/reader.hpp"

#include <gtest/gtest.h>

namespace mesh::config {
namespace {

std::string problemOf(Reader& reader)
{
    const Result<void> fine = reader.finish();
    return fine ? std::string() : fine.error().message;
}

TEST(Reader, ReadsEveryFormOfValue)
{
    Reader reader("a.yaml", "name: x\non: true\nwait: 500ms\nsize: 2KiB\ncount: 7\nlist: [a, b]\nparts: [{k: 1}, {k: 2}]\nsub: {t: y}\n");
    Section root = reader.root();
    EXPECT_EQ(root.text("name"), "x");
    EXPECT_TRUE(root.flag("on", false));
    EXPECT_EQ(root.duration("wait", 1s), 500ms);
    EXPECT_EQ(root.bytes("size", 0), 2048U);
    EXPECT_EQ(root.number("count", 0, 7), 7U);
    EXPECT_EQ(root.number("other", 3, 7), 3U);
    EXPECT_EQ(root.texts("list"), (std::vector<std::string>{"a", "b"}));
    std::vector<Section> parts = root.sections("parts");
    ASSERT_EQ(parts.size(), 2U);
    EXPECT_EQ(parts[0].text("k"), "1");
    EXPECT_EQ(parts[1].text("k"), "2");
    EXPECT_EQ(root.section("sub").text("t"), "y");
    EXPECT_EQ(problemOf(reader), "");
}

TEST(Reader, ANumberHasItsBound)
{
    for (const char* text : {"count: 8\n", "count: -1\n", "count: 7MiB\n", "count: x\n"}) {
        Reader reader("a.yaml", text);
        EXPECT_EQ(reader.root().number("count", 3, 7), 3U);
        EXPECT_NE(problemOf(reader).find("a.yaml:1: expected a number up to 7 for 'count'"), std::string::npos) << text;
    }
}

TEST(Reader, AnUnknownKeyIsNamedWithItsLineAndWhatWasExpected)
{
    Reader reader("a.yaml", "name: x\nnmae: y\n");
    reader.root().text("name");
    EXPECT_EQ(problemOf(reader), "a.yaml:2: unknown key 'nmae'; expected one of name");
}

TEST(Reader, AKeyThatStandsTwiceIsNamedWithTheLineOfTheSecond)
{
    Reader reader("a.yaml", "refuse: [{path: a}]\nsub:\n  x: y\nrefuse: [{path: b}]\n");
    Section root = reader.root();
    for (Section& entry : root.sections("refuse")) {
        entry.text("path");
    }
    root.section("sub").text("x");
    EXPECT_EQ(problemOf(reader), "a.yaml:4: 'refuse' stands here a second time");
    Reader inside("a.yaml", "sub: {x: y, x: y}\n");
    inside.root().section("sub").text("x");
    EXPECT_EQ(problemOf(inside), "a.yaml:1: 'x' stands here a second time");
}

TEST(Reader, TimesReachFromZeroToACentury)
{
    const auto read = [](const std::string& value, std::string& problem) {
        Reader reader("a.yaml", "keep: " + value + "\n");
        const Duration got = reader.root().duration("keep", 7s);
        problem = problemOf(reader);
        return got;
    };
    std::string problem;
    EXPECT_EQ(read("0", problem), 0s);
    EXPECT_EQ(problem, "");
    EXPECT_EQ(read("36500d", problem), std::chrono::hours(36500 * 24));
    EXPECT_EQ(problem, "");
    for (const char* tooLong : {"36501d", "106752d", "200000d", "18446744073s"}) {
        EXPECT_EQ(read(tooLong, problem), 7s) << tooLong;
        EXPECT_NE(problem.find("a.yaml:1: expected at most 36500d for 'keep'"), std::string::npos) << tooLong << problem;
    }
    EXPECT_EQ(read("5", problem), 7s);
    EXPECT_NE(problem.find("expected a time such as"), std::string::npos);
}

TEST(Reader, ATextMayHaveToBeOfAForm)
{
    const Form form{[](std::string_view text) { return text.starts_with("tcp://"); }, "tcp://HOST:PORT"};
    Reader reader("a.yaml", "good: 'tcp://a:1'\n\nbad: udp\n");
    Section root = reader.root();
    EXPECT_EQ(root.text("good", form), "tcp://a:1");
    EXPECT_EQ(root.text("absent", "", form), "");
    root.text("bad", "", form);
    EXPECT_EQ(problemOf(reader), "a.yaml:3: expected tcp://HOST:PORT for 'bad', not 'udp'");
    Reader without("a.yaml", "x: y\n");
    without.root().text("bind", form);
    EXPECT_EQ(problemOf(without), "a.yaml:1: expected 'bind'");
}

TEST(Reader, AMissingKeyIsNamedWithItsSection)
{
    Reader reader("a.yaml", "facade:\n  bind: x\n");
    Section facade = reader.root().section("facade");
    facade.text("bind");
    facade.text("certificate");
    EXPECT_EQ(problemOf(reader), "a.yaml:2: expected 'certificate' in facade");
}

TEST(Reader, WrongFormsAreNamedWithTheirLine)
{
    Reader reader("a.yaml", "\nwait: soon\n");
    EXPECT_EQ(reader.root().duration("wait", 3s), 3s);
    EXPECT_EQ(problemOf(reader), "a.yaml:2: expected a time such as 500ms, 2s or 10m for 'wait', not 'soon'");
}

TEST(Reader, AMappingInPlaceOfATextIsAProblem)
{
    Reader reader("a.yaml", "name: {a: b}\n");
    reader.root().text("name");
    EXPECT_EQ(problemOf(reader), "a.yaml:1: expected a text for 'name'");
}

TEST(Reader, BrokenYamlIsNamedWithItsLine)
{
    Reader reader("a.yaml", "name: x\n  : [\n");
    reader.root();
    EXPECT_EQ(problemOf(reader).substr(0, 9), "a.yaml:2:");
}

TEST(Reader, AbsentSectionsReadAsDefaults)
{
    Reader reader("a.yaml", "name: x\n");
    Section root = reader.root();
    root.text("name");
    Section facade = root.section("facade");
    EXPECT_FALSE(facade.present());
    EXPECT_EQ(facade.text("bind", "z"), "z");
    EXPECT_TRUE(root.sections("members").empty());
    EXPECT_EQ(problemOf(reader), "");
}

TEST(Reader, RefusesWhatIsNoName)
{
    Reader reader("a.yaml", "name: a/b\n");
    reader.root().name("name");
    EXPECT_EQ(problemOf(reader),
              "a.yaml:1: expected a name of letters, digits, '.', '_' and '-', at most 63, for 'name'");
    Reader good("a.yaml", "name: agg-a\n");
    EXPECT_EQ(good.root().name("name"), "agg-a");
    EXPECT_EQ(problemOf(good), "");
}

TEST(Reader, AFileThatCannotBeReadIsItsFirstProblem)
{
    Reader reader("/nowhere/a.yaml");
    EXPECT_EQ(reader.root().text("name"), "");
    EXPECT_NE(problemOf(reader).find("/nowhere/a.yaml"), std::string::npos);
    EXPECT_EQ(problemOf(reader).find("expected"), std::string::npos);
}

}  // namespace
}  // namespace mesh::config
