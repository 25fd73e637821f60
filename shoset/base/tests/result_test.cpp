#include "shoset/base/result.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace mesh {
namespace {

TEST(Result, HoldsTheValueThatWasReturned)
{
    Result<std::string> result = std::string("value");
    ASSERT_TRUE(result.ok());
    EXPECT_TRUE(static_cast<bool>(result));
    EXPECT_EQ(*result, "value");
    EXPECT_EQ(result->size(), 5u);
    result.value() = "another";
    EXPECT_EQ(result.value(), "another");
}

TEST(Result, HoldsTheErrorThatWasReturned)
{
    const Result<std::string> result = Error{Code::full, "the queue is full"};
    ASSERT_FALSE(result.ok());
    EXPECT_FALSE(static_cast<bool>(result));
    EXPECT_EQ(result.error().code, Code::full);
    EXPECT_EQ(result.error().message, "the queue is full");
}

TEST(Result, MovesAValueThatCannotBeCopied)
{
    Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
    const std::unique_ptr<int> taken = std::move(*result);
    ASSERT_TRUE(taken);
    EXPECT_EQ(*taken, 7);
}

TEST(Result, WithoutAValueIsOkUnlessItHasAnError)
{
    EXPECT_TRUE(Result<void>().ok());
    const Result<void> failed = Error{Code::ioError, "disk"};
    EXPECT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().code, Code::ioError);
}

TEST(ResultDeathTest, ReadingTheWrongSideAborts)
{
    Result<std::string> failed = Error{Code::full, "full"};
    const Result<std::string> fine = std::string("fine");
    const Result<void> done;
    EXPECT_DEATH(failed.value().clear(), "");
    EXPECT_DEATH(static_cast<void>(*failed), "");
    EXPECT_DEATH(static_cast<void>(failed->data()), "");
    EXPECT_DEATH(static_cast<void>(fine.error().message.size()), "");
    EXPECT_DEATH(static_cast<void>(done.error().message.size()), "");
}

TEST(Result, EveryCodeHasANameOfItsOwn)
{
    std::set<std::string> names;
    for (int code = 0; code <= static_cast<int>(Code::unsupported); ++code) {
        names.insert(codeName(static_cast<Code>(code)));
    }
    EXPECT_EQ(names.size(), static_cast<std::size_t>(Code::unsupported) + 1);
    EXPECT_EQ(names.count("unknown"), 0u);
    EXPECT_STREQ(codeName(Code::notSent), "not_sent");
    EXPECT_STREQ(codeName(Code::outcomeUnknown), "outcome_unknown");
    EXPECT_STREQ(codeName(static_cast<Code>(999)), "unknown");
}

}  // namespace
}  // namespace mesh
