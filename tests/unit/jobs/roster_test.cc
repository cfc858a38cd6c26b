// Golden rosters: what a partner sends, good and bad, in each format.
#include <gmock/gmock.h>

#include <unistd.h>

#include <chrono>

#include "tests/support/scratch.h"
#include "tests/unit/jobs/files.h"

namespace postern::jobs::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// ID (key, a pattern), MAIL (required), UNTIL (a date).
Shape Roster(Format format) {
  Shape shape;
  shape.format = format;
  shape.columns = {
      {.name = format == Format::kLdif ? "dn" : "ID", .key = true, .pattern = "[A-Z]+[0-9]{1,4}"},
      {.name = "MAIL", .required = true, .max_length = 20},
      {.name = "UNTIL", .type = Type::kTime}};
  return shape;
}

struct Outcome {
  std::string refusal, rejections;
  uint64_t rows = 0;
  Gathered gathered;
};

Outcome ReadCsvText(std::string_view text, const ReadOptions& options = {},
                    const Shape& shape = Roster(Format::kCsv)) {
  Outcome outcome;
  const Report report = ReadText(shape, options, text, &outcome.gathered);
  outcome.refusal = Refusal(report);
  outcome.rejections = outcome.gathered.Rejections();
  outcome.rows = report.rows;
  return outcome;
}

Outcome ReadFormat(Format format, std::string_view text, const ReadOptions& options = {}) {
  return ReadCsvText(text, options, Roster(format));
}

constexpr std::string_view kHeader = "ID,MAIL,UNTIL\n";

std::string WithHeader(std::string_view rows) {
  return std::string(kHeader) + std::string(rows);
}

TEST(Roster, Good) {
  const Outcome good = ReadCsvText(WithHeader("A1,a@x.test,2027-02-01\nA2,b@x.test,\n"));
  EXPECT_EQ(good.refusal, "");
  EXPECT_EQ(good.rejections, "");
  ASSERT_EQ(good.rows, 2u);
  EXPECT_EQ(good.gathered.rows[0].cells[2], One("2027-02-01T00:00:00Z"));
  EXPECT_EQ(good.gathered.rows[1].cells[2], Empty());
}

TEST(Roster, ColumnsInAnotherOrder) {
  const Outcome good = ReadCsvText("UNTIL,ID,MAIL\n2027-02-01,A1,a@x.test\n");
  ASSERT_EQ(good.rows, 1u);
  EXPECT_EQ(good.gathered.rows[0].cells[0], One("A1"));
}

TEST(Roster, ThreeBadRows) {
  const Outcome bad = ReadCsvText(
      WithHeader("A1,a@x.test,2027-02-01\nA2,,\nA3,c@x.test\nA4,d@x.test,31.02.2027\nA5,e@x.test,"
                 "\n"));
  EXPECT_EQ(bad.refusal, "");
  EXPECT_EQ(bad.rows, 2u);
  EXPECT_EQ(bad.rejections,
            "3 E0823 MAIL: has no value\n"
            "4 E0821 2 fields where there are 3 columns\n"
            "5 E0822 UNTIL: 31.02.2027 isn't a time\n");
}

TEST(Roster, LinesAreCountedThroughQuotedBreaks) {
  Shape shape = Roster(Format::kCsv);
  shape.columns[1].any_text = true;
  const Outcome bad = ReadCsvText("ID,MAIL,UNTIL\r\nA1,\"a\r\n\r\nb\",\r\n\r\nA2,,\r\n", {}, shape);
  EXPECT_EQ(bad.rejections, "6 E0823 MAIL: has no value\n");
  EXPECT_EQ(bad.rows, 1u);
}

TEST(Roster, WrongHeader) {
  EXPECT_EQ(ReadCsvText("ID,MIAL,UNTIL\nA1,a,\n").refusal,
            "E0811 roster:1: column MIAL isn't declared");
  EXPECT_EQ(ReadCsvText("ID,MAIL\nA1,a\n").refusal, "E0811 roster:1: column UNTIL is missing");
  EXPECT_EQ(ReadCsvText("ID,MAIL,UNTIL,MAIL\n").refusal,
            "E0811 roster:1: column MAIL stands twice");
  EXPECT_EQ(ReadCsvText("id,MAIL,UNTIL\n").refusal, "E0811 roster:1: column id isn't declared");
  EXPECT_EQ(ReadCsvText("A1,a@x.test,\n").refusal, "E0811 roster:1: column A1 isn't declared");
  ReadOptions options;
  options.ignore_unknown = true;
  EXPECT_EQ(ReadCsvText("ID,MAIL,PHONE,UNTIL\nA1,a,1,\n", options).rows, 1u);
}

