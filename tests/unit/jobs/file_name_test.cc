// Names of delivered files: what a template takes, and what becomes of it.
#include "core/jobs/schedule/file_name.h"

#include <gtest/gtest.h>

namespace postern::jobs {
namespace {

std::string Named(std::string_view text) {
  std::string problem;
  const auto name = ParseFileName(text, &problem);
  if (!name) return "refused: " + problem;
  return Expand(*name, {.slot = 1'790'000'000,  // 2026-09-21T14:13:20Z
                        .zone = *FindZone("Europe/Berlin"),
                        .sequence = 41,
                        .run = "0123456789abcdef0123",
                        .mode = "delta"});
}

TEST(FileName, FillsWhatIsKnown) {
  EXPECT_EQ(Named("users_{slot:%Y%m%d}.csv"), "users_20260921.csv");
  EXPECT_EQ(Named("{slot}"), "20260921T161320");  // in the zone
  EXPECT_EQ(Named("u-{seq}-{seq:06}-{run}-{mode}.xml"), "u-41-000041-0123456789ab-delta.xml");
  EXPECT_EQ(Named("a{{b}}c"), "a{b}c");
  EXPECT_EQ(Named("plain.csv"), "plain.csv");
}

TEST(FileName, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(Named("u_{seqq}.csv"), "refused: {seqq} isn't known; did you mean {seq}?");
  EXPECT_EQ(Named("u_{colour}.csv"), "refused: {colour} isn't known");
  EXPECT_EQ(Named("u_{run:8}.csv"), "refused: {run:8} isn't known");
  EXPECT_EQ(Named("u_{slot:%c}.csv"),
            "refused: \"%c\" is no format of a time for names, such as %Y%m%d");
  EXPECT_EQ(Named("u_{slot:day}.csv").substr(0, 8), "refused:");
  EXPECT_EQ(Named("u_{seq:6}.csv"), "refused: \"6\" is no width of a number, such as 06");
  EXPECT_EQ(Named("u_{seq:0999}.csv").substr(0, 8), "refused:");
  EXPECT_EQ(Named("u_{seq.csv"), "refused: the braces don't match");
  EXPECT_EQ(Named("u_}seq.csv"), "refused: the braces don't match");
  for (const char* path : {"", "../x", "a/b", ".hidden", "a b", "a\nb", "a\\b"}) {
    EXPECT_EQ(Named(path),
              "refused: no name of a file: a slash, a blank, a leading dot, or too long")
        << path;
  }
  EXPECT_EQ(Named(std::string(201, 'a')).substr(0, 8), "refused:");
}

TEST(FileName, KnowsWhetherTwoRunsHaveTwoNames) {
  std::string problem;
  for (const char* text : {"{slot}", "{seq}.csv", "x{run}"}) {
    EXPECT_TRUE(ParseFileName(text, &problem)->IsDistinct()) << text;
  }
  for (const char* text : {"users.csv", "{mode}.csv"}) {
    EXPECT_FALSE(ParseFileName(text, &problem)->IsDistinct()) << text;
  }
}

}  // namespace
}  // namespace postern::jobs
