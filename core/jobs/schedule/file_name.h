// core/jobs/schedule/file_name.h: the final name of a delivered file, as a template.
//
// {slot} or {slot:FORMAT} (strftime's letters, in the schedule's zone), {seq} or {seq:06} (filled
// with zeros), {run} (the first 12 digits of the run's id), {mode} (full or delta). Everything else
// stands as it is; "{{" and "}}" are braces. A run that is delivered again has the same values and
// so the same name. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"
#include "core/jobs/zone.h"

namespace postern::jobs {

struct FileName {
  enum class Part : uint8_t { kText, kSlot, kSequence, kRun, kMode };
  struct Piece {
    Part part = Part::kText;
    std::string text;    // kText; of kSlot the format
    uint32_t width = 0;  // kSequence: at least so many digits
  };
  std::vector<Piece> pieces;

  // Two runs have two names (as far as the slot's format tells them apart).
  bool IsDistinct() const;
};

struct FileNameValues {
  base::Instant slot = 0;
  Zone zone;
  uint64_t sequence = 0;
  std::string run, mode;
};

// Nothing, with what is wrong ("{seqence} isn't known; did you mean {seq}?") when the text can't be
// a name: unknown or unmatched braces, a slash, a leading dot, blanks or control characters, or
// more than 200 bytes.
std::optional<FileName> ParseFileName(std::string_view text, std::string* problem);
std::string Expand(const FileName& name, const FileNameValues& values);

}  // namespace postern::jobs
