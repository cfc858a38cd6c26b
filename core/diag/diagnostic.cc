#include "core/diag/diagnostic.h"

#include <algorithm>
#include <tuple>

#include "core/diag/text.h"

namespace postern::diag {
namespace {

auto SpanKey(const Span& s) {
  return std::make_tuple(s.file, s.line, s.column, s.end_line, s.end_column);
}

auto OrderKey(const Diagnostic& d) {
  return std::make_tuple(!d.span.known(), SpanKey(d.span), std::string_view(d.code),
                         std::string_view(d.subject), std::string_view(d.summary),
                         std::string_view(d.label));
}

bool Same(const Diagnostic& a, const Diagnostic& b) {
  const auto same_label = [](const Label& x, const Label& y) {
    return SpanKey(x.span) == SpanKey(y.span) && x.text == y.text;
  };
  return a.severity == b.severity && OrderKey(a) == OrderKey(b) && a.notes == b.notes &&
         std::equal(a.also.begin(), a.also.end(), b.also.begin(), b.also.end(), same_label);
}

}  // namespace

void Diagnostics::Append(Diagnostics other) {
  if (all_.empty()) {
    all_ = std::move(other.all_);
    return;
  }
  all_.insert(all_.end(), std::make_move_iterator(other.all_.begin()),
              std::make_move_iterator(other.all_.end()));
}

bool Diagnostics::has_errors() const {
  return std::any_of(all_.begin(), all_.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::kError; });
}

void Diagnostics::Sort() {
  std::stable_sort(all_.begin(), all_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return OrderKey(a) < OrderKey(b);
  });
  all_.erase(std::unique(all_.begin(), all_.end(), Same), all_.end());
}

uint32_t Sources::Add(std::string path, std::string text) {
  files_.push_back({std::move(path), std::move(text), {}});
  return static_cast<uint32_t>(files_.size() - 1);
}

std::string_view Sources::Line(uint32_t file, uint32_t line) const {
  if (file >= files_.size() || line == 0) return {};
  const File& f = files_[file];
  if (f.starts.empty()) {
    f.starts.push_back(0);
    for (size_t at = f.text.find('\n'); at != std::string::npos; at = f.text.find('\n', at + 1)) {
      f.starts.push_back(static_cast<uint32_t>(at + 1));
    }
  }
  if (line > f.starts.size()) return {};
  const size_t begin = f.starts[line - 1];
  size_t end = line < f.starts.size() ? f.starts[line] - 1 : f.text.size();
  if (end > begin && f.text[end - 1] == '\r') --end;
  return std::string_view(f.text).substr(begin, end - begin);
}

void Sources::Hide(const Span& span) {
  for (uint32_t line = span.line; line != 0 && line <= span.end_line; ++line) {
    std::string_view rest = Line(span.file, line);
    const uint32_t from = line == span.line ? span.column : 1;
    const uint32_t to = line == span.end_line ? span.end_column : UINT32_MAX;
    char* const text = files_[span.file].text.data();
    for (uint32_t column = 1; !rest.empty() && column < to; ++column) {
      const size_t begin = static_cast<size_t>(rest.data() - text);
      TakeCodePoint(&rest);
      const size_t end = static_cast<size_t>(rest.data() - text);
      if (column >= from) std::fill(text + begin, text + end, '*');
    }
  }
}

std::string Sources::Place(const Span& span) const {
  if (!span.known() || span.file >= files_.size()) return {};
  return files_[span.file].path + ":" + std::to_string(span.line);
}

}  // namespace postern::diag
