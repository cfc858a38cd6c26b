#include "core/jobs/thresholds.h"

#include <fmt/format.h>

#include <algorithm>

namespace postern::jobs {
namespace {

// Rounded up: of ten people five per cent may be one.
uint64_t Share(uint64_t of, uint32_t percent) {
  return (of * percent + 99) / 100;
}

}  // namespace

std::vector<std::string> Exceeded(const decl::Import& import, const RosterCounts& counts) {
  const decl::Thresholds& given = import.thresholds();
  const auto or_default = [](bool has, uint32_t value, uint32_t otherwise) {
    return has ? value : otherwise;
  };
  std::vector<std::string> out;
  const uint64_t disable = std::min<uint64_t>(
      or_default(given.has_disable(), given.disable(), 5),
      Share(counts.before, or_default(given.has_disable_percent(), given.disable_percent(), 5)));
  if (counts.disable > disable) {
    out.push_back(fmt::format("{} of {} people would be disabled; {} may be", counts.disable,
                              counts.before, disable));
  }
  const uint32_t create = or_default(given.has_create(), given.create(), 50);
  if (counts.create + counts.back > create) {
    out.push_back(fmt::format("{} people would be new or back; {} may be",
                              counts.create + counts.back, create));
  }
  const uint32_t change = or_default(given.has_change_percent(), given.change_percent(), 30);
  if (counts.change > Share(counts.before, change)) {
    out.push_back(fmt::format("{} of {} people would change; {} % may", counts.change,
                              counts.before, change));
  }
  const uint32_t reject = or_default(given.has_reject_percent(), given.reject_percent(), 2);
  const uint64_t all = counts.rows + counts.refused;
  if (counts.refused * 100 > all * reject) {
    out.push_back(
        fmt::format("{} of {} rows are refused; {} % may be", counts.refused, all, reject));
  }
  const uint32_t rows = or_default(given.has_rows_percent(), given.rows_percent(), 30);
  const uint64_t apart = std::max(all, counts.rows_before) - std::min(all, counts.rows_before);
  if (!counts.delta && counts.rows_before != 0 && apart * 100 > counts.rows_before * rows) {
    out.push_back(fmt::format("{} rows where the last file had {}; {} % apart may be", all,
                              counts.rows_before, rows));
  }
  return out;
}

}  // namespace postern::jobs
