// What the writers write, byte by byte.
#include <gmock/gmock.h>

#include "tests/unit/jobs/files.h"

namespace postern::jobs::test {
namespace {

using testing::HasSubstr;

std::string Complaint(const Written& written) {
  if (written.diagnostics.empty()) return "";
  const diag::Diagnostic& first = written.diagnostics.all().front();
  return first.code + " " + first.subject + ": " + first.summary;
}

std::vector<OwnRow> TwoPeople() {
  return {{Operation::kNone,
           {One("A1"), One("O'Neil, \"Jim\""), One("j@acme.test"), List({"ERP", "Sales"}),
            One("true"), One("2027-03-01T00:00:00Z")}},
          {Operation::kNone,
           {One("A2"), One("Zo\u00eb"), One("z@acme.test"), List({}), One("false"), Absent()}}};
}

TEST(CsvWriter, QuotesWhatNeedsItAndEndsLinesAsDeclared) {
  const Written written = Write(People(Format::kCsv), {}, TwoPeople());
  ASSERT_TRUE(written.totals) << written.totals.error().message;
  EXPECT_EQ(written.bytes,
            "ID,NAME,MAIL,GROUPS,ACTIVE,UNTIL\r\n"
            "A1,\"O'Neil, \"\"Jim\"\"\",j@acme.test,ERP|Sales,true,2027-03-01T00:00:00Z\r\n"
            "A2,Zo\u00eb,z@acme.test,,false,\r\n");
  EXPECT_EQ(written.totals->rows, 2u);
  EXPECT_EQ(written.totals->bytes, written.bytes.size());
  EXPECT_EQ(written.totals->sha256, base::Sha256(written.bytes));
}

TEST(CsvWriter, KeepsToDelimiterQuoteHeaderAndTimeFormat) {
  Shape shape = People(Format::kCsv);
  shape.delimiter = ';';
  shape.quote = '\'';
  shape.header = false;
  shape.columns[5].time_format = "%d.%m.%Y %H:%M";
  shape.columns[5].zone = "Europe/Berlin";
  WriterOptions options;
  options.crlf = false;
  options.quote_all = true;
  EXPECT_EQ(Write(shape, options, TwoPeople()).bytes,
            "'A1';'O''Neil, \"Jim\"';'j@acme.test';'ERP|Sales';'true';'01.03.2027 01:00'\n"
            "'A2';'Zo\u00eb';'z@acme.test';'';'false';''\n");
}

TEST(CsvWriter, WritesEncodings) {
  Shape shape;
  shape.columns = {{.name = "N", .key = true}};
  const std::vector<OwnRow> rows = {{Operation::kNone, {One("\u00e9\u20ac")}}};
  const auto bytes = [&](Encoding encoding) {
    shape.encoding = encoding;
    return Write(shape, {}, rows);
  };
  EXPECT_EQ(bytes(Encoding::kUtf8).bytes, "N\r\n\u00e9\u20ac\r\n");
  EXPECT_EQ(bytes(Encoding::kUtf8Bom).bytes, "\uFEFFN\r\n\u00e9\u20ac\r\n");
  EXPECT_EQ(bytes(Encoding::kWindows1252).bytes, "N\r\n\xE9\x80\r\n");
  EXPECT_EQ(bytes(Encoding::kUtf16Le).bytes,
            std::string("\xFF\xFEN\0\r\0\n\0\xE9\0\xAC\x20\r\0\n\0", 16));
  EXPECT_EQ(bytes(Encoding::kUtf16Be).bytes,
            std::string("\xFE\xFF\0N\0\r\0\n\0\xE9\x20\xAC\0\r\0\n", 16));
  const Written latin = bytes(Encoding::kLatin1);
  EXPECT_FALSE(latin.totals);
  EXPECT_EQ(Complaint(latin),
            "E0801 users: row \u00e9\u20ac, column N: \u00e9\u20ac isn't in ISO-8859-1");
  WriterOptions options;
  options.replace_unmappable = true;
  EXPECT_EQ(Write(shape, options, rows).bytes, "N\r\n\xE9?\r\n");
}

TEST(CsvWriter, GuardsAgainstFormulas) {
  Shape shape;
  shape.columns = {{.name = "K", .key = true}, {.name = "V"}};
  for (const char* cell : {"=1+1", "+49 30 1", "-1", "@SUM(A1)", "\tx", "\rx"}) {
    const std::vector<OwnRow> rows = {{Operation::kNone, {One("k"), One(cell)}}};
    EXPECT_THAT(Complaint(Write(shape, {}, rows)), HasSubstr("E0802 users: row k, column V: "));
    WriterOptions options;
    options.formula_guard = FormulaGuard::kQuote;
    EXPECT_THAT(Write(shape, options, rows).bytes, HasSubstr(std::string("'") + cell));
    options.formula_guard = FormulaGuard::kOff;
    EXPECT_TRUE(Write(shape, options, rows).totals);
  }
}

TEST(CsvWriter, RefusesListsThatCantBeReadBack) {
  auto rows = TwoPeople();
  rows[0].cells[3] = List({"a|b"});
  EXPECT_EQ(Complaint(Write(People(Format::kCsv), {}, rows)),
            "E0803 users: row A1, column GROUPS: a|b holds the separator |");
  rows[0].cells[3] = List({"a", ""});
  EXPECT_THAT(Complaint(Write(People(Format::kCsv), {}, rows)), HasSubstr("E0803"));
  EXPECT_TRUE(Write(People(Format::kJson), {}, rows).totals);
}

TEST(Writer, TellsOfEveryRowThatCantBeWrittenAndRefusesTheWhole) {
  auto rows = TwoPeople();
  rows[0].cells[2] = Empty();
  rows[1].cells[1] = One("broken \xC3");
  rows.push_back(rows[1]);
  const Written written = Write(People(Format::kJson), {}, rows);
  ASSERT_FALSE(written.totals);
  EXPECT_EQ(written.totals.error().message, "users: 3 values can't be written");
  ASSERT_EQ(written.diagnostics.all().size(), 3u);
  EXPECT_EQ(written.diagnostics.all()[0].code, "E0805");
  EXPECT_EQ(written.diagnostics.all()[1].code, "E0801");
  EXPECT_EQ(written.diagnostics.all()[2].code, "E0804");
}

TEST(Writer, RefusesRowsOutOfOrder) {
  auto rows = TwoPeople();
  std::swap(rows[0], rows[1]);
  const Written written = Write(People(Format::kCsv), {}, rows);
  ASSERT_FALSE(written.totals);
  EXPECT_EQ(written.totals.error().code, ErrorCode::kInternal);
}

TEST(Writer, PassesOnWhatTheSinkSays) {
  diag::Diagnostics diagnostics;
  const auto full = [](std::string_view) -> Result<void> {
    return Fail(ErrorCode::kDenied, "no space left");
  };
  for (const Format format : {Format::kCsv, Format::kXml, Format::kJson, Format::kLdif}) {
    auto writer = Writer::Make(People(format), {}, full, "users", &diagnostics);
    ASSERT_TRUE(writer);
    const auto totals = (*writer)->Finish();
    ASSERT_FALSE(totals);
    EXPECT_EQ(totals.error().message, "no space left");
  }
}

TEST(Writer, RefusesShapesThatCantBe) {
  const auto fault = [](const Shape& shape, const WriterOptions& options = {}) {
    const auto written = Write(shape, options, {});
    return written.totals ? "" : written.totals.error().message;
  };
  Shape shape = People(Format::kCsv);
  shape.columns[0].key = false;
  EXPECT_EQ(fault(shape), "users: no column is the key");
  shape = People(Format::kXml);
  shape.columns[1].name = "first name";
  EXPECT_EQ(fault(shape), "users: column first name: not the name of an XML element");
  shape = People(Format::kJson);
  shape.encoding = Encoding::kLatin1;
  EXPECT_THAT(fault(shape), HasSubstr("JSON is UTF-8"));
  shape = People(Format::kCsv);
  shape.columns[1].name = "ID";
  EXPECT_EQ(fault(shape), "users: two columns are called ID");
  shape = People(Format::kCsv);
  shape.columns[5].zone = "Europe/Berlln";
  EXPECT_EQ(fault(shape), "users: column UNTIL: no time zone Europe/Berlln");
  shape.columns[5].zone = "../../../etc/passwd";
  EXPECT_THAT(fault(shape), HasSubstr("no time zone"));
  shape = People(Format::kCsv);
  shape.columns[1].pattern = "(";
  EXPECT_THAT(fault(shape), HasSubstr("column NAME: pattern: missing )"));
  shape = People(Format::kLdif);
  shape.columns[0].name = "ID";
  EXPECT_THAT(fault(shape), HasSubstr("the first column of LDIF is its key, dn"));
}

TEST(JsonWriter, WritesAnArrayOrLines) {
  const std::string first =
      R"({"ID":"A1","NAME":"O'Neil, \"Jim\"","MAIL":"j@acme.test","GROUPS":["ERP","Sales"],)"
      R"("ACTIVE":true,"UNTIL":"2027-03-01T00:00:00Z"})";
  const std::string second =
      "{\"ID\":\"A2\",\"NAME\":\"Zo\u00eb\",\"MAIL\":\"z@acme.test\",\"GROUPS\":[],"
      "\"ACTIVE\":false}";
  EXPECT_EQ(Write(People(Format::kJson), {}, TwoPeople()).bytes,
            "[\n" + first + ",\n" + second + "\n]\n");
  EXPECT_EQ(Write(People(Format::kJsonLines), {}, TwoPeople()).bytes, first + "\n" + second + "\n");
  EXPECT_EQ(Write(People(Format::kJson), {}, {}).bytes, "[]\n");
}

std::vector<OwnRow> Changes() {
  return {
      {Operation::kAdd,
       {One("cn=a"), One("Ann"), One("a@x.test"), List({"g", "h"}), One("true"), Absent()}},
      {Operation::kDelete, {One("cn=b"), Absent(), Absent(), Absent(), Absent(), Absent()}},
      {Operation::kModify, {One("cn=c"), Absent(), One("c@x.test"), Empty(), Absent(), Absent()}}};
}

WriterOptions DeltaOptions() {
  WriterOptions options;
  options.head = {Mode::kDelta, 42, 41, 0};
  return options;
}

TEST(Writer, WritesDeltas) {
  const auto bytes = [](Format format) {
    Shape shape = People(format);
    shape.mode = Mode::kDelta;
    return Write(shape, DeltaOptions(), Changes()).bytes;
  };
  EXPECT_EQ(bytes(Format::kCsv),
            "op,ID,NAME,MAIL,GROUPS,ACTIVE,UNTIL\r\n"
            "add,cn=a,Ann,a@x.test,g|h,true,\r\n"
            "delete,cn=b,,,,,\r\n"
            "modify,cn=c,,c@x.test,,,\r\n");
  EXPECT_EQ(bytes(Format::kJson),
            "{\"mode\":\"delta\",\"sequence\":42,\"base_sequence\":41,\"rows\":[\n"
            "{\"op\":\"add\",\"ID\":\"cn=a\",\"NAME\":\"Ann\",\"MAIL\":\"a@x.test\","
            "\"GROUPS\":[\"g\",\"h\"],\"ACTIVE\":true},\n"
            "{\"op\":\"delete\",\"ID\":\"cn=b\"},\n"
            "{\"op\":\"modify\",\"ID\":\"cn=c\",\"MAIL\":\"c@x.test\",\"GROUPS\":[]}\n]}\n");
  EXPECT_EQ(bytes(Format::kLdif),
            "version: 1\n# mode: delta\n# sequence: 42\n# base-sequence: 41\n"
            "dn: cn=a\nchangetype: add\nNAME: Ann\nMAIL: a@x.test\nGROUPS: g\nGROUPS: h\n"
            "ACTIVE: TRUE\n"
            "\ndn: cn=b\nchangetype: delete\n"
            "\ndn: cn=c\nchangetype: modify\nreplace: MAIL\nMAIL: c@x.test\n-\n"
            "replace: GROUPS\n-\n");
  EXPECT_EQ(bytes(Format::kXml),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<rows mode=\"delta\" sequence=\"42\" base-sequence=\"41\">\n"
            " <row op=\"add\">\n  <ID>cn=a</ID>\n  <NAME>Ann</NAME>\n  <MAIL>a@x.test</MAIL>\n"
            "  <GROUPS>\n   <item>g</item>\n   <item>h</item>\n  </GROUPS>\n"
            "  <ACTIVE>true</ACTIVE>\n </row>\n"
            " <row op=\"delete\">\n  <ID>cn=b</ID>\n </row>\n"
            " <row op=\"modify\">\n  <ID>cn=c</ID>\n  <MAIL>c@x.test</MAIL>\n  <GROUPS/>\n"
            " </row>\n</rows>\n");
}

TEST(XmlWriter, EscapesAndRefusesWhatXmlCantHold) {
  Shape shape;
  shape.format = Format::kXml;
  shape.columns = {{.name = "K", .key = true}, {.name = "V"}};
  const auto with = [](const std::string& value) {
    return std::vector<OwnRow>{{Operation::kNone, {One("k"), One(value)}}};
  };
  EXPECT_THAT(Write(shape, {}, with("<a & \"b\">\r")).bytes,
              HasSubstr("<V>&lt;a &amp; &quot;b&quot;&gt;&#13;</V>"));
  for (const char* bad : {"\x01", "bell\x07", "\uFFFE", "\uFFFF"}) {
    EXPECT_THAT(Complaint(Write(shape, {}, with(bad))), HasSubstr("XML 1.0 can't hold")) << bad;
  }
  shape.encoding = Encoding::kLatin1;
  const std::string bytes = Write(shape, {}, with("\u00e9 \u20ac")).bytes;
  EXPECT_THAT(bytes, HasSubstr("encoding=\"ISO-8859-1\""));
  EXPECT_THAT(bytes, HasSubstr("<V>\xE9 &#8364;</V>"));
}

TEST(LdifWriter, FoldsAndEncodes) {
  Shape shape;
  shape.format = Format::kLdif;
  shape.columns = {{.name = "dn", .key = true}, {.name = "description"}};
  const auto text = [&](const std::string& value) {
    return Write(shape, {}, {{Operation::kNone, {One("cn=x"), One(value)}}}).bytes;
  };
  EXPECT_THAT(text("plain"), HasSubstr("description: plain\n"));
  EXPECT_THAT(text(" blank"), HasSubstr("description:: IGJsYW5r\n"));
  EXPECT_THAT(text("blank "), HasSubstr("description:: "));
  EXPECT_THAT(text(":colon"), HasSubstr("description:: "));
  EXPECT_THAT(text("<less"), HasSubstr("description:: "));
  EXPECT_THAT(text("a\nb"), HasSubstr("description:: YQpi\n"));
  EXPECT_THAT(text("Zo\u00eb"), HasSubstr("description:: Wm/Dqw==\n"));
  std::string folded = text(std::string(300, 'x'));
  for (size_t at = 0; at < folded.size();) {
    const size_t end = folded.find('\n', at);
    EXPECT_LE(end - at, 76u);
    at = end + 1;
  }
  EXPECT_THAT(folded, HasSubstr("\n xxxx"));
}

TEST(Writer, GivesTheSameBytesForTheSameRows) {
  for (const Format format :
       {Format::kCsv, Format::kXml, Format::kJson, Format::kJsonLines, Format::kLdif}) {
    WriterOptions options;
    options.formula_guard = FormulaGuard::kOff;
    const Written once = Write(People(format), options, SomePeople(500));
    const Written again = Write(People(format), options, SomePeople(500));
    ASSERT_TRUE(once.totals && again.totals);
    EXPECT_EQ(once.bytes, again.bytes);
    EXPECT_EQ(once.totals->sha256, again.totals->sha256);
  }
}

}  // namespace
}  // namespace postern::jobs::test
