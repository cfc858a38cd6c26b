#include "providers/iam/http/retry.h"

#include <gtest/gtest.h>

namespace postern::iam {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int64_t kNow = 1'792'540'800;  // 2026-10-21T00:00:00Z

TEST(Retry, WaitsLongerEachTimeAndNeverTheSame) {
  const RetryLimits limits;
  const Attempt lost{};
  for (int made = 1; made < limits.attempts; ++made) {
    const auto step = milliseconds(200 << (made - 1));
    for (const uint64_t random :
         std::initializer_list<uint64_t>{0, 1, 77'777'777, UINT64_MAX - 1}) {
      const auto delay = NextDelay(lost, made, limits, random);
      ASSERT_TRUE(delay);
      EXPECT_GE(*delay, step / 2);
      EXPECT_LE(*delay, step);
    }
  }
  EXPECT_FALSE(NextDelay(lost, limits.attempts, limits, 0));
  EXPECT_NE(NextDelay(lost, 3, limits, 5), NextDelay(lost, 3, limits, 90));
}

TEST(Retry, AskedForIsKeptToItsBound) {
  const RetryLimits limits;
  Attempt busy{.status = 429, .retry_after = seconds(7)};
  EXPECT_EQ(NextDelay(busy, 1, limits, 0), milliseconds(7000));
  busy.retry_after = seconds(61);
  EXPECT_FALSE(NextDelay(busy, 1, limits, 0)) << "an operator's run doesn't hang for an hour";
}

struct Row {
  bool write;
  int status;
  bool sent, asked, again;
};

TEST(Retry, OnlyWhereNothingIsDoneTwice) {
  const Row rows[] = {
      {false, 0, true, false, true},    {true, 0, true, false, false},
      {true, 0, false, false, true},    {false, 429, true, false, true},
      {true, 429, true, false, true},   {false, 503, true, false, true},
      {true, 503, true, false, false},  {true, 503, true, true, true},
      {false, 500, true, false, true},  {true, 500, true, false, false},
      {true, 502, true, true, false},   {false, 404, true, false, false},
      {false, 401, true, false, false}, {true, 412, true, true, false},
  };
  for (const Row& row : rows) {
    Attempt attempt{.write = row.write, .status = row.status, .sent = row.sent};
    if (row.asked) attempt.retry_after = seconds(1);
    EXPECT_EQ(NextDelay(attempt, 1, {}, 0).has_value(), row.again)
        << row.status << (row.write ? " write" : " read");
  }
}

TEST(RetryAfter, SecondsAndDates) {
  EXPECT_EQ(ParseRetryAfter(" 120 ", kNow), seconds(120));
  EXPECT_EQ(ParseRetryAfter("Wed, 21 Oct 2026 00:00:30 GMT", kNow), seconds(30));
  EXPECT_EQ(ParseRetryAfter("Tue, 20 Oct 2026 00:00:00 GMT", kNow), seconds(0));
  EXPECT_FALSE(ParseRetryAfter("", kNow));
  EXPECT_FALSE(ParseRetryAfter("-5", kNow));
  EXPECT_FALSE(ParseRetryAfter("soon", kNow));
}

}  // namespace
}  // namespace postern::iam
