#include "core/view/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/diag/text.h"

namespace postern::view {
namespace {

size_t Columns(std::string_view text) {
  return static_cast<size_t>(diag::WidthOf(text));
}

// How many lines each section may have. What wants less than its share leaves the rest to others.
std::vector<size_t> Share(const std::vector<size_t>& wanted, size_t room) {
  std::vector<size_t> given(wanted.size(), 0);
  size_t open = wanted.size();
  while (open > 0) {
    const size_t each = room / open;
    size_t settled = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (given[i] != 0 || wanted[i] > each) continue;
      given[i] = std::max<size_t>(wanted[i], 1);
      room -= std::min(room, wanted[i]);
      ++settled;
    }
    if (settled == 0) {
      for (size_t& lines : given) {
        if (lines == 0) lines = std::max<size_t>(each, 1);
      }
      return given;
    }
    open -= settled;
  }
  return given;
}

void PrintSection(const Section& section, size_t lines, std::string* out) {
  if (!section.heading.empty()) *out += section.heading + "\n";
  size_t total = 0;
  for (const auto& block : section.blocks) total += block.size();
  const bool cut = lines < total || section.unseen > 0;
  // One line of the share is for saying how many more there are.
  const size_t room = cut ? std::max<size_t>(lines, 2) - 1 : total;
  size_t used = 0, shown = 0;
  for (const auto& block : section.blocks) {
    if (cut && used + block.size() > room) break;
    for (const std::string& line : block) *out += line + "\n";
    used += block.size();
    ++shown;
  }
  size_t hidden = section.unseen;
  for (size_t i = shown; i < section.blocks.size(); ++i) {
    hidden += section.weights.empty() ? 1 : section.weights[i];
  }
  if (hidden > 0) *out += fmt::format("  ... and {} more {}\n", Thousands(hidden), section.more);
}

}  // namespace

std::string Safe(std::string_view text, const Style& style) {
  std::string printable = diag::Printable(text);
  if (style.unicode) return printable;
  std::string out;
  std::string_view rest = printable;
  while (!rest.empty()) {
    const int32_t c = diag::TakeCodePoint(&rest);
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else {
      fmt::format_to(std::back_inserter(out), "\\u{{{:X}}}", c);
    }
  }
  return out;
}

std::string Painted(Paint paint, std::string_view text, const Style& style) {
  constexpr const char* kCodes[] = {"", "1", "2", "31", "32", "33", "36"};
  if (!style.colour || paint == Paint::kPlain || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<size_t>(paint)], text);
}

std::string Thousands(uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string Count(uint64_t number, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", Thousands(number), number == 1 ? one : many);
}

std::string Count(uint64_t number, std::string_view one) {
  return fmt::format("{} {}{}", Thousands(number), one, number == 1 ? "" : "s");
}

std::string Some(const std::vector<std::string>& names, size_t most) {
  std::string out;
  const size_t shown = std::min(most, names.size());
  for (size_t i = 0; i < shown; ++i) {
    if (i > 0) out += i + 1 == names.size() ? " and " : ", ";
    out += names[i];
  }
  if (shown < names.size()) out += fmt::format(" and {} more", Thousands(names.size() - shown));
  return out;
}

std::string Pad(std::string_view text, size_t width) {
  std::string out(text);
  const size_t columns = Columns(text);
  if (columns < width) out.append(width - columns, ' ');
  return out;
}

std::string Cut(std::string_view text, size_t width, const Style& style) {
  if (Columns(text) <= width) return std::string(text);
  const size_t room = width - std::min(width, style.unicode ? size_t{1} : size_t{3});
  std::string out;
  size_t columns = 0;
  while (!text.empty()) {
    std::string_view rest = text;
    columns += static_cast<size_t>(diag::WidthOf(diag::TakeCodePoint(&rest)));
    if (columns > room) break;
    out += text.substr(0, text.size() - rest.size());
    text = rest;
  }
  return out + style.dots();
}

std::vector<std::string> Wrap(std::string_view text, size_t width) {
  std::vector<std::string> lines;
  std::string line;
  size_t columns = 0;
  const auto flush = [&] {
    lines.push_back(std::move(line));
    line.clear();
    columns = 0;
  };
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    const size_t need = Columns(word);
    if (columns > 0 && columns + 1 + need > width) flush();
    if (columns > 0) {
      line += ' ';
      ++columns;
    }
    while (Columns(word) > width) {
      std::string_view rest = word;
      size_t taken = 0;
      while (!rest.empty() && taken < width) {
        taken += static_cast<size_t>(diag::WidthOf(diag::TakeCodePoint(&rest)));
      }
      line += word.substr(0, word.size() - rest.size());
      word = rest;
      flush();
    }
    line += word;
    columns += Columns(word);
  }
  if (!line.empty() || lines.empty()) flush();
  return lines;
}

