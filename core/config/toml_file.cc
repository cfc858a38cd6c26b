#include "core/config/toml_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/config/values.h"
#include "core/diag/codes.h"
#include "core/diag/text.h"

namespace postern::config {
namespace {

constexpr int kAttempts = 20;
constexpr size_t kLargeFile = 1 << 20;  // parsed again a few times only
constexpr int kLargeAttempts = 3;

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

size_t CodePoints(std::string_view text) {
  size_t count = 0;
  for (; !text.empty(); ++count) diag::TakeCodePoint(&text);
  return count;
}

class Parser {
 public:
  Parser(uint32_t file, diag::Sources* sources, LostNames* lost, diag::Diagnostics* diagnostics)
      : file_(file), sources_(*sources), lost_(*lost), diagnostics_(*diagnostics) {}

  toml::table Run() {
    std::string_view text = sources_.text(file_);
    const int attempts = text.size() > kLargeFile ? kLargeAttempts : kAttempts;
    uint32_t last_line = 0;
    for (int i = 0; i < attempts; ++i) {
      try {
        return toml::parse(text);
      } catch (const toml::parse_error& error) {
        if (working_.empty()) Start(text);
        const uint32_t line = std::max<uint32_t>(1, error.source().begin.line);
        if (line <= last_line) break;  // blanking didn't help: the cause stands further up
        last_line = line;
        BlankAround(line, error);
        text = working_;
      }
    }
    LoseAll();
    return {};
  }

 private:
  void Start(std::string_view text) {
    working_ = text;
    starts_.push_back(0);
    for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
      starts_.push_back(at + 1);
    }
    starts_.push_back(text.size() + 1);
  }
  uint32_t lines() const { return static_cast<uint32_t>(starts_.size() - 1); }
  std::string_view LineAt(uint32_t line) const { return sources_.Line(file_, line); }
  bool IsHeader(uint32_t line) const { return ReadHeaderLine(LineAt(line)).has_value(); }

  // Reports the error and blanks its table. An error in the table right behind a blanked one is
  // most likely the tail of the same mistake (an unclosed bracket), so it is blanked without a
  // word.
  void BlankAround(uint32_t line, const toml::parse_error& error) {
    line = std::min(line, lines());
    // A heading that was read as part of a value: the table before it has an open bracket.
    const bool swallowed = IsHeader(line) && line > 1 &&
                           error.description().find("table header") == std::string_view::npos;
    if (swallowed) --line;
    uint32_t begin = line;
    const bool broken_header = !swallowed && Trim(LineAt(line)).substr(0, 1) == "[";
    while (!broken_header && begin > 1 && !IsHeader(begin)) --begin;
    uint32_t end = line + 1;
    while (end <= lines() && !IsHeader(end)) ++end;
    if (begin != blanked_to_) Report(error, swallowed);
    for (uint32_t i = begin; i < end; ++i) {
      Lose(i);
      const size_t from = starts_[i - 1];
      const size_t to = std::min(starts_[i] - 1, working_.size());
      std::fill(working_.begin() + static_cast<ptrdiff_t>(from),
                working_.begin() + static_cast<ptrdiff_t>(to), ' ');
    }
    blanked_to_ = end;
  }

  void Lose(uint32_t line) {
    if (const auto header = ReadHeaderLine(LineAt(line)); header && !header->array) {
      lost_.emplace(header->table, header->name);
    }
  }
  void LoseAll() {
    for (uint32_t line = 1; line <= lines(); ++line) Lose(line);
  }

  diag::Span SpanOf(const toml::source_region& region) const {
    const auto line = std::max<uint32_t>(1, region.begin.line);
    const auto column = std::max<uint32_t>(1, region.begin.column);
    return {file_, line, column, line, column + 1};
  }

