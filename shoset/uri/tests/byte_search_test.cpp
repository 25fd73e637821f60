#include "shoset/uri/byte_search.hpp"

#include "shoset/base/rng.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mesh::uri {
namespace {

// Mostly letters, so that the wide versions get past their first block.
std::string randomText(Rng& rng)
{
    std::string text(rng.below(100), 'a');
    for (char& c : text) {
        if (rng.below(30) == 0) {
            c = rng.below(3) == 0 ? static_cast<char>(rng.below(256)) : "\"\\/{}[],: \n\r?#<>;)'`"[rng.below(21)];
        }
    }
    return text;
}

TEST(ByteSearch, WideVersionsAgreeWithTheBytewiseOnes)
{
    SeededRng rng(7);
    for (int i = 0; i < 20000; ++i) {
        const std::string text = randomText(rng);
        const char* const p = text.data();
        const char* const end = p + text.size();
        ASSERT_EQ(findStringEnd(p, end), portable::findStringEnd(p, end));
        ASSERT_EQ(findTextStop(p, end), portable::findTextStop(p, end));
        ASSERT_EQ(findLineEnd(p, end), portable::findLineEnd(p, end));
        ASSERT_EQ(findPathEnd(p, end), portable::findPathEnd(p, end)) << text;
        ASSERT_EQ(findDoubleSlash(p, end), portable::findDoubleSlash(p, end));
        char wide = 'x';
        char bytewise = 'x';
        ASSERT_EQ(findStructure(p, end, wide), portable::findStructure(p, end, bytewise));
        ASSERT_EQ(wide, bytewise);
    }
}

TEST(ByteSearch, FindsEachByteAtEachPlace)
{
    for (int value = 0; value < 256; ++value) {
        for (std::size_t at = 0; at < 40; ++at) {
            std::string text(40, 'a');
            text[at] = static_cast<char>(value);
            const char* const p = text.data();
            const char* const end = p + text.size();
            ASSERT_EQ(findPathEnd(p, end), portable::findPathEnd(p, end)) << value;
            ASSERT_EQ(findTextStop(p, end), portable::findTextStop(p, end)) << value;
            text.assign(40, ' ');
            text[at] = static_cast<char>(value);
            ASSERT_EQ(skipBlanks(p, end), portable::skipBlanks(p, end)) << value;
            text.assign(40, '/');
            for (std::size_t i = 0; i < 40; i += 2) {
                text[i] = 'a';
            }
            text[at] = static_cast<char>(value);
            ASSERT_EQ(findDoubleSlash(p, end), portable::findDoubleSlash(p, end)) << value << ' ' << at;
        }
    }
}

}  // namespace
}  // namespace mesh::uri