TEST(Roster, Truncated) {
  EXPECT_EQ(ReadCsvText(WithHeader("A1,a@x.test,\nA2,b@")).refusal,
            "E0812 roster:3: the file ends inside a row: 2 fields of 3");
  EXPECT_EQ(ReadCsvText(WithHeader("A1,\"a@x.te")).refusal,
            "E0812 roster:2: the file ends inside a quoted field");
  EXPECT_EQ(ReadCsvText(WithHeader("A1,Zo\xC3")).refusal,
            "E0812 roster: the file ends inside a character");
  EXPECT_EQ(ReadFormat(Format::kJson, "[{\"ID\":\"A1\",\"MAIL\":\"a\"},").refusal,
            "E0812 roster:1: the file ends before the JSON does");
  EXPECT_EQ(ReadFormat(Format::kJsonLines, "{\"ID\":\"A1\",\"MAIL\":\"a\"}\n{\"ID\":\"A").refusal,
            "E0812 roster:2: the file ends inside a row");
  EXPECT_EQ(ReadFormat(Format::kXml, "<rows>\n<row><ID>A1</ID><MAIL>a</MAIL></row>\n<row>").refusal,
            "E0812 roster:3: the file ends before the XML does");
  EXPECT_EQ(ReadFormat(Format::kLdif, "dn: A1\nMAIL: a@x.te").refusal,
            "E0812 roster:2: the last line has no end");
}

TEST(Roster, Empty) {
  EXPECT_EQ(ReadCsvText("").refusal, "E0817 roster: the file is empty: not even a header");
  EXPECT_EQ(ReadCsvText(kHeader).refusal, "E0817 roster: not one row");
  EXPECT_EQ(ReadFormat(Format::kJson, "").refusal, "E0817 roster: the file is empty");
  EXPECT_EQ(ReadFormat(Format::kJson, "[]").refusal, "E0817 roster: not one row");
  EXPECT_EQ(ReadFormat(Format::kJsonLines, "").refusal, "E0817 roster: not one row");
  EXPECT_EQ(ReadFormat(Format::kXml, "").refusal, "E0817 roster: the file is empty");
  EXPECT_EQ(ReadFormat(Format::kXml, "<rows/>").refusal, "E0817 roster: not one row");
  EXPECT_EQ(ReadFormat(Format::kLdif, "").refusal, "E0817 roster: the file is empty");
  EXPECT_EQ(ReadFormat(Format::kLdif, "version: 1\n").refusal, "E0817 roster: not one row");
  ReadOptions options;
  options.may_be_empty = true;
  EXPECT_EQ(ReadCsvText(kHeader, options).refusal, "");
}

TEST(Roster, ExternalEntity) {
  const support::Scratch scratch;
  const std::string secret = scratch.Write("secret", "root:x:0:0");
  const Outcome xml = ReadFormat(
      Format::kXml, "<?xml version=\"1.0\"?>\n<!DOCTYPE rows [<!ENTITY e SYSTEM \"file://" +
                        secret + "\">]>\n<rows><row><ID>A1</ID><MAIL>&e;</MAIL></row></rows>");
  EXPECT_EQ(xml.refusal, "E0816 roster:2: a DOCTYPE isn't taken");
  EXPECT_EQ(xml.rows, 0u);
  EXPECT_THAT(
      ReadFormat(Format::kXml, "<rows><row><ID>A1</ID><MAIL>&e;</MAIL></row></rows>").refusal,
      StartsWith("E0816 roster:1: Entity 'e' not defined"));
  EXPECT_EQ(
      ReadFormat(Format::kXml, "<!DOCTYPE rows SYSTEM \"file://" + secret + "\"><rows/>").refusal,
      "E0816 roster:1: a DOCTYPE isn't taken");
  // The same by LDIF: a URL as a value, also hidden by a fold, and an include.
  EXPECT_EQ(ReadFormat(Format::kLdif, "dn: A1\nMAIL:< file://" + secret + "\n").refusal,
            "E0816 roster:1: a URL as a value isn't taken");
  EXPECT_EQ(ReadFormat(Format::kLdif, "dn: A1\nMAIL:\n < file://" + secret + "\n").refusal,
            "E0816 roster:1: a URL as a value isn't taken");
  EXPECT_EQ(
      ReadFormat(Format::kLdif, "include: file://" + secret + "\n\ndn: A1\nMAIL: a\n").refusal,
      "E0816 roster:1: a URL as a value isn't taken");
}

