// tests/unit/jobs/rosters.h: what a partner sends, read by the columns that are declared for it.
#pragma once
#include <string>
#include <string_view>

#include "tests/unit/jobs/files.h"

namespace postern::jobs::test {

// ID (key, a pattern), MAIL (required), UNTIL (a date).
inline Shape Roster(Format format) {
  Shape shape;
  shape.format = format;
  shape.columns = {
      {.name = format == Format::kLdif ? "dn" : "ID", .key = true, .pattern = "[A-Z]+[0-9]{1,4}"},
      {.name = "MAIL", .required = true, .max_length = 20},
      {.name = "UNTIL", .type = Type::kTime}};
  return shape;
}

struct Outcome {
  std::string refusal, rejections;
  uint64_t rows = 0;
  Gathered gathered;
};

inline Outcome ReadCsvText(std::string_view text, const ReadOptions& options = {},
                           const Shape& shape = Roster(Format::kCsv)) {
  Outcome outcome;
  const Report report = ReadText(shape, options, text, &outcome.gathered);
  outcome.refusal = Refusal(report);
  outcome.rejections = outcome.gathered.Rejections();
  outcome.rows = report.rows;
  return outcome;
}

inline Outcome ReadFormat(Format format, std::string_view text, const ReadOptions& options = {}) {
  return ReadCsvText(text, options, Roster(format));
}

inline constexpr std::string_view kHeader = "ID,MAIL,UNTIL\n";

inline std::string WithHeader(std::string_view rows) {
  return std::string(kHeader) + std::string(rows);
}

}  // namespace postern::jobs::test
