// What a writer wrote, its reader reads: every format, encoding and mode.
#include <gmock/gmock.h>

#include <random>

#include "tests/unit/jobs/files.h"

namespace postern::jobs::test {
namespace {

// What a format can't tell apart: CSV has only empty cells, XML no empty text, LDIF no empty value.
OwnCell AsReadBack(Format format, Mode mode, OwnCell cell) {
  const bool nothing = cell.state == Cell::State::kAbsent || cell.state == Cell::State::kEmpty ||
                       (cell.state == Cell::State::kList && cell.items.empty()) ||
                       (cell.state == Cell::State::kOne && cell.text.empty());
  if (!nothing) return cell;
  if (format == Format::kCsv) return Empty();
  if (format == Format::kLdif && mode == Mode::kFull) return Absent();
  return cell;
}

std::vector<OwnRow> AsReadBack(const Shape& shape, std::vector<OwnRow> rows) {
  for (OwnRow& row : rows) {
    for (size_t i = 0; i < row.cells.size(); ++i) {
      row.cells[i] = AsReadBack(shape.format, shape.mode, row.cells[i]);
      // A list's emptiness has one form where formats have lists.
      const bool list = shape.columns[i].type == Type::kList;
      if (list && row.cells[i].state == Cell::State::kEmpty && shape.format != Format::kCsv &&
          shape.format != Format::kLdif) {
        row.cells[i] = List({});
      }
    }
  }
  return rows;
}

struct Case {
  const char* name;
  Format format;
  Encoding encoding = Encoding::kUtf8;
};

class RoundTrip : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(
    Formats, RoundTrip,
    testing::Values(Case{"csv", Format::kCsv}, Case{"csv_bom", Format::kCsv, Encoding::kUtf8Bom},
                    Case{"csv_utf16le", Format::kCsv, Encoding::kUtf16Le},
                    Case{"csv_utf16be", Format::kCsv, Encoding::kUtf16Be},
                    Case{"xml", Format::kXml}, Case{"xml_bom", Format::kXml, Encoding::kUtf8Bom},
                    Case{"xml_latin1", Format::kXml, Encoding::kLatin1},
                    Case{"xml_1252", Format::kXml, Encoding::kWindows1252},
                    Case{"json", Format::kJson}, Case{"jsonl", Format::kJsonLines},
                    Case{"ldif", Format::kLdif}),
    [](const auto& info) { return info.param.name; });

TEST_P(RoundTrip, FullFile) {
  Shape shape = People(GetParam().format);
  shape.encoding = GetParam().encoding;
  const auto rows = SomePeople(3000);
  const Written written = Write(shape, {}, rows);
  ASSERT_TRUE(written.totals) << written.totals.error().message;
  Gathered gathered;
  const Report report = ReadText(shape, {}, written.bytes, &gathered);
  EXPECT_EQ(Refusal(report), "");
  EXPECT_EQ(gathered.Rejections(), "");
  EXPECT_EQ(report.rows, rows.size());
  EXPECT_EQ(report.bytes, written.bytes.size());
  EXPECT_TRUE(gathered.rows == AsReadBack(shape, rows));
}

TEST_P(RoundTrip, Delta) {
  Shape shape = People(GetParam().format);
  shape.encoding = GetParam().encoding;
  shape.mode = Mode::kDelta;
  WriterOptions options;
  options.head = {Mode::kDelta, 7, 6, 1'800'000'000};
  auto rows = SomePeople(300);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].operation = i % 3 == 0   ? Operation::kAdd
                        : i % 3 == 1 ? Operation::kModify
                                     : Operation::kDelete;
    for (size_t c = 1; c < rows[i].cells.size(); ++c) {
      // An attribute that an added entry doesn't have isn't spoken of.
      const bool none = rows[i].cells[c].state == Cell::State::kEmpty;
      if (i % 3 == 2 || (i % 3 == 0 && none)) rows[i].cells[c] = Absent();
    }
  }
  const Written written = Write(shape, options, rows);
  ASSERT_TRUE(written.totals) << written.totals.error().message;
  Gathered gathered;
  ReadOptions reading;
  reading.last_sequence = 6;
  const Report report = ReadText(shape, reading, written.bytes, &gathered);
  EXPECT_EQ(Refusal(report), "");
  EXPECT_EQ(gathered.Rejections(), "");
  if (shape.format != Format::kCsv) {
    EXPECT_EQ(report.head.sequence, 7u);
    EXPECT_EQ(report.head.base_sequence, 6u);
    EXPECT_EQ(report.head.generated, 1'800'000'000);
  }
  EXPECT_TRUE(gathered.rows == AsReadBack(shape, rows));
}

// However the bytes arrive, the rows are the same.
TEST_P(RoundTrip, InSmallPieces) {
  Shape shape = People(GetParam().format);
  shape.encoding = GetParam().encoding;
  const Written written = Write(shape, {}, SomePeople(900));
  Gathered whole, pieces;
  ReadText(shape, {}, written.bytes, &whole);
  std::mt19937 random(5);
  std::string_view rest = written.bytes;
  const Source source = [&](char* to, size_t size) -> Result<size_t> {
    const size_t count = std::min({size, rest.size(), size_t{1 + random() % 9}});
    rest.copy(to, count);
    rest.remove_prefix(count);
    return count;
  };
  ASSERT_TRUE(Read(shape, {}, source, "roster", &pieces));
  EXPECT_EQ(whole.rows.size(), 900u);
  EXPECT_TRUE(whole.rows == pieces.rows);
  EXPECT_EQ(whole.lines, pieces.lines);
}

// A file that is cut off anywhere is refused, or at least never gives a row that wasn't written.
// Where a cut can't be seen (between two rows of CSV, lines or LDIF) only a manifest can tell.
TEST_P(RoundTrip, CutOffAnywhere) {
  Shape shape = People(GetParam().format);
  shape.encoding = GetParam().encoding;
  const auto rows = SomePeople(9);
  const Written written = Write(shape, {}, rows);
  const auto expected = AsReadBack(shape, rows);
  const bool closed = shape.format == Format::kXml || shape.format == Format::kJson;
  size_t refused = 0;
  for (size_t cut = 0; cut + 1 < written.bytes.size(); ++cut) {
    Gathered gathered;
    const Report report =
        ReadText(shape, {}, std::string_view(written.bytes).substr(0, cut), &gathered);
    refused += report.refused;
    // The newline after the last bracket is the only thing that such a file can lose.
    if (closed && cut + 2 < written.bytes.size()) {
      EXPECT_TRUE(report.refused) << cut;
    }
    if (report.refused) continue;
    for (size_t i = 0; i + 1 < gathered.rows.size(); ++i) {
      EXPECT_TRUE(gathered.rows[i] == expected[i]) << cut;
    }
  }
  EXPECT_GT(refused, written.bytes.size() / 2);
}

}  // namespace
}  // namespace postern::jobs::test