TEST(Roster, EntityBomb) {
  std::string bomb = "<!DOCTYPE rows [<!ENTITY a \"aaaaaaaaaa\">";
  for (char c = 'b'; c <= 'k'; ++c) {
    bomb += "<!ENTITY " + std::string(1, c) + " \"";
    for (int i = 0; i < 10; ++i) bomb += "&" + std::string(1, static_cast<char>(c - 1)) + ";";
    bomb += "\">";
  }
  bomb += "]>\n<rows><row><ID>A1</ID><MAIL>&k;</MAIL></row></rows>";
  EXPECT_EQ(ReadFormat(Format::kXml, bomb).refusal, "E0816 roster:1: a DOCTYPE isn't taken");
}

TEST(Roster, DuplicateKeys) {
  const Outcome twice = ReadCsvText(WithHeader("A1,a,\nA2,b,\nA1,c,\nA1,d,\n"));
  EXPECT_EQ(twice.rejections,
            "2 E0824 its key stands in line 4 as well\n"
            "4 E0824 its key stands in line 2 as well\n"
            "5 E0824 its key stands in line 2 as well\n");
  EXPECT_TRUE(twice.gathered.rejections[0].was_taken);
  EXPECT_EQ(twice.rows, 1u);
  for (const auto& [format, text] : std::vector<std::pair<Format, std::string>>{
           {Format::kJson, "[{\"ID\":\"A1\",\"MAIL\":\"a\"},\n{\"ID\":\"A1\",\"MAIL\":\"b\"}]"},
           {Format::kJsonLines, "{\"ID\":\"A1\",\"MAIL\":\"a\"}\n{\"ID\":\"A1\",\"MAIL\":\"b\"}\n"},
           {Format::kXml,
            "<rows><row><ID>A1</ID><MAIL>a</MAIL></row>\n<row><ID>A1</ID><MAIL>b</MAIL></row></"
            "rows>"},
           {Format::kLdif, "dn: A1\nMAIL: a\n\ndn: A1\nMAIL: b\n"}}) {
    EXPECT_THAT(ReadFormat(format, text).rejections,
                HasSubstr("E0824 its key stands in line 1 as well"));
  }
}

TEST(Roster, OlderFile) {
  Shape shape = Roster(Format::kJson);
  ReadOptions options;
  options.last_sequence = 41;
  const auto read = [&](const std::string& head) {
    Gathered gathered;
    Report report = ReadText(shape, options,
                             "{" + head + "\"rows\":[{\"ID\":\"A1\",\"MAIL\":\"a\"}]}", &gathered);
    EXPECT_EQ(gathered.rows.size(), report.older || report.refused ? 0u : 1u);
    return report;
  };
  const Report older = read(R"("mode":"full","sequence":41,)");
  EXPECT_TRUE(older.older);
  EXPECT_FALSE(older.refused);
  EXPECT_EQ(older.diagnostics.all().front().code, "W0801");
  EXPECT_FALSE(read(R"("mode":"full","sequence":42,)").older);
  EXPECT_EQ(Refusal(read(R"("mode":"delta","sequence":42,"base_sequence":41,)")),
            "E0811 roster: the file says that it is a delta; declared is a full file");
  shape.mode = Mode::kDelta;
  EXPECT_EQ(Refusal(read(R"("mode":"delta","sequence":44,"base_sequence":43,)")),
            "E0818 roster: made for the state 43, the last one taken is 41");
}

TEST(Roster, FormulaCells) {
  const Outcome bad =
      ReadCsvText(WithHeader("A1,=1+1,\nA2,@SUM(A1),\nA3,+49,\nA4,-1,\nA5,ok,\n1.23E+05,x,\n"
                             "#N/A,x,\n"));
  EXPECT_EQ(bad.rows, 1u);
  EXPECT_EQ(bad.rejections,
            "2 E0822 MAIL: =1+1 would be a formula in a spreadsheet\n"
            "3 E0822 MAIL: @SUM(A1) would be a formula in a spreadsheet\n"
            "4 E0822 MAIL: +49 would be a formula in a spreadsheet\n"
            "5 E0822 MAIL: -1 would be a formula in a spreadsheet\n"
            "7 E0822 ID: 1.23E+05 is what a spreadsheet made of the value\n"
            "8 E0822 ID: #N/A is what a spreadsheet made of the value\n");
  ReadOptions options;
  options.take_formulas = true;
  EXPECT_EQ(ReadCsvText(WithHeader("A3,+49,\n"), options).rows, 1u);
}

