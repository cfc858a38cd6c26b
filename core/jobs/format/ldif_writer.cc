// LDIF (RFC 2849): content records, or change records for a delta. Lines are libldap's: which
// values need base64, and where a line is folded.
#include <fmt/format.h>
#include <ldap.h>
#include <ldif.h>

#include "core/jobs/format/writer.h"

namespace postern::jobs::internal {
namespace {

class LdifWriter : public Writer {
 public:
  LdifWriter(const Shape& shape, const WriterOptions& options, Sink sink, std::string name,
             diag::Diagnostics* diagnostics)
      : Writer(shape, options, std::move(sink), std::move(name), diagnostics) {}

 private:
  Result<void> Begin() override {
    record_ = options_.version ? "version: 1\n" : "";
    const Head& head = options_.head;
    if (head.mode == Mode::kDelta) record_ += "# mode: delta\n";
    if (head.sequence != 0) record_ += fmt::format("# sequence: {}\n", head.sequence);
    if (head.mode == Mode::kDelta && head.sequence != 0) {
      record_ += fmt::format("# base-sequence: {}\n", head.base_sequence);
    }
    if (head.generated != 0) {
      record_ += fmt::format("# generated: {}\n", base::FormatInstant(head.generated));
    }
    return out_.Write(record_);
  }

  void Line(const std::string& name, std::string_view value) {
    char* line =
        ldif_put_wrap(LDIF_PUT_VALUE, name.c_str(), value.data(), value.size(), options_.fold);
    record_ += line;
    ber_memfree(line);
  }

  void Values(const Column& column, const Cell& cell) {
    if (cell.state == Cell::State::kOne) Line(column.name, Spelled(column, cell.text));
    for (const std::string_view item : cell.items) Line(column.name, item);
  }

  // RFC 4517, section 3.3.3: an LDAP Boolean is TRUE or FALSE.
  static std::string_view Spelled(const Column& column, std::string_view text) {
    if (column.type != Type::kBoolean) return text;
    return text == "true" ? "TRUE" : "FALSE";
  }

  Result<void> Put(const Row& row) override {
    record_ = any_ ? "\n" : "";
    any_ = true;
    Line(shape_.columns.front().name, row.cells.front().text);
    if (row.operation != Operation::kNone) {
      record_ += fmt::format("changetype: {}\n", ToString(row.operation));
    }
    for (size_t i = 1; i < row.cells.size() && row.operation != Operation::kDelete; ++i) {
      const Column& column = shape_.columns[i];
      if (row.operation != Operation::kModify) {
        Values(column, row.cells[i]);
      } else if (row.cells[i].state != Cell::State::kAbsent) {
        record_ += fmt::format("replace: {}\n", column.name);
        Values(column, row.cells[i]);
        record_ += "-\n";
      }
    }
    return out_.Write(record_);
  }

  Result<void> End() override { return {}; }
  bool Allows(const Column&, std::string_view) override { return true; }

  std::string record_;
  bool any_ = false;
};

}  // namespace

std::unique_ptr<Writer> MakeLdifWriter(const Shape& shape, const WriterOptions& options, Sink sink,
                                       std::string name, diag::Diagnostics* diagnostics) {
  return std::make_unique<LdifWriter>(shape, options, std::move(sink), std::move(name),
                                      diagnostics);
}

}  // namespace postern::jobs::internal
