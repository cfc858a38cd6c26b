// Programs by other hands read what our writers wrote, and say of CSV what our reader says.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <random>

#include "core/base/hash.h"
#include "core/jobs/format/xml_schema.h"
#include "tests/support/command.h"
#include "tests/support/scratch.h"
#include "tests/unit/jobs/files.h"

namespace postern::jobs::test {
namespace {

using support::RunCommand;
using testing::HasSubstr;

constexpr size_t kRows = 1000;

// One line a row: the cells in base64 with commas between, lists joined by "|".
std::string Lines(const std::vector<OwnRow>& rows) {
  std::string out;
  for (const OwnRow& row : rows) {
    for (size_t i = 0; i < row.cells.size(); ++i) {
      std::string text = row.cells[i].text;
      for (size_t k = 0; k < row.cells[i].items.size(); ++k) {
        text += (k > 0 ? "|" : "") + row.cells[i].items[k];
      }
      out += (i > 0 ? "," : "") + base::Base64(text);
    }
    out += "\n";
  }
  return out;
}

std::string WriteFile(const support::Scratch& scratch, const Shape& shape,
                      const WriterOptions& options, const std::vector<OwnRow>& rows) {
  const Written written = Write(shape, options, rows);
  EXPECT_TRUE(written.totals) << written.totals.error().message;
  return scratch.Write("file", written.bytes);
}

constexpr const char* kPythonCsv = R"(
import base64, csv, sys
path, encoding, delimiter, quote = sys.argv[1:]
with open(path, newline="", encoding=encoding) as file:
    rows = csv.reader(file, delimiter=delimiter, quotechar=quote, strict=True)
    assert next(rows) == ["ID", "NAME", "MAIL", "GROUPS", "ACTIVE", "UNTIL"]
    for row in rows:
        print(",".join(base64.b64encode(cell.encode()).decode() for cell in row))
)";

TEST(ForeignReader, PythonReadsCsv) {
  struct Form {
    Encoding encoding;
    const char* python;
    char delimiter, quote;
    bool crlf;
  };
  for (const Form& form : {Form{Encoding::kUtf8, "utf-8", ',', '"', true},
                           Form{Encoding::kUtf8Bom, "utf-8-sig", ';', '\'', false},
                           Form{Encoding::kUtf16Le, "utf-16", '\t', '"', true}}) {
    const support::Scratch scratch;
    Shape shape = People(Format::kCsv);
    shape.encoding = form.encoding;
    shape.delimiter = form.delimiter;
    shape.quote = form.quote;
    WriterOptions options;
    options.crlf = form.crlf;
    const auto rows = SomePeople(kRows);
    const std::string path = WriteFile(scratch, shape, options, rows);
    const auto read = RunCommand({"python3", "-c", kPythonCsv, path, form.python,
                                  std::string(1, form.delimiter), std::string(1, form.quote)});
    EXPECT_EQ(read.exit, 0) << read.err;
    EXPECT_TRUE(read.out == Lines(rows)) << form.python;
  }
}

constexpr const char* kPythonXml = R"(
import base64, sys
import xml.etree.ElementTree as tree
for row in tree.parse(sys.argv[1]).getroot():
    cells = []
    for column in row:
        items = [item.text for item in column]
        cells.append("|".join(items) if items else column.text or "")
    print(",".join(base64.b64encode(cell.encode()).decode() for cell in cells))
)";

TEST(ForeignReader, XmllintAndExpatReadXml) {
  for (const Encoding encoding : {Encoding::kUtf8, Encoding::kLatin1}) {
    const support::Scratch scratch;
    Shape shape = People(Format::kXml);
    shape.encoding = encoding;
    const auto rows = SomePeople(kRows);
    const std::string path = WriteFile(scratch, shape, {}, rows);
    const auto valid = RunCommand({"xmllint", "--nonet", "--noout", path});
    EXPECT_EQ(valid.exit, 0) << valid.err;
    EXPECT_EQ(RunCommand({"xmllint", "--nonet", "--xpath", "count(/rows/row)", path}).out,
              "1000\n");
    std::string keys;
    for (const OwnRow& row : rows) keys += row.cells[0].text + "\n";
    EXPECT_TRUE(RunCommand({"xmllint", "--nonet", "--xpath", "/rows/row/ID/text()", path}).out ==
                keys);
    const auto read = RunCommand({"python3", "-c", kPythonXml, path});
    EXPECT_EQ(read.exit, 0) << read.err;
    EXPECT_TRUE(read.out == Lines(rows));
  }
}

