// JSON (an array, or an object around it that tells mode and sequence) and JSON lines.
#include <fmt/format.h>

#include <iterator>

#include "core/jobs/format/writer.h"

namespace postern::jobs::internal {
namespace {

// RFC 8259, section 7: only what must be escaped is; the rest stands as UTF-8.
void AppendText(std::string_view text, std::string* out) {
  *out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) {
          *out += c;
        } else {
          fmt::format_to(std::back_inserter(*out), "\\u{:04x}", static_cast<unsigned>(c));
        }
    }
  }
  *out += '"';
}

class JsonRowWriter : public Writer {
 public:
  JsonRowWriter(const Shape& shape, const WriterOptions& options, Sink sink, std::string name,
                diag::Diagnostics* diagnostics)
      : Writer(shape, options, std::move(sink), std::move(name), diagnostics) {}

 private:
  bool lines() const { return shape_.format == Format::kJsonLines; }
  bool told() const {
    const Head& head = options_.head;
    return head.mode == Mode::kDelta || head.sequence != 0 || head.generated != 0;
  }

  // The members of the head, without braces.
  std::string HeadMembers() const {
    const Head& head = options_.head;
    std::string out = head.mode == Mode::kDelta ? R"("mode":"delta")" : R"("mode":"full")";
    if (head.sequence != 0) out += fmt::format(R"(,"sequence":{})", head.sequence);
    if (head.mode == Mode::kDelta && head.sequence != 0) {
      out += fmt::format(R"(,"base_sequence":{})", head.base_sequence);
    }
    if (head.generated != 0) {
      out += fmt::format(R"(,"generated":"{}")", base::FormatInstant(head.generated));
    }
    return out;
  }

  Result<void> Begin() override {
    if (lines()) return told() ? out_.Write("{" + HeadMembers() + "}\n") : Result<void>();
    return out_.Write(told() ? "{" + HeadMembers() + ",\"rows\":[" : "[");
  }

  Result<void> Put(const Row& row) override {
    line_.clear();
    if (!lines()) line_ += any_ ? ",\n" : "\n";
    any_ = true;
    line_ += '{';
    bool first = true;
    const auto member = [&](std::string_view name) {
      if (!first) line_ += ',';
      first = false;
      AppendText(name, &line_);
      line_ += ':';
    };
    if (shape_.mode == Mode::kDelta) {
      member(shape_.operation);
      AppendText(ToString(row.operation), &line_);
    }
    for (size_t i = 0; i < row.cells.size(); ++i) {
      if (row.cells[i].state == Cell::State::kAbsent) continue;
      member(shape_.columns[i].name);
      AppendCell(shape_.columns[i], row.cells[i]);
    }
    line_ += lines() ? "}\n" : "}";
    return out_.Write(line_);
  }

  void AppendCell(const Column& column, const Cell& cell) {
    if (column.type == Type::kList) {
      line_ += '[';
      for (size_t i = 0; i < cell.items.size(); ++i) {
        if (i > 0) line_ += ',';
        AppendText(cell.items[i], &line_);
      }
      line_ += ']';
    } else if (cell.state == Cell::State::kEmpty) {
      line_ += "null";
    } else if (column.type == Type::kBoolean) {
      line_ += cell.text;
    } else {
      AppendText(cell.text, &line_);
    }
  }

  Result<void> End() override {
    if (lines()) return {};
    return out_.Write(std::string(any_ ? "\n]" : "]") + (told() ? "}\n" : "\n"));
  }

  bool Allows(const Column&, std::string_view) override { return true; }

  std::string line_;
  bool any_ = false;
};

}  // namespace

std::unique_ptr<Writer> MakeJsonWriter(const Shape& shape, const WriterOptions& options, Sink sink,
                                       std::string name, diag::Diagnostics* diagnostics) {
  return std::make_unique<JsonRowWriter>(shape, options, std::move(sink), std::move(name),
                                         diagnostics);
}

}  // namespace postern::jobs::internal