TEST(Roster, InvalidUtf8) {
  EXPECT_EQ(ReadCsvText(WithHeader("A1,a,\nA2,M\xFCller,\n")).refusal,
            "E0813 roster:3: byte 0xFC (offset 24) isn't UTF-8");
  // A surrogate, an overlong form, beyond the last character.
  for (const char* broken : {"\xED\xA0\x80", "\xC0\xAF", "\xF4\x90\x80\x80", "\x80"}) {
    EXPECT_THAT(ReadCsvText(WithHeader("A1," + std::string(broken) + ",\n")).refusal,
                StartsWith("E0813 roster:2: byte 0x"));
    for (const Format format : {Format::kXml, Format::kJson, Format::kJsonLines, Format::kLdif}) {
      EXPECT_THAT(ReadFormat(format, broken).refusal, StartsWith("E0813 roster:1: byte 0x"));
    }
  }
  EXPECT_EQ(ReadCsvText(WithHeader(std::string_view("A1,a\0b,\n", 8))).refusal,
            "E0813 roster:2: a NUL stands in the text");
  Shape shape = Roster(Format::kCsv);
  shape.encoding = Encoding::kWindows1252;
  EXPECT_EQ(ReadCsvText(WithHeader("A1,\x81,\n"), {}, shape).refusal,
            "E0813 roster:2: byte 0x81 (offset 17) isn't windows-1252");
  EXPECT_EQ(ReadCsvText(WithHeader("A1,M\xFCller \x80,\n"), {}, shape).gathered.rows.at(0).cells[1],
            One("M\u00fcller \u20ac"));
}

TEST(Roster, BomAndCrlf) {
  EXPECT_EQ(ReadCsvText("\xEF\xBB\xBFID,MAIL,UNTIL\r\nA1,a,\r\n").rows, 1u);
  EXPECT_EQ(ReadFormat(Format::kJson, "\xEF\xBB\xBF[{\"ID\":\"A1\",\"MAIL\":\"a\"}]\r\n").rows, 1u);
  EXPECT_EQ(ReadFormat(Format::kJsonLines, "{\"ID\":\"A1\",\"MAIL\":\"a\"}\r\n").rows, 1u);
  EXPECT_EQ(ReadFormat(Format::kLdif, "version: 1\r\n\r\ndn: A1\r\nMAIL: a\r\n b\r\n").rows, 1u);
  EXPECT_EQ(
      ReadFormat(Format::kXml,
                 "\xEF\xBB\xBF<rows>\r\n<row><ID>A1</ID>\r\n<MAIL>a</MAIL></row>\r\n</rows>\r\n")
          .rows,
      1u);
  EXPECT_EQ(ReadCsvText(std::string_view("\xFF\xFEI\0D\0", 6)).refusal,
            "E0813 roster:1: the mark at the beginning says UTF-16LE, declared is UTF-8");
  EXPECT_EQ(ReadCsvText("ID,MAIL,UNTIL\rA1,a,\r").refusal,
            "E0815 roster:1: a carriage return alone");
}

TEST(Roster, BrokenQuotes) {
  EXPECT_EQ(ReadCsvText(WithHeader("A1,a\"b,\n")).refusal,
            "E0815 roster:2: a quote inside a field that isn't quoted");
  EXPECT_EQ(ReadCsvText(WithHeader("A1,\"a\"b,\n")).refusal,
            "E0815 roster:2: text after a closing quote");
}

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

TEST(Roster, OneGigabyteLine) {
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

TEST(Roster, Limits) {
  ReadOptions options;
  options.limits.rows = 2;
  EXPECT_EQ(ReadCsvText(WithHeader("A1,a,\nA2,b,\nA3,c,\n"), options).refusal,
            "E0814 roster:4: more than 2 rows");
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

TEST(Roster, RowsThatDontFitTheirColumns) {
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

TEST(Roster, FilesThatArentTheFormat) {
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

TEST(Roster, AFileThatCantBeReadToItsEnd) {
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

TEST(Roster, OnlyRegularFilesAreOpened) {
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
