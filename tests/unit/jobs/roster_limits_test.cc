// Rosters that are too much, aren't their format, or can't be read to their end.
#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>
#include <tuple>
#include <vector>

#include "tests/support/scratch.h"
#include "tests/unit/jobs/rosters.h"

namespace postern::jobs::test {
namespace {

using testing::StartsWith;

// A source without an end: what it has given when the reader stops is what the reader could hold.
struct Endless {
  std::string begin, middle;
  uint64_t given = 0;
  Source source() {
    return [this](char* to, size_t size) -> Result<size_t> {
      for (size_t i = 0; i < size; ++i, ++given) {
        to[i] =
            given < begin.size() ? begin[given] : middle[(given - begin.size()) % middle.size()];
      }
      return size;
    };
  }
};

TEST(RosterLimits, OneGigabyteLine) {
  const std::vector<std::tuple<Format, std::string, std::string>> lines = {
      {Format::kCsv, "ID,MAIL,UNTIL\nA1,", "x"},
      {Format::kCsv, "ID,MAIL,UNTIL\nA1,\"", "x\n"},
      {Format::kCsv, "ID,MAIL,UNTIL\nA1", ","},
      {Format::kCsv, "ID,MAIL,UNTIL\n", "\""},
      {Format::kJson, "[{\"ID\":\"", "x"},
      {Format::kJson, "[", " "},
      {Format::kJson, "[{\"ID\":", "1"},
      {Format::kJson, "", "["},
      {Format::kJson, "[{\"ID\":\"A1\",\"MAIL\":", "{\"a\":"},
      {Format::kJson, "[{\"ID\":\"A1\"", ",\"b\":\"x\""},
      {Format::kJsonLines, "{\"ID\":\"", "x"},
      {Format::kXml, "<rows><row><ID>", "x"},
      {Format::kXml, "<rows><row a=\"", "x"},
      {Format::kXml, "<rows><row", "x"},
      {Format::kXml, "<rows><!--", "x"},
      {Format::kXml, "<rows><?x ", "y"},
      {Format::kXml, "<rows>", "<row>"},
      {Format::kXml, "<rows><row>", "<ID>x</ID>"},
      {Format::kXml, "<rows><row><ID><![CDATA[", "x"},
      {Format::kLdif, "dn: A1\nMAIL: ", "x"},
      {Format::kLdif, "dn: A1\nMAIL: a", "\n x"},
      {Format::kLdif, "dn: A1", "\nMAIL: x"},
      {Format::kLdif, "#", "x"}};
  for (const auto& [format, begin, middle] : lines) {
    Endless endless{begin, middle};
    Gathered gathered;
    ReadOptions options;
    options.limits.bytes = uint64_t{1} << 30;
    const auto started = std::chrono::steady_clock::now();
    const auto report = Read(Roster(format), options, endless.source(), "roster", &gathered);
    ASSERT_TRUE(report);
    EXPECT_THAT(Refusal(*report), testing::AnyOf(StartsWith("E0814"), StartsWith("E0815")))
        << begin << middle;
    EXPECT_EQ(gathered.rows.size(), 0u);
    // libxml2 holds a tag or comment of up to 10 MB before it gives up.
    EXPECT_LT(endless.given, format == Format::kXml ? 12u << 20 : 2u << 20) << begin << middle;
    EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(20));
  }
}

TEST(RosterLimits, Limits) {
  ReadOptions options;
  options.limits.rows = 2;
  EXPECT_EQ(ReadCsvText(WithHeader("A1,a,\nA2,b,\nA3,c,\n"), options).refusal,
            "E0814 roster:4: more than 2 rows (limits.rows)");
  options = {};
  options.limits.bytes = 20;
  EXPECT_EQ(ReadCsvText(WithHeader("A1,a,\nA2,b,\n"), options).refusal,
            "E0814 roster: more than 20 bytes");
  options = {};
  options.limits.columns = 5;
  EXPECT_EQ(ReadCsvText(WithHeader("A1,a,,,,,,\n"), options).refusal,
            "E0814 roster:2: more than 5 fields");
  options = {};
  options.limits.depth = 3;
  EXPECT_EQ(ReadFormat(Format::kJson, "[{\"ID\":[[1]]}]", options).refusal,
            "E0814 roster:1: more than 3 levels");
  EXPECT_EQ(ReadCsvText(WithHeader("A1,abcdefghijklmnopqrstu,\n")).rejections,
            "2 E0822 MAIL: 21 characters, at most 20\n");
  EXPECT_EQ(
      ReadCsvText(WithHeader("A1,\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
                             "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4,\n"))
          .rejections,
      "");
}

TEST(RosterLimits, RowsThatDontFitTheirColumns) {
  EXPECT_EQ(ReadCsvText(WithHeader("a1,x,\nA2,evil\u202e,\n")).rejections,
            "2 E0822 ID: a1 doesn't match [A-Z]+[0-9]{1,4}\n"
            "3 E0822 MAIL: evil\\u{202E} has a character that can't be seen\n");
  EXPECT_EQ(ReadFormat(Format::kJson,
                       "[{\"ID\":\"A1\",\"MAIL\":true},\n{\"ID\":\"A2\",\"MAIL\":[\"a\"]},\n"
                       "{\"ID\":\"A3\",\"MAIL\":\"a\",\"PHONE\":{\"x\":[1,{}]}},\n17,\n[\"A4\"],\n"
                       "{\"ID\":\"A5\",\"MAIL\":\"a\",\"MAIL\":\"b\"},\n"
                       "{\"ID\":\"A6\",\"MAIL\":\"a\\u0000\"},\n{\"ID\":\"A7\",\"MAIL\":\"a\"}]")
                .rejections,
            "1 E0822 MAIL: true isn't of the column's type\n"
            "2 E0822 MAIL: has an object or a list where a value is expected\n"
            "3 E0825 PHONE isn't declared\n"
            "4 E0826 isn't an object\n"
            "5 E0826 isn't an object\n"
            "6 E0825 MAIL: stands twice\n"
            "7 E0822 MAIL: holds a NUL\n");
  EXPECT_EQ(
      ReadFormat(Format::kJsonLines,
                 "{\"ID\":\"A1\",\"MAIL\":\"a\"}\n{\"ID\":}\n{\"ID\":\"A2\",\"MAIL\":\"b\"} x\n"
                 "[]\n{\"ID\":\"A3\",\"MAIL\":\"c\"}\n")
          .rows,
      2u);
  EXPECT_EQ(
      ReadFormat(Format::kXml,
                 "<rows>\n<row><ID>A1</ID></row>\n<row><ID>A2</ID><MAIL>a<b>c</b></MAIL></row>\n"
                 "<row><ID>A3</ID>text<MAIL>a</MAIL></row>\n"
                 "<row><ID>A4</ID><MAIL>a</MAIL><MAIL>b</MAIL></row>\n"
                 "<row x=\"1\"><ID>A5</ID><MAIL>a</MAIL></row>\n</rows>")
          .rejections,
      "2 E0823 MAIL: has no value\n"
      "3 E0825 b isn't declared\n"
      "4 E0825 text stands between the elements\n"
      "5 E0825 MAIL: stands twice\n"
      "6 E0825 x isn't declared\n");
  EXPECT_EQ(ReadFormat(Format::kLdif,
                       "dn: A1\nMAIL:: ??\n\ndn: A2\nMAIL a\n\ndn: A3\nMAIL: a\nMAIL: b\n\n"
                       "MAIL: a\n\ndn: A4\nchangetype: delete\n\ndn: A5\nMAIL:: //8=\n")
                .rejections,
            "1 E0826 MAIL: not base64\n"
            "4 E0826 MAIL a: no colon\n"
            "7 E0825 MAIL: has more than one value\n"
            "11 E0826 MAIL where a record begins with dn\n"
            "13 E0826 changetype delete\n"
            "16 E0822 MAIL: \\x{FF}\\x{FF} isn't UTF-8\n");
}

TEST(RosterLimits, FilesThatArentTheFormat) {
  EXPECT_THAT(ReadFormat(Format::kJson, "[{\"ID\":\"A1\",\"MAIL\":\"a\"}\n{}]").refusal,
              StartsWith("E0815 roster:2: "));
  EXPECT_EQ(ReadFormat(Format::kJson, "17").refusal,
            "E0815 roster:1: neither an array nor an object");
  EXPECT_EQ(ReadFormat(Format::kJson, "{\"rowz\":[]}").refusal,
            "E0811 roster:1: member rowz isn't what a head has");
  EXPECT_EQ(ReadFormat(Format::kJson, "{\"mode\":\"full\"}").refusal, "E0817 roster: not one row");
  EXPECT_THAT(ReadFormat(Format::kXml, "<rows><row></rows>").refusal,
              StartsWith("E0815 roster:1: "));
  EXPECT_EQ(ReadFormat(Format::kXml, "<people/>").refusal,
            "E0811 roster:1: the root is people, declared is rows");
  EXPECT_EQ(ReadFormat(Format::kXml, "<rows><person/></rows>").refusal,
            "E0811 roster:1: an element person where rows are row");
  EXPECT_EQ(ReadFormat(Format::kLdif, "version: 2\ndn: A1\nMAIL: a\n").refusal,
            "E0815 roster:1: another version than 1");
}

TEST(RosterLimits, AFileThatCantBeReadToItsEnd) {
  int calls = 0;
  const Source failing = [&](char* to, size_t) -> Result<size_t> {
    if (++calls > 1) return Fail(ErrorCode::kUnavailable, "read: Input/output error");
    kHeader.copy(to, kHeader.size());
    return kHeader.size();
  };
  Gathered gathered;
  const auto report = Read(Roster(Format::kCsv), {}, failing, "roster", &gathered);
  ASSERT_TRUE(report);
  EXPECT_EQ(Refusal(*report), "E0819 roster: read: Input/output error");
}

TEST(RosterLimits, OnlyRegularFilesAreOpened) {
  const support::Scratch scratch;
  const std::string file = scratch.Write("good.csv", WithHeader("A1,a,\n"));
  ASSERT_EQ(symlink(file.c_str(), scratch.File("link").c_str()), 0);
  EXPECT_TRUE(OpenSource(file));
  EXPECT_FALSE(OpenSource(scratch.File("link")));
  EXPECT_FALSE(OpenSource(scratch.path()));
  EXPECT_EQ(OpenSource(scratch.File("none")).error().code, ErrorCode::kNotFound);
  Gathered gathered;
  const auto report = Read(Roster(Format::kCsv), {}, *OpenSource(file), file, &gathered);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->rows, 1u);
}

}  // namespace
}  // namespace postern::jobs::test
