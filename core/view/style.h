// core/view/style.h: how text looks: width, colour, characters; and the one way text gets printed.
//
// Everything that came from a person, a file or a server goes through Safe() before it is printed.
// Pure; any thread. Widths are terminal columns.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern::view {

// A first screen has at most this many lines, whatever the size of what is shown.
inline constexpr size_t kScreenLines = 60;

enum class Paint : uint8_t { kPlain, kBold, kDim, kLess, kMore, kWarn, kPlace };

struct Style {
  bool colour = false;   // a terminal, no NO_COLOR
  bool unicode = true;   // the locale is UTF-8
  unsigned width = 100;  // 60 and up

  const char* dot() const { return unicode ? "·" : "-"; }
  const char* arrow() const { return unicode ? "→" : "->"; }
  const char* full() const { return unicode ? "█" : "#"; }
  const char* blank() const { return unicode ? "░" : "."; }
  const char* dots() const { return unicode ? "…" : "..."; }
};

// `text` without control, bidi or broken bytes; without anything but ASCII where the locale has
// nothing else.
std::string Safe(std::string_view text, const Style& style);
// `text` (safe already) in colour, when there is colour.
std::string Painted(Paint paint, std::string_view text, const Style& style);

// "12,408"
std::string Thousands(uint64_t number);
// "1 person", "1,204 people"
std::string Count(uint64_t number, std::string_view one, std::string_view many);
// "1 key", "3 keys"
std::string Count(uint64_t number, std::string_view one);
// "a, b and 12 more"
std::string Some(const std::vector<std::string>& names, size_t most);

// Safe text filled up with blanks to `width` columns; longer text stays as it is.
std::string Pad(std::string_view text, size_t width);
// Cut to `width` columns, with dots where something is missing.
std::string Cut(std::string_view text, size_t width, const Style& style);
// Broken at blanks into lines of at most `width` columns; a longer word is broken where it must be.
std::vector<std::string> Wrap(std::string_view text, size_t width);

// Lines under a heading. Each block is one thing with its lines; blocks that don't fit are counted.
struct Section {
  std::string heading;
  std::vector<std::vector<std::string>> blocks;
  std::string more;  // "people: postern show --detail": what the rest is called, and where it is
  // How many things each block stands for (folded lines); empty: one each.
  std::vector<size_t> weights;
  size_t unseen = 0;  // further things that have no block
};

// Prints the sections with a blank line between two, in at most `room` lines over all of them;
// what is short is shown whole, the rest shares what is left. room 0: no limit.
void PrintSections(const std::vector<Section>& sections, size_t room, std::string* out);

// Rows of cells in columns as wide as they need. A last cell that doesn't fit stands on lines of
// its own below its row, or, with kCut, is cut. Cells are made safe.
class Table {
 public:
  enum class Last : uint8_t { kBelow, kCut };
  explicit Table(std::vector<std::string> heading = {}, Last last = Last::kBelow)
      : heading_(std::move(heading)), last_(last) {}
  void Row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  std::string Print(const Style& style, size_t indent = 0) const;

 private:
  std::string PrintRow(const std::vector<std::string>& row, const std::vector<size_t>& widths,
                       const Style& style, size_t indent) const;

  std::vector<std::string> heading_;
  Last last_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace postern::view
