#include "tests/unit/jobs/files.h"

#include <fmt/format.h>

#include <deque>

namespace postern::jobs::test {

OwnCell One(std::string text) {
  return {Cell::State::kOne, std::move(text), {}};
}
OwnCell List(std::vector<std::string> items) {
  return {Cell::State::kList, "", std::move(items)};
}
OwnCell Empty() {
  return {Cell::State::kEmpty, "", {}};
}
OwnCell Absent() {
  return {};
}

void Gathered::Take(const Row& row, uint64_t line) {
  OwnRow& own = rows.emplace_back();
  own.operation = row.operation;
  for (const Cell& cell : row.cells) {
    own.cells.push_back({cell.state, std::string(cell.text),
                         std::vector<std::string>(cell.items.begin(), cell.items.end())});
  }
  lines.push_back(line);
}

std::string Gathered::Rejections() const {
  std::string out;
  for (const Rejection& r : rejections) {
    out += fmt::format("{} {} {}{}{}\n", r.line, r.code, r.column, r.column.empty() ? "" : ": ",
                       r.reason);
  }
  return out;
}

Written Write(const Shape& shape, const WriterOptions& options, const std::vector<OwnRow>& rows) {
  Written written;
  const auto sink = [&](std::string_view bytes) -> Result<void> {
    written.bytes += bytes;
    return {};
  };
  auto writer = Writer::Make(shape, options, sink, "users", &written.diagnostics);
  if (!writer) {
    written.totals = tl::unexpected<Error>(writer.error());
    return written;
  }
  for (const OwnRow& row : rows) {
    std::deque<std::vector<std::string_view>> items;
    std::vector<Cell> cells;
    for (const OwnCell& cell : row.cells) {
      items.emplace_back(cell.items.begin(), cell.items.end());
      cells.push_back({cell.state, cell.text, items.back()});
    }
    if (auto added = (*writer)->Add(Row{row.operation, cells}); !added) {
      written.totals = tl::unexpected<Error>(added.error());
      return written;
    }
  }
  written.totals = (*writer)->Finish();
  return written;
}

std::string Refusal(const Report& report) {
  if (!report.refused) return "";
  const diag::Diagnostic& said = report.diagnostics.all().front();
  return fmt::format("{} {}: {}", said.code, said.subject, said.summary);
}

Report ReadText(const Shape& shape, const ReadOptions& options, std::string_view text,
                Gathered* gathered) {
  auto report = Read(shape, options, TextSource(text), "roster", gathered);
  EXPECT_TRUE(report) << report.error().message;
  return report ? std::move(*report) : Report{};
}

Shape People(Format format) {
  Shape shape;
  shape.format = format;
  shape.columns = {
      {.name = format == Format::kLdif ? "dn" : "ID", .key = true},
      {.name = "NAME", .any_text = true},
      {.name = "MAIL", .required = true},
      {.name = "GROUPS", .type = Type::kList},
      {.name = "ACTIVE", .type = Type::kBoolean},
      {.name = "UNTIL", .type = Type::kTime},
  };
  return shape;
}

std::vector<OwnRow> SomePeople(size_t count) {
  const std::string names[] = {
      "Zo\u00eb Miller", "O'Neil, \"Jim\"",   "two\nlines", "\u4f60\u597d", " blank at both ends ",
      "<tag> & \u20ac",  "back\\slash; semi", "tab\there",  "\u00e9t\u00e9"};
  std::vector<OwnRow> rows;
  for (size_t i = 0; i < count; ++i) {
    OwnRow& row = rows.emplace_back();
    const std::string id = fmt::format("A{:06}", i);
    row.cells = {One(id),
                 One(names[i % std::size(names)]),
                 One("user" + id + "@acme.test"),
                 i % 4 == 0   ? List({"Sales North", "ERP", "\u00dcbersee"})
                 : i % 4 == 1 ? List({"ERP"})
                              : Empty(),
                 One(i % 3 == 0 ? "false" : "true"),
                 i % 5 == 0 ? Empty() : One(fmt::format("2027-03-{:02}T12:30:00Z", i % 28 + 1))};
  }
  return rows;
}

}  // namespace postern::jobs::test
