#include "core/jobs/thresholds.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/jobs/spec.h"

namespace postern::jobs {
namespace {

// Rounded up: of ten people five per cent may be one.
uint64_t Share(uint64_t of, uint32_t percent) {
  return (of * percent + 99) / 100;
}

}  // namespace

std::vector<std::string> Exceeded(const decl::Import& import, const RosterCounts& counts) {
  const decl::Thresholds most = ThresholdsOf(import);
  std::vector<std::string> out;
  const uint64_t disable =
      std::min<uint64_t>(most.disable(), Share(counts.before, most.disable_percent()));
  if (counts.disable > disable) {
    out.push_back(fmt::format("{} of {} people would be disabled; {} may be", counts.disable,
                              counts.before, disable));
  }
  const uint32_t create = most.create();
  if (counts.create + counts.back > create) {
    out.push_back(fmt::format("{} people would be new or back; {} may be",
                              counts.create + counts.back, create));
  }
  const uint32_t change = most.change_percent();
  if (counts.change > Share(counts.before, change)) {
    out.push_back(fmt::format("{} of {} people would change; {} % may", counts.change,
                              counts.before, change));
  }
  const uint32_t reject = most.reject_percent();
  const uint64_t all = counts.rows + counts.refused;
  if (counts.refused * 100 > all * reject) {
    out.push_back(
        fmt::format("{} of {} rows are refused; {} % may be", counts.refused, all, reject));
  }
  const uint32_t rows = most.rows_percent();
  const uint64_t apart = std::max(all, counts.rows_before) - std::min(all, counts.rows_before);
  if (!counts.delta && counts.rows_before != 0 && apart * 100 > counts.rows_before * rows) {
    out.push_back(fmt::format("{} rows where the last file had {}; {} % apart may be", all,
                              counts.rows_before, rows));
  }
  return out;
}

}  // namespace postern::jobs
