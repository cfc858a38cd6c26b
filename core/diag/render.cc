#include "core/diag/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/diag/text.h"

namespace postern::diag {
namespace {

constexpr std::string_view kReset = "\x1b[0m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kRed = "\x1b[1;31m";
constexpr std::string_view kYellow = "\x1b[1;33m";
constexpr std::string_view kCyan = "\x1b[1;36m";
constexpr std::string_view kBlue = "\x1b[1;34m";

std::string_view NameOf(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kWarning:
      return "warning";
    case Severity::kNote:
      return "note";
  }
  return "error";
}

std::string_view ColourOf(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return kRed;
    case Severity::kWarning:
      return kYellow;
    case Severity::kNote:
      return kCyan;
  }
  return kRed;
}

// One source line as it is printed: cut to fit, with the columns that the span covers.
struct Excerpt {
  std::string text;
  int before = 0;  // columns before the mark
  int mark = 1;    // columns of the mark, at least one
};

struct Piece {
  std::string text;
  int width;
  bool marked;
};

std::vector<Piece> Split(std::string_view line, const Span& span) {
  const uint32_t end = span.end_line > span.line ? UINT32_MAX : span.end_column;
  std::vector<Piece> pieces;
  uint32_t column = 0;
  while (!line.empty()) {
    const std::string_view rest = line;
    const int32_t c = TakeCodePoint(&line);
    const std::string_view bytes = rest.substr(0, rest.size() - line.size());
    Piece piece{c == '\t' ? "    " : Printable(bytes), 0, false};
    piece.width = WidthOf(piece.text);
    ++column;
    piece.marked = column >= span.column && column < std::max(end, span.column + 1);
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

// Columns [from, to) of the whole line that fit in `room` and show the start of the mark.
std::pair<int, int> Window(const std::vector<Piece>& pieces, int room) {
  int total = 0, first = -1, last = 0;
  for (const Piece& piece : pieces) {
    if (piece.marked && first < 0) first = total;
    total += piece.width;
    if (piece.marked) last = total;
  }
  if (total <= room) return {0, total};
  if (first < 0) return {std::max(0, total - room), total};
  const int mark = std::min(last - first, room);
  const int from = last <= room ? 0 : std::max(0, first - std::max(0, (room - mark) / 2));
  return {from, std::min(total, from + room)};
}

Excerpt MakeExcerpt(std::string_view line, const Span& span, int room) {
  const std::vector<Piece> pieces = Split(line, span);
  const auto [from, to] = Window(pieces, std::max(room - 6, 20));
  Excerpt out;
  if (from > 0) out.text = "...";
  out.before = from > 0 ? 3 : 0;
  int at = 0, marked = 0;
  bool seen = false;
  for (const Piece& piece : pieces) {
    if (at >= from && at + piece.width <= to) {
      out.text += piece.text;
      if (piece.marked) {
        marked += piece.width;
        seen = true;
      } else if (!seen) {
        out.before += piece.width;
      }
    }
    at += piece.width;
  }
  if (to < at) out.text += "...";
  out.mark = std::max(1, marked);
  // A place behind the last character (something is missing there): the mark stands right after.
  while (!out.text.empty() && out.text.back() == ' ') out.text.pop_back();
  return out;
}

class Printer {
 public:
  Printer(const Sources& sources, const RenderOptions& options)
      : sources_(sources), options_(options) {}

  std::string Print(const Diagnostic& d) {
    gutter_ = Gutter(d);
    Paint(ColourOf(d.severity), fmt::format("{}[{}]", NameOf(d.severity), d.code));
    Paint(kBold, ": " + Printable(d.summary));
    out_ += '\n';
    if (d.span.known()) {
      Place("-->", d.span);
      Source(d.span, d.label, '^', ColourOf(d.severity));
    } else if (!d.subject.empty()) {
      Indent(0);
      Paint(kBlue, "--> ");
      out_ += Printable(d.subject) + "\n";
      if (!d.label.empty()) Line("|", Printable(d.label));
    }
    for (const Label& label : d.also) {
      if (!label.span.known()) continue;
      Place(":::", label.span);
      Source(label.span, label.text, '-', kBlue);
    }
    for (const std::string& note : d.notes) Line("=", Printable(note));
    if (d.notes.empty()) Line("=", "postern explain " + d.code);
    return std::move(out_);
  }

 private:
  static unsigned Gutter(const Diagnostic& d) {
    uint32_t highest = d.span.line;
    for (const Label& label : d.also) highest = std::max(highest, label.span.line);
    return std::max<unsigned>(2, fmt::formatted_size("{}", highest));
  }

  void Paint(std::string_view colour, std::string_view text) {
    if (options_.colour) out_ += colour;
    out_ += text;
    if (options_.colour) out_ += kReset;
  }
  void Indent(unsigned more) { out_.append(gutter_ + more, ' '); }
  // "   | text" or "   = text"
  void Line(std::string_view sign, std::string_view text) {
    Indent(1);
    Paint(kBlue, sign);
    if (!text.empty()) out_ += ' ';
    out_ += text;
    out_ += '\n';
  }
  void Place(std::string_view arrow, const Span& span) {
    Indent(0);
    Paint(kBlue, arrow);
    out_ += fmt::format(" {}:{}\n", Printable(sources_.Place(span)), span.column);
  }
  void Source(const Span& span, const std::string& label, char mark, std::string_view colour) {
    const int room = static_cast<int>(options_.width) - static_cast<int>(gutter_) - 3;
    const Excerpt excerpt = MakeExcerpt(sources_.Line(span.file, span.line), span, room);
    Line("|", "");
    Paint(kBlue, fmt::format("{:>{}} |", span.line, gutter_));
    if (!excerpt.text.empty()) out_ += ' ';
    out_ += excerpt.text + "\n";
    Indent(1);
    Paint(kBlue, "|");
    out_.append(static_cast<size_t>(excerpt.before) + 1, ' ');
    Paint(colour, std::string(static_cast<size_t>(excerpt.mark), mark) +
                      (label.empty() ? "" : " " + Printable(label)));
    out_ += '\n';
    Line("|", "");
  }

  const Sources& sources_;
  const RenderOptions& options_;
  std::string out_;
  unsigned gutter_ = 2;
};

void PutSpan(nlohmann::ordered_json* json, const Span& span, const Sources& sources) {
  if (!span.known()) return;
  (*json)["file"] = Printable(sources.path(span.file));
  (*json)["line"] = span.line;
  (*json)["column"] = span.column;
  (*json)["end_line"] = span.end_line;
  (*json)["end_column"] = span.end_column;
}

}  // namespace

std::string RenderOne(const Diagnostic& diagnostic, const Sources& sources,
                      const RenderOptions& options) {
  return Printer(sources, options).Print(diagnostic);
}

std::string Render(const Diagnostics& diagnostics, const Sources& sources,
                   const RenderOptions& options) {
  std::string out;
  for (const Diagnostic& d : diagnostics.all()) {
    if (!out.empty()) out += '\n';
    out += RenderOne(d, sources, options);
  }
  return out;
}

std::string RenderJson(const Diagnostics& diagnostics, const Sources& sources) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Diagnostic& d : diagnostics.all()) {
    nlohmann::ordered_json one;
    one["severity"] = NameOf(d.severity);
    one["code"] = d.code;
    one["summary"] = Printable(d.summary);
    PutSpan(&one, d.span, sources);
    if (!d.subject.empty()) one["subject"] = Printable(d.subject);
    if (!d.label.empty()) one["label"] = Printable(d.label);
    for (const Label& label : d.also) {
      nlohmann::ordered_json other;
      other["text"] = Printable(label.text);
      PutSpan(&other, label.span, sources);
      one["also"].push_back(std::move(other));
    }
    for (const std::string& note : d.notes) one["notes"].push_back(Printable(note));
    list.push_back(std::move(one));
  }
  nlohmann::ordered_json all;
  all["diagnostics"] = std::move(list);
  return all.dump(2) + "\n";
}

std::string Summary(const Diagnostics& diagnostics) {
  size_t errors = 0, warnings = 0;
  for (const Diagnostic& d : diagnostics.all()) {
    errors += d.severity == Severity::kError;
    warnings += d.severity == Severity::kWarning;
  }
  const auto count = [](size_t n, const char* word) {
    return fmt::format("{} {}{}", n, word, n == 1 ? "" : "s");
  };
  if (errors && warnings) return count(errors, "error") + ", " + count(warnings, "warning");
  if (errors) return count(errors, "error");
  return warnings ? count(warnings, "warning") : "no problems";
}

}  // namespace postern::diag
