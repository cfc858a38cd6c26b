// Columns of the access lines: who, kind, effect, cause, place.
#include <algorithm>
#include <set>

#include "core/diag/text.h"
#include "core/view/access_lines.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

constexpr size_t kIndent = 2;
constexpr size_t kGap = 2;
constexpr size_t kMostName = 24;

size_t Columns(const std::string& text) {
  return static_cast<size_t>(diag::WidthOf(text));
}

struct Row {
  std::string name, type, effect, cause, place, detail;
};

struct Widths {
  size_t name = 0, type = 0, effect = 0, cause = 0, place = 0;
  bool aligned = true;  // everything fits in columns
  size_t head() const { return kIndent + name + kGap + (type > 0 ? type + kGap : 0); }
};

std::vector<Row> RowsOf(const AccessGroup& group, const Style& style) {
  std::vector<Row> rows;
  for (const AccessLine& line : group.lines) {
    Row row;
    if (rows.empty()) {
      row.name = Cut(Safe(group.name, style), kMostName, style);
      row.type = Cut(Safe(group.type, style), kMostName, style);
    }
    row.effect = Safe(line.effect, style);
    row.cause = Safe(line.until, style);
    if (!line.why.empty()) row.cause += (row.cause.empty() ? "" : "  ") + Safe(line.why, style);
    row.place = Safe(line.place, style);
    row.detail = Safe(line.detail, style);
    rows.push_back(std::move(row));
  }
  return rows;
}

Widths Measure(const std::vector<std::vector<Row>>& groups, const Style& style) {
  Widths widths;
  for (const auto& rows : groups) {
    for (const Row& row : rows) {
      widths.name = std::max(widths.name, Columns(row.name));
      widths.type = std::max(widths.type, Columns(row.type));
      widths.effect = std::max(widths.effect, Columns(row.effect));
      widths.cause = std::max(widths.cause, Columns(row.cause));
      widths.place = std::max(widths.place, Columns(row.place));
    }
  }
  const size_t tail =
      (widths.cause > 0 ? kGap + widths.cause : 0) + (widths.place > 0 ? kGap + widths.place : 0);
  widths.aligned = widths.head() + widths.effect + tail <= style.width;
  return widths;
}

std::string Tail(const Row& row, size_t cause_width, const Style& style) {
  std::string tail = row.place.empty() ? row.cause : Pad(row.cause, cause_width);
  if (!row.place.empty()) {
    tail += std::string(cause_width > 0 ? kGap : 0, ' ') + Painted(Paint::kPlace, row.place, style);
  }
  return tail;
}

std::vector<std::string> RowLines(const Row& row, const Widths& widths, Paint paint,
                                  const Style& style) {
  std::string head =
      std::string(kIndent, ' ') + Painted(Paint::kBold, Pad(row.name, widths.name), style) + "  ";
  if (widths.type > 0) head += Pad(row.type, widths.type) + "  ";
  const std::string blank(widths.head(), ' ');
  const size_t room =
      std::max<size_t>(style.width - std::min<size_t>(style.width, widths.head()), 20);
  std::vector<std::string> lines;
  for (const std::string& piece : Wrap(row.effect, room)) {
    lines.push_back((lines.empty() ? head : blank) + Painted(paint, piece, style));
  }
  const bool has_tail = !row.cause.empty() || !row.place.empty();
  if (has_tail && widths.aligned) {
    lines.back() += std::string(widths.effect - Columns(row.effect) + kGap, ' ') +
                    Tail(row, widths.cause, style);
  } else if (has_tail) {
    const size_t need = Columns(row.cause) + kGap + Columns(row.place);
    if (lines.size() == 1 && Columns(row.effect) + kGap + need <= room) {
      lines.back() += std::string(kGap, ' ') + Tail(row, Columns(row.cause), style);
    } else if (need <= room) {
      lines.push_back(blank + Tail(row, Columns(row.cause), style));
    } else {
      for (const std::string& piece : Wrap(row.cause, room)) {
        if (!piece.empty()) lines.push_back(blank + piece);
      }
      if (!row.place.empty()) lines.push_back(blank + Painted(Paint::kPlace, row.place, style));
    }
  }
  if (!row.detail.empty()) {
    for (const std::string& piece : Wrap(row.detail, room)) lines.push_back(blank + piece);
  }
  return lines;
}

void NameEveryone(const AccessGroup& group, const Widths& widths, const Style& style,
                  std::vector<std::string>* lines) {
  std::string names;
  for (const std::string& identity : group.identities) {
    names += (names.empty() ? "" : ", ") + Safe(WhoIs(identity).name, style);
  }
  const size_t room =
      std::max<size_t>(style.width - std::min<size_t>(style.width, widths.head()), 20);
  for (const std::string& piece : Wrap(names, room)) {
    lines->push_back(std::string(widths.head(), ' ') + Painted(Paint::kDim, piece, style));
  }
}

Paint PaintOf(Side side) {
  if (side == Side::kLost) return Paint::kLess;
  return side == Side::kGained ? Paint::kMore : Paint::kWarn;
}

}  // namespace

Section AccessSection(const std::vector<AccessGroup>& groups, Side side, bool detail,
                      const Style& style) {
  Section section;
  std::set<std::string> identities;
  for (const AccessGroup& group : groups) {
    identities.insert(group.identities.begin(), group.identities.end());
  }
  if (identities.empty()) return section;
  section.heading = Painted(Paint::kBold, HeadingOf(side), style) + " " + style.dot() + " " +
                    CountWho(identities);
  section.more = "with such lines: postern show --detail";
  std::vector<std::vector<Row>> rows;
  for (const AccessGroup& group : groups) {
    // What can't be on a first screen isn't laid out either.
    if (!detail && rows.size() == kScreenLines) break;
    rows.push_back(RowsOf(group, style));
  }
  const Widths widths = Measure(rows, style);
  for (size_t i = 0; i < groups.size(); ++i) {
    if (i >= rows.size()) {
      section.unseen += groups[i].identities.size();
      continue;
    }
    std::vector<std::string> lines;
    for (const Row& row : rows[i]) {
      for (std::string& line : RowLines(row, widths, PaintOf(side), style)) {
        lines.push_back(std::move(line));
      }
    }
    // One partner with hundreds of folders doesn't push everybody else off the screen.
    constexpr size_t kMostLines = 6;
    if (!detail && lines.size() > kMostLines) {
      const size_t rest = lines.size() - (kMostLines - 1);
      lines.resize(kMostLines - 1);
      lines.push_back(std::string(widths.head(), ' ') + "... and " +
                      Count(rest, "more line", "more lines"));
    }
    if (detail && groups[i].identities.size() > 1) NameEveryone(groups[i], widths, style, &lines);
    section.blocks.push_back(std::move(lines));
    section.weights.push_back(groups[i].identities.size());
  }
  return section;
}

}  // namespace postern::view