// Of full files, of deltas with rows that are gone, and of none other.
TEST(ForeignReader, XmllintFindsWhatTheSchemaSays) {
  for (const Mode mode : {Mode::kFull, Mode::kDelta}) {
    const support::Scratch scratch;
    Shape shape = People(Format::kXml);
    shape.mode = mode;
    WriterOptions options;
    options.head = {.mode = mode, .sequence = 7, .base_sequence = 6, .generated = 1772323200};
    auto rows = SomePeople(kRows);
    if (mode == Mode::kDelta) {
      for (size_t i = 0; i < rows.size(); ++i) {
        rows[i].operation = i % 3 == 0 ? Operation::kDelete : Operation::kAdd;
        if (i % 3 != 0) continue;
        for (size_t cell = 1; cell < rows[i].cells.size(); ++cell) rows[i].cells[cell] = Absent();
      }
    }
    const std::string path = WriteFile(scratch, shape, options, rows);
    const std::string schema = scratch.Write("rows.xsd", XmlSchemaOf(shape));
    const auto check = [&](const std::string& file) {
      return RunCommand({"xmllint", "--nonet", "--noout", "--schema", schema, file});
    };
    const auto valid = check(path);
    EXPECT_EQ(valid.exit, 0) << valid.err.substr(0, 2000);
    // What deltas are added to is a full file.
    Shape full = shape;
    full.mode = Mode::kFull;
    support::Scratch other;
    const auto base = check(WriteFile(other, full, {}, SomePeople(kRows)));
    EXPECT_EQ(base.exit, 0) << base.err.substr(0, 2000);
    std::string text = support::ReadFile(path);
    const size_t at = text.find("<ACTIVE>true");
    ASSERT_NE(at, std::string::npos);
    EXPECT_NE(check(scratch.Write("odd", std::string(text).replace(at, 12, "<ACTIVE>often"))).exit,
              0);
    EXPECT_NE(check(scratch.Write("more", std::string(text).insert(at, "<MORE/>"))).exit, 0);
  }
}

TEST(ForeignReader, JqReadsJsonAndLines) {
  const std::string row =
      R"([.ID, .NAME, .MAIL, ((.GROUPS // []) | join("|")), (.ACTIVE | tostring), (.UNTIL // "")])"
      R"( | map(@base64) | join(","))";
  const auto rows = SomePeople(kRows);
  for (const auto& [format, before] :
       {std::pair{Format::kJson, ".[] | "}, std::pair{Format::kJsonLines, ""}}) {
    const support::Scratch scratch;
    const std::string path = WriteFile(scratch, People(format), {}, rows);
    const auto read = RunCommand({"jq", "-r", before + row, path});
    EXPECT_EQ(read.exit, 0) << read.err;
    EXPECT_TRUE(read.out == Lines(rows));
  }
}

Shape Entries() {
  Shape shape;
  shape.format = Format::kLdif;
  shape.columns = {{.name = "dn", .key = true},
                   {.name = "objectClass", .type = Type::kList},
                   {.name = "cn"},
                   {.name = "sn"},
                   {.name = "mail", .type = Type::kList},
                   {.name = "description", .any_text = true}};
  return shape;
}

std::vector<OwnRow> SomeEntries() {
  std::vector<OwnRow> rows;
  for (const OwnRow& person : SomePeople(kRows)) {
    const std::string& id = person.cells[0].text;
    rows.push_back({Operation::kNone,
                    {One("cn=" + id + ",dc=example,dc=org"), List({"inetOrgPerson"}), One(id),
                     One("Zo\u00eb"), List({id + "@acme.test", "x" + id + "@acme.test"}),
                     One(person.cells[1].text + std::string(id.back() - '0', '.') + " " +
                         std::string(90, 'l'))}});
  }
  return rows;
}

// LDIF by the RFC, read by hand: there is no reader in Python's library.
constexpr const char* kPythonLdif = R"(
import base64, sys
for record in sys.stdin.read().replace("\n ", "").split("\n\n"):
    entry = {}
    for line in record.splitlines():
        name, value = line.split(":", 1)
        value = base64.b64decode(value[1:]).decode() if value[:1] == ":" else value.lstrip(" ")
        entry.setdefault(name, []).append(value)
    if "cn" not in entry:
        continue
    names = ["dn", "objectClass", "cn", "sn", "mail", "description"]
    print(",".join(base64.b64encode("|".join(entry[n]).encode()).decode() for n in names))
)";