void PrintSections(const std::vector<Section>& sections, size_t room, std::string* out) {
  std::vector<const Section*> shown;
  std::vector<size_t> wanted;
  size_t fixed = 0;
  for (const Section& section : sections) {
    if (section.blocks.empty() && section.heading.empty()) continue;
    size_t lines = section.unseen > 0 ? 1 : 0;
    for (const auto& block : section.blocks) lines += block.size();
    shown.push_back(&section);
    wanted.push_back(lines);
    fixed += (section.heading.empty() ? 0 : 1) + (shown.size() > 1 ? 1 : 0);
  }
  const std::vector<size_t> given =
      room == 0 ? wanted : Share(wanted, room > fixed ? room - fixed : shown.size());
  for (size_t i = 0; i < shown.size(); ++i) {
    if (i > 0) *out += '\n';
    PrintSection(*shown[i], given[i], out);
  }
}

std::string Table::Print(const Style& style, size_t indent) const {
  std::vector<std::vector<std::string>> rows;
  if (!heading_.empty() && !rows_.empty()) rows.push_back(heading_);
  rows.insert(rows.end(), rows_.begin(), rows_.end());
  std::vector<size_t> widths;
  for (auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = Safe(row[i], style);
      widths[i] = std::max(widths[i], Columns(row[i]));
    }
  }
  std::string out;
  for (size_t r = 0; r < rows.size(); ++r) {
    const std::string text = PrintRow(rows[r], widths, style, indent);
    const bool heading = r == 0 && !heading_.empty();
    out += heading ? Painted(Paint::kDim, text, style) : text;
    out += '\n';
  }
  return out;
}

std::string Table::PrintRow(const std::vector<std::string>& row, const std::vector<size_t>& widths,
                            const Style& style, size_t indent) const {
  constexpr size_t kDeeper = 4;
  std::string text(indent, ' ');
  size_t columns = indent;
  for (size_t i = 0; i + 1 < row.size(); ++i) {
    // A cell that goes over the edge starts a line of its own as well.
    if (i > 0 && columns + widths[i] > style.width) {
      text += "\n" + std::string(indent + kDeeper, ' ');
      columns = indent + kDeeper;
    }
    text += Pad(row[i], widths[i]) + "  ";
    columns += widths[i] + 2;
  }
  if (row.empty()) return text;
  const std::string& last = row.back();
  const size_t left = style.width > columns ? style.width - columns : 0;
  if (Columns(last) <= left) {
    text += last;
  } else if (last_ == Last::kCut) {
    text += Cut(last, std::max<size_t>(left, 8), style);
  } else {
    for (const std::string& piece : Wrap(last, style.width - indent - kDeeper)) {
      text += "\n" + std::string(indent + kDeeper, ' ') + piece;
    }
  }
  // Padding at the ends of lines is nobody's business.
  std::string tidy;
  for (size_t from = 0; from <= text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    std::string line = text.substr(from, end - from);
    line.erase(line.find_last_not_of(' ') + 1);
    tidy += (from == 0 ? "" : "\n") + line;
    from = end + 1;
  }
  return tidy;
}

}  // namespace postern::view
