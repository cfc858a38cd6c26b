// CSV: RFC 4180 with the delimiter, quote, ends of line and encoding that the receiver declares.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/diag/codes.h"
#include "core/diag/text.h"
#include "core/jobs/format/writer.h"

namespace postern::jobs::internal {
namespace {

namespace code = diag::code;

class CsvWriter : public Writer {
 public:
  CsvWriter(const Shape& shape, const WriterOptions& options, Sink sink, std::string name,
            diag::Diagnostics* diagnostics)
      : Writer(shape, options, std::move(sink), std::move(name), diagnostics),
        special_(SpecialOf(shape)) {}

 private:
  Result<void> Begin() override {
    if (!shape_.header) return {};
    line_.clear();
    if (shape_.mode == Mode::kDelta) Append(shape_.operation);
    for (const Column& column : shape_.columns) Append(column.name);
    return EndLine();
  }

  Result<void> Put(const Row& row) override {
    line_.clear();
    if (shape_.mode == Mode::kDelta) Append(ToString(row.operation));
    for (size_t i = 0; i < row.cells.size(); ++i) {
      const Cell& cell = row.cells[i];
      if (cell.state == Cell::State::kList) {
        joined_.clear();
        for (const std::string_view item : cell.items) {
          if (!joined_.empty()) joined_ += shape_.columns[i].separator;
          joined_ += item;
        }
        AppendGuarded(joined_);
      } else if (IsText(shape_.columns[i])) {
        AppendGuarded(cell.text);
      } else {
        Append(cell.text);
      }
    }
    return EndLine();
  }

  Result<void> End() override { return {}; }

  static bool IsText(const Column& column) {
    return column.type == Type::kText || column.type == Type::kList;
  }

  bool Allows(const Column& column, std::string_view text) override {
    if (text.find('\0') != std::string_view::npos) {
      Complain(code::kValueUnwritable, column.name, "holds a NUL, which no CSV reader takes",
               "mend it at its source");
      return false;
    }
    if (!options_.replace_unmappable && !out_.Holds(text)) {
      Complain(code::kValueUnwritable, column.name,
               fmt::format("{} isn't in {}", diag::Printable(text), ToString(shape_.encoding)),
               "write UTF-8, or declare on_unmappable = \"replace\"");
      return false;
    }
    if (options_.formula_guard == FormulaGuard::kReject && IsText(column) &&
        LooksLikeFormula(text)) {
      Complain(code::kFormula, column.name,
               fmt::format("{} would be a formula in a spreadsheet", diag::Printable(text)),
               "formula_guard = \"off\" for machines, \"quote\" for people");
      return false;
    }
    if (column.type != Type::kList) return true;
    if (!text.empty() && text.find(column.separator) == std::string_view::npos) return true;
    Complain(code::kListElement, column.name,
             text.empty() ? "has an empty element, which a text can't tell from none"
                          : fmt::format("{} holds the separator {}", diag::Printable(text),
                                        diag::Printable(column.separator)),
             "choose another separator, or a format with lists (json, xml)");
    return false;
  }

  void AppendGuarded(std::string_view text) {
    if (options_.formula_guard != FormulaGuard::kQuote || !LooksLikeFormula(text)) {
      return Append(text);
    }
    guarded_ = "'";
    guarded_ += text;
    Append(guarded_);
  }

  void Append(std::string_view text) {
    if (started_line_) line_ += shape_.delimiter;
    started_line_ = true;
    // A row of one empty cell would be an empty line, which readers skip.
    const bool alone = text.empty() && shape_.columns.size() == 1;
    const bool blanks = !text.empty() && (text.front() == ' ' || text.back() == ' ');
    if (!options_.quote_all && !alone && !blanks &&
        std::none_of(text.begin(), text.end(), [&](char c) { return IsSpecial(c); })) {
      line_ += text;
      return;
    }
    line_ += shape_.quote;
    for (const char c : text) {
      if (c == shape_.quote) line_ += c;
      line_ += c;
    }
    line_ += shape_.quote;
  }

  Result<void> EndLine() {
    line_ += options_.crlf ? "\r\n" : "\n";
    started_line_ = false;
    return out_.Write(line_);
  }

  // One look a byte: find_first_of calls memchr for each, a tenth of what follows a census.
  using Bytes = std::array<bool, 256>;
  static Bytes SpecialOf(const Shape& shape) {
    Bytes special{};
    for (const char c : {shape.delimiter, shape.quote, '\r', '\n'}) {
      special[static_cast<unsigned char>(c)] = true;
    }
    return special;
  }
  bool IsSpecial(char c) const { return special_[static_cast<unsigned char>(c)]; }

  const Bytes special_;
  std::string line_, joined_, guarded_;
  bool started_line_ = false;
};

}  // namespace

std::unique_ptr<Writer> MakeCsvWriter(const Shape& shape, const WriterOptions& options, Sink sink,
                                      std::string name, diag::Diagnostics* diagnostics) {
  return std::make_unique<CsvWriter>(shape, options, std::move(sink), std::move(name), diagnostics);
}

}  // namespace postern::jobs::internal
