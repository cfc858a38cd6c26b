#include "core/jobs/format/writer.h"

#include <fmt/format.h>

#include "core/base/check.h"
#include "core/diag/codes.h"
#include "core/diag/text.h"

namespace postern::jobs {
namespace {

namespace code = diag::code;
constexpr uint64_t kComplaints = 100;  // more are counted, not shown

std::string OptionsFault(const Shape& shape, const WriterOptions& options) {
  if (options.head.mode != shape.mode) return "head and shape tell of different modes";
  const bool two_bytes =
      shape.encoding == Encoding::kUtf16Le || shape.encoding == Encoding::kUtf16Be;
  if (shape.format == Format::kXml && two_bytes) return "XML is written in UTF-8 or in one byte";
  if (options.fold < 40 || options.fold > 1000) return "LDIF lines are folded at 40 to 1000";
  if (shape.mode == Mode::kDelta && options.head.sequence <= options.head.base_sequence &&
      options.head.sequence != 0) {
    return "the sequence number of a delta is above that of its base";
  }
  Output trial([](std::string_view) -> Result<void> { return {}; }, shape.encoding, "");
  const bool written = FirstNotUtf8(options.replacement) == std::nullopt &&
                       trial.Holds(options.replacement) && !diag::HasHidden(options.replacement);
  return written ? "" : "the replacement isn't a text of the encoding";
}

}  // namespace

Result<std::unique_ptr<Writer>> Writer::Make(const Shape& shape, const WriterOptions& options,
                                             Sink sink, std::string name,
                                             diag::Diagnostics* diagnostics) {
  std::string fault = internal::ShapeFault(shape);
  if (fault.empty()) fault = OptionsFault(shape, options);
  if (!fault.empty()) return Fail(ErrorCode::kInvalid, name + ": " + fault);
  switch (shape.format) {
    case Format::kCsv:
      return internal::MakeCsvWriter(shape, options, std::move(sink), std::move(name), diagnostics);
    case Format::kXml:
      return internal::MakeXmlWriter(shape, options, std::move(sink), std::move(name), diagnostics);
    case Format::kJson:
    case Format::kJsonLines:
      return internal::MakeJsonWriter(shape, options, std::move(sink), std::move(name),
                                      diagnostics);
    case Format::kLdif:
      break;
  }
  return internal::MakeLdifWriter(shape, options, std::move(sink), std::move(name), diagnostics);
}

Writer::Writer(const Shape& shape, const WriterOptions& options, Sink sink, std::string name,
               diag::Diagnostics* diagnostics)
    : shape_(shape),
      options_(options),
      out_(std::move(sink), shape.encoding, options.replacement),
      name_(std::move(name)),
      diagnostics_(diagnostics),
      cells_(shape.columns.size()),
      spelled_(shape.columns.size()) {
  for (const Column& column : shape_.columns) zones_.push_back(*FindZone(column.zone));
}

Result<void> Writer::Start() {
  if (started_) return {};
  started_ = true;
  return Begin();
}

Result<void> Writer::Add(const Row& row) {
  POSTERN_CHECK(row.cells.size() == shape_.columns.size(), "a row has a cell for each column");
  POSTERN_CHECK((row.operation == Operation::kNone) == (shape_.mode == Mode::kFull),
                "rows of a delta, and only those, have an operation");
  key_.clear();
  AppendKey(shape_, row, &key_);
  if (rows_ + complaints_ > 0 && key_ < last_key_) {
    return Fail(ErrorCode::kInternal, name_ + ": rows aren't in the order of their keys");
  }
  if (rows_ + complaints_ > 0 && key_ == last_key_) {
    Complain(code::kKeyTwice, "", "its key stands twice",
             "choose key columns whose values together stand once");
    return {};
  }
  const bool good = Check(row);
  last_key_.swap(key_);
  if (!good) return {};
  if (auto begun = Start(); !begun) return begun;
  Spell(row);
  ++rows_;
  return Put(Row{row.operation, cells_});
}

Result<Totals> Writer::Finish() {
  if (complaints_ > 0) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("{}: {} can't be written", name_,
                            complaints_ == 1 ? "1 value" : fmt::format("{} values", complaints_)));
  }
  if (auto begun = Start(); !begun) return tl::unexpected<Error>(begun.error());
  if (auto ended = End(); !ended) return tl::unexpected<Error>(ended.error());
  if (auto flushed = out_.Flush(); !flushed) return tl::unexpected<Error>(flushed.error());
  return Totals{rows_, out_.bytes(), out_.Finish()};
}

bool Writer::Check(const Row& row) {
  bool good = true;
  for (size_t i = 0; i < shape_.columns.size(); ++i) {
    good &= CheckCell(shape_.columns[i], row.cells[i]);
  }
  return good;
}

bool Writer::CheckCell(const Column& column, const Cell& cell) {
  switch (cell.state) {
    case Cell::State::kAbsent:
    case Cell::State::kEmpty:
      if (!column.key && (!column.required || shape_.mode == Mode::kDelta)) return true;
      Complain(code::kValueMissing, column.name, "has no value",
               "give the column a default, or leave such rows out by `select`");
      return false;
    case Cell::State::kOne:
      POSTERN_CHECK(column.type != Type::kList, "a list's value is a list");
      return CheckText(column, cell.text);
    case Cell::State::kList:
      break;
  }
  POSTERN_CHECK(column.type == Type::kList, "only a list's value is a list");
  bool good = true;
  for (const std::string_view item : cell.items) good &= CheckText(column, item);
  return good;
}

bool Writer::CheckText(const Column& column, std::string_view text) {
  if (column.type == Type::kBoolean) {
    POSTERN_CHECK(text == "true" || text == "false", "booleans are canonical");
  }
  if (column.type == Type::kTime) {
    POSTERN_CHECK(base::ParseInstant(text), "times are canonical");
  }
  if (FirstNotUtf8(text)) {
    Complain(code::kValueUnwritable, column.name, "isn't UTF-8: " + diag::Printable(text),
             "mend it at its source");
    return false;
  }
  if (column.key && text.empty()) {
    Complain(code::kValueMissing, column.name, "has no value", "leave such rows out by `select`");
    return false;
  }
  return Allows(column, text);
}

// Times that have a format of their own; all else stands as it is.
void Writer::Spell(const Row& row) {
  for (size_t i = 0; i < row.cells.size(); ++i) {
    cells_[i] = row.cells[i];
    const Column& column = shape_.columns[i];
    if (column.type != Type::kTime || column.time_format.empty()) continue;
    if (cells_[i].state != Cell::State::kOne) continue;
    spelled_[i] = FormatLocal(column.time_format, *base::ParseInstant(cells_[i].text), zones_[i]);
    cells_[i].text = spelled_[i];
  }
}

void Writer::Complain(const char* code, const std::string& column, const std::string& what,
                      const std::string& way_out) {
  if (++complaints_ > kComplaints) return;
  const std::string place = column.empty() ? "" : ", column " + column;
  diagnostics_->Add({.code = code,
                     .summary = fmt::format("row {}{}: {}", ShownKey(key_), place, what),
                     .subject = name_,
                     .notes = {way_out}});
}

}  // namespace postern::jobs
