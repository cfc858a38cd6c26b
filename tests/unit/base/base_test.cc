#include <gtest/gtest.h>

#include "core/base/hash.h"
#include "core/base/time.h"

namespace postern::base {
namespace {

TEST(Time, RoundTripsAndReadsOffsets) {
  EXPECT_EQ(FormatInstant(*ParseInstant("2026-12-31T23:59:59Z")), "2026-12-31T23:59:59Z");
  EXPECT_EQ(ParseInstant("2026-12-31T01:00:00+01:00"), ParseInstant("2026-12-31T00:00:00Z"));
  EXPECT_EQ(FormatInstant(*ParseInstant("1969-12-31T23:00:00Z")), "1969-12-31T23:00:00Z");
}

TEST(Time, ADateIsItsFirstOrLastSecond) {
  EXPECT_EQ(FormatInstant(*ParseInstant("2026-02-28")), "2026-02-28T00:00:00Z");
  EXPECT_EQ(FormatInstant(*ParseInstant("2026-02-28", true)), "2026-02-28T23:59:59Z");
  EXPECT_EQ(FormatHuman(*ParseInstant("2026-02-28", true)), "2026-02-28");
}

TEST(Time, RefusesWhatIsNoTime) {
  for (const char* text : {"", "2026", "2026-13-01", "2026-02-30", "2026-01-01T25:00:00Z",
                           "2026-01-01T00:00:00", "2026-01-01T00:00:00+1:00", "x026-01-01"}) {
    EXPECT_FALSE(ParseInstant(text)) << text;
  }
}

TEST(Hash, KnownAnswers) {
  EXPECT_EQ(Hex(Sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex(HmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");  // RFC 4231 case 2
}

TEST(Hash, Base64RoundTrip) {
  for (const std::string bytes : {"", "a", "ab", "abc", "abcd"}) {
    std::string back;
    ASSERT_TRUE(DecodeBase64(Base64(bytes), &back));
    EXPECT_EQ(back, bytes);
  }
  std::string out;
  EXPECT_FALSE(DecodeBase64("abc", &out));
  EXPECT_FALSE(DecodeBase64("a*==", &out));
}

}  // namespace
}  // namespace postern::base