TEST(ForeignReader, SlapaddReadsLdif) {
  const support::Scratch scratch;
  const std::string config =
      scratch.Write("slapd.conf",
                    "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n"
                    "include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\n"
                    "moduleload back_mdb\ndatabase mdb\nsuffix dc=example,dc=org\nrootdn "
                    "cn=admin,dc=example,dc=org\n"
                    "maxsize 104857600\ndirectory " +
                        scratch.Folder("data") + "\n");
  const std::string base =
      scratch.Write("base.ldif",
                    "dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\no: "
                    "x\ndc: example\n");
  const auto rows = SomeEntries();
  WriterOptions writing;
  writing.version = false;
  const std::string path = WriteFile(scratch, Entries(), writing, rows);
  const auto dry = RunCommand({"slapadd", "-u", "-v", "-f", config, "-l", path});
  EXPECT_EQ(dry.exit, 0) << dry.err;
  size_t read = 0;
  for (size_t at = dry.err.find("added: \"cn="); at != std::string::npos;
       at = dry.err.find("added: \"cn=", at + 1)) {
    ++read;
  }
  EXPECT_EQ(read, kRows) << dry.err.substr(0, 500);
  ASSERT_EQ(RunCommand({"slapadd", "-q", "-f", config, "-l", base}).exit, 0);
  const auto added = RunCommand({"slapadd", "-q", "-f", config, "-l", path});
  ASSERT_EQ(added.exit, 0) << added.err;
  const auto told = RunCommand({"slapcat", "-f", config});
  ASSERT_EQ(told.exit, 0) << told.err;
  const auto lines = RunCommand({"python3", "-c", kPythonLdif}, told.out);
  EXPECT_EQ(lines.exit, 0) << lines.err;
  EXPECT_TRUE(lines.out == Lines(rows)) << lines.out.substr(0, 300) << Lines(rows).substr(0, 300);

  // And the other way: what slapd writes, our reader reads.
  ReadOptions options;
  options.ignore_unknown = true;
  options.take_formulas = true;
  Gathered gathered;
  const size_t second = told.out.find("\n\n") + 2;
  const Report report = ReadText(Entries(), options, told.out.substr(second), &gathered);
  EXPECT_EQ(Refusal(report) + gathered.Rejections(), "");
  EXPECT_TRUE(gathered.rows == rows);
}

// Each file as Python's strict reader sees it: ERR, or the rows that our gate would take.
constexpr const char* kPythonJudge = R"(
import base64, csv, io, sys
for line in sys.stdin:
    text = base64.b64decode(line).decode()
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        print("ERR")
        continue
    taken = []
    for row in rows:
        if len(row) == 2 and row[0]:
            taken.append(",".join(base64.b64encode(cell.encode()).decode() for cell in row))
    print(";".join(taken))
)";

std::vector<std::string> RandomFiles(size_t count) {
  const std::string parts[] = {"a",  "b",    "\u00e9", ",",    ",", "\"",
                               "\"", "\"\"", "\n",     "\r\n", " ", "\r"};
  std::mt19937 random(20261);
  std::vector<std::string> files;
  for (size_t i = 0; i < count; ++i) {
    std::string& file = files.emplace_back();
    const size_t length = 1 + random() % 24;
    for (size_t k = 0; k < length; ++k) file += parts[random() % (std::size(parts) - (i % 4 != 0))];
    file += "\n";
  }
  return files;
}

// Our reader refuses more: a quote inside an unquoted field and a carriage return alone, both of
// which Python takes even when it is strict. Beyond that the two agree about every file.
TEST(ForeignReader, PythonAndOurReaderAgreeAboutCsv) {
  const auto files = RandomFiles(20'000);
  std::string input;
  for (const std::string& file : files) input += base::Base64(file) + "\n";
  const auto judged = RunCommand({"python3", "-c", kPythonJudge}, input);
  ASSERT_EQ(judged.exit, 0) << judged.err;
  Shape shape;
  shape.header = false;
  shape.columns = {{.name = "A", .key = true, .any_text = true}, {.name = "B", .any_text = true}};
  ReadOptions options;
  options.may_be_empty = options.take_formulas = true;
  std::string_view rest = judged.out;
  size_t agreed = 0, stricter = 0, refused = 0;
  for (const std::string& file : files) {
    const std::string_view theirs = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(theirs.size() + 1);
    Gathered gathered;
    const std::string refusal = Refusal(ReadText(shape, options, file, &gathered));
    if (theirs == "ERR") {
      EXPECT_NE(refusal, "") << testing::PrintToString(file);
      ++refused;
    } else if (!refusal.empty()) {
      EXPECT_THAT(refusal, testing::AnyOf(HasSubstr("a quote inside a field that isn't quoted"),
                                          HasSubstr("a carriage return alone")))
          << testing::PrintToString(file);
      ++stricter;
    } else {
      std::string ours;
      for (const OwnRow& row : gathered.rows) {
        if (!ours.empty()) ours += ";";
        ours += base::Base64(row.cells[0].text) + "," + base::Base64(row.cells[1].text);
      }
      EXPECT_EQ(ours, theirs) << testing::PrintToString(file);
      ++agreed;
    }
  }
  EXPECT_GT(agreed, 2000u);
  EXPECT_GT(stricter, 1000u);
  EXPECT_GT(refused, 1000u);
}

}  // namespace
}  // namespace postern::jobs::test
