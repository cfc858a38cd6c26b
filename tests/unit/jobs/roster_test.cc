// Golden rosters: what a partner sends, good and bad, in each format.
#include <gmock/gmock.h>

#include "tests/support/scratch.h"
#include "tests/unit/jobs/rosters.h"

namespace postern::jobs::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

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

}  // namespace
}  // namespace postern::jobs::test