  void Report(const toml::parse_error& error, bool swallowed) {
    std::string_view why = error.description();
    std::string where;
    constexpr std::string_view kPrefix = "Error while parsing ";
    if (why.substr(0, kPrefix.size()) == kPrefix) {
      why.remove_prefix(kPrefix.size());
      const size_t colon = why.find(": ");
      where = why.substr(0, colon);
      if (colon != std::string_view::npos) why.remove_prefix(colon + 2);
    }
    diag::Diagnostic d{.code = diag::code::kSyntax, .span = SpanOf(error.source())};
    d.summary = where.empty() || where == "root table"
                    ? "this isn't TOML"
                    : fmt::format("this isn't TOML: in a {}", where);
    if (where.substr(0, 1) == "a" || where.substr(0, 1) == "i") {
      d.summary = fmt::format("this isn't TOML: in an {}", where);
    }
    d.label = why.substr(0, why.find(" (TOML_"));
    if (why.find("utf-8") != std::string_view::npos) {
      d.code = diag::code::kNotUtf8;
      d.summary = "the file isn't UTF-8";
      d.label = "this byte belongs to no character";
    } else if (swallowed || why.find("end-of-file") != std::string_view::npos) {
      d.notes.push_back("something further up isn't closed: a quote, a bracket or a brace");
    } else if (why.find("cannot redefine existing table") == 0) {
      Duplicate(&d);
    }
    if (why.find("unescaped control") == 0 && d.span.column > CodePoints(LineAt(d.span.line))) {
      d.label = "the closing quote is missing";
    }
    if (!LooksSecret(LineAt(d.span.line)).empty()) {
      d.label = "not shown: the line looks like a secret";
      sources_.Hide({file_, d.span.line, 1, d.span.line, UINT32_MAX});
    }
    diagnostics_.Add(std::move(d));
  }

  // The second [table.name] of one file: says where the first is.
  void Duplicate(diag::Diagnostic* d) {
    const auto header = ReadHeaderLine(LineAt(d->span.line));
    if (!header || header->name.empty()) return;
    d->code = diag::code::kDuplicateName;
    d->summary = fmt::format("{} \"{}\" is declared twice", header->table, header->name);
    d->label = "declared again";
    d->span = NameSpan(d->span.line, *header);
    for (uint32_t line = 1; line < d->span.line; ++line) {
      const auto first = ReadHeaderLine(LineAt(line));
      if (first && first->table == header->table && first->name == header->name) {
        d->also.push_back({NameSpan(line, *first), "first declared here"});
        return;
      }
    }
  }

  diag::Span NameSpan(uint32_t line, const HeaderLine& header) const {
    const std::string_view text = LineAt(line);
    const auto column = static_cast<uint32_t>(header.name.data() - text.data()) + 1;
    return {file_, line, column, line, column + static_cast<uint32_t>(header.name.size())};
  }

  const uint32_t file_;
  diag::Sources& sources_;
  LostNames& lost_;
  diag::Diagnostics& diagnostics_;
  std::string working_;
  std::vector<size_t> starts_;
  uint32_t blanked_to_ = 0;
};

}  // namespace

std::optional<HeaderLine> ReadHeaderLine(std::string_view line) {
  line = Trim(line);
  if (const size_t hash = line.find('#'); hash != std::string_view::npos) {
    line = Trim(line.substr(0, hash));
  }
  HeaderLine header;
  if (line.size() < 3 || line.front() != '[' || line.back() != ']') return {};
  line = line.substr(1, line.size() - 2);
  if (line.front() == '[' && line.back() == ']') {
    header.array = true;
    line = line.substr(1, line.size() - 2);
  }
  line = Trim(line);
  if (line.empty() || line.find_first_of("[],=") != std::string_view::npos) return {};
  if (!((line[0] >= 'a' && line[0] <= 'z') || (line[0] >= 'A' && line[0] <= 'Z'))) return {};
  const size_t dot = line.find('.');
  header.table = line.substr(0, dot);
  if (dot != std::string_view::npos) {
    header.name = Trim(line.substr(dot + 1));
    if (header.name.size() >= 2 && (header.name[0] == '"' || header.name[0] == '\'')) {
      header.name = header.name.substr(1, header.name.size() - 2);
    }
  }
  return header;
}

toml::table ParseFile(uint32_t file, diag::Sources* sources, LostNames* lost,
                      diag::Diagnostics* diagnostics) {
  return Parser(file, sources, lost, diagnostics).Run();
}

}  // namespace postern::config
