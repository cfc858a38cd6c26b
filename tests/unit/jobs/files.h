// tests/unit/jobs/files.h: writes and reads whole files in memory, for the tests of the formats.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/jobs/format/reader.h"
#include "core/jobs/format/writer.h"

namespace postern::jobs::test {

// A row that owns its bytes. A value of a list is its elements.
struct OwnCell {
  Cell::State state = Cell::State::kAbsent;
  std::string text;
  std::vector<std::string> items;
  bool operator==(const OwnCell&) const = default;
};

struct OwnRow {
  Operation operation = Operation::kNone;
  std::vector<OwnCell> cells;
  bool operator==(const OwnRow&) const = default;
};

OwnCell One(std::string text);
OwnCell List(std::vector<std::string> items);
OwnCell Empty();
OwnCell Absent();

// Gathers what a reader gives.
class Gathered : public Taker {
 public:
  void Take(const Row& row, uint64_t line) override;
  void Reject(const Rejection& rejection) override { rejections.push_back(rejection); }
  // "17 E0822 UNTIL: 31.02.2027 isn't a time", one line each.
  std::string Rejections() const;

  std::vector<OwnRow> rows;
  std::vector<uint64_t> lines;
  std::vector<Rejection> rejections;
};

struct Written {
  Result<Totals> totals;
  std::string bytes;
  diag::Diagnostics diagnostics;
};
Written Write(const Shape& shape, const WriterOptions& options, const std::vector<OwnRow>& rows);

// "E0812 roster.csv:3: the file ends inside a quoted field"; empty: not refused.
std::string Refusal(const Report& report);
// All of a file in memory, under the name "roster".
Report ReadText(const Shape& shape, const ReadOptions& options, std::string_view text,
                Gathered* gathered);

// ID (key), NAME, MAIL (required), GROUPS (list), ACTIVE (boolean), UNTIL (time).
Shape People(Format format);
// `count` people with quotes, commas, umlauts, line breaks and lists among their values.
std::vector<OwnRow> SomePeople(size_t count);

}  // namespace postern::jobs::test
