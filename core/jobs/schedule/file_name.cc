#include "core/jobs/schedule/file_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/diag/suggest.h"

namespace postern::jobs {
namespace {

using Part = FileName::Part;

constexpr size_t kLongest = 200;  // with endings of ours under the 255 bytes of a file's name
constexpr size_t kRunDigits = 12;
constexpr uint32_t kWidest = 18;
constexpr std::string_view kDefaultSlot = "%Y%m%dT%H%M%S";
constexpr std::string_view kNames[] = {"slot", "seq", "run", "mode"};

bool IsPlain(unsigned char c) {
  return c > 0x20 && c != 0x7f && c != '/' && c != '\\';
}

// What strftime can write into a name: no %c and the like, which depend on a locale or hold blanks.
bool IsSlotFormat(std::string_view format) {
  constexpr std::string_view kLetters = "YmdHMSjyUVGuFTz%";
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') continue;
    if (++i == format.size() || kLetters.find(format[i]) == std::string_view::npos) return false;
  }
  return format.find('%') != std::string_view::npos;
}

// The piece that stands between two braces.
std::optional<FileName::Piece> PieceOf(std::string_view inside, std::string* problem) {
  const size_t colon = inside.find(':');
  const std::string_view name = inside.substr(0, colon);
  const std::string_view how =
      colon == std::string_view::npos ? std::string_view() : inside.substr(colon + 1);
  FileName::Piece piece;
  if (name == "slot") {
    piece.part = Part::kSlot;
    piece.text = how.empty() ? kDefaultSlot : how;
    if (IsSlotFormat(piece.text)) return piece;
    *problem = fmt::format("\"{}\" is no format of a time for names, such as %Y%m%d", how);
    return std::nullopt;
  }
  if (name == "seq") {
    piece.part = Part::kSequence;
    const auto [end, error] = std::from_chars(how.data(), how.data() + how.size(), piece.width);
    if (how.empty() || (error == std::errc() && end == how.data() + how.size() && how[0] == '0' &&
                        piece.width > 0 && piece.width <= kWidest)) {
      return piece;
    }
    *problem = fmt::format("\"{}\" is no width of a number, such as 06", how);
    return std::nullopt;
  }
  piece.part = name == "run" ? Part::kRun : Part::kMode;
  if ((name == "run" || name == "mode") && colon == std::string_view::npos) return piece;
  const auto near = diag::Nearest(name, kNames);
  *problem = near && *near != name
                 ? fmt::format("{{{}}} isn't known; did you mean {{{}}}?", name, *near)
                 : fmt::format("{{{}}} isn't known", inside);
  return std::nullopt;
}

}  // namespace

bool FileName::IsDistinct() const {
  return std::any_of(pieces.begin(), pieces.end(), [](const Piece& piece) {
    return piece.part == Part::kSlot || piece.part == Part::kSequence || piece.part == Part::kRun;
  });
}

std::optional<FileName> ParseFileName(std::string_view text, std::string* problem) {
  FileName name;
  std::string plain;
  const auto flush = [&] {
    if (!plain.empty()) name.pieces.push_back({Part::kText, plain, 0});
    plain.clear();
  };
  if (text.empty() || text[0] == '.' || text.size() > kLongest ||
      !std::all_of(text.begin(), text.end(), IsPlain)) {
    *problem = "no name of a file: a slash, a blank, a leading dot, or too long";
    return std::nullopt;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const bool brace = text[i] == '{' || text[i] == '}';
    if (!brace || (i + 1 < text.size() && text[i + 1] == text[i])) {
      plain += text[i];
      i += brace ? 1 : 0;
      continue;
    }
    const size_t end = text.find('}', i);
    if (text[i] == '}' || end == std::string_view::npos) {
      *problem = "the braces don't match";
      return std::nullopt;
    }
    flush();
    auto piece = PieceOf(text.substr(i + 1, end - i - 1), problem);
    if (!piece) return std::nullopt;
    name.pieces.push_back(*std::move(piece));
    i = end;
  }
  flush();
  return name;
}

std::string Expand(const FileName& name, const FileNameValues& values) {
  std::string out;
  for (const FileName::Piece& piece : name.pieces) {
    switch (piece.part) {
      case Part::kText:
        out += piece.text;
        break;
      case Part::kSlot:
        out += FormatLocal(piece.text, values.slot, values.zone);
        break;
      case Part::kSequence:
        out += fmt::format("{:0{}}", values.sequence, std::max(piece.width, uint32_t{1}));
        break;
      case Part::kRun:
        out += values.run.substr(0, kRunDigits);
        break;
      case Part::kMode:
        out += values.mode;
        break;
    }
  }
  return out;
}

}  // namespace postern::jobs
