// What went before a run: the state that a delta starts from, and the count that rows may not fall
// far below.
#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <system_error>

#include "core/diag/codes.h"
#include "core/jobs/export_file.h"
#include "core/jobs/history.h"

namespace postern::jobs {
namespace {

constexpr uint32_t kShrink = 30;
constexpr size_t kHistory = 10'000;

}  // namespace

// Of the runs since the receiver's last full one, how many there were.
Result<uint64_t> ExportFile::CountRunsSinceFull() {
  auto runs = outbox_.Runs(kHistory);
  if (!runs) return tl::unexpected<Error>(runs.error());
  uint64_t count = 0;
  for (const RunRow& run : *runs) {
    if (run.outcome == kAbandoned || !run.terms.SameReceiver(terms_)) continue;
    if (run.mode == ToString(Mode::kFull)) break;
    ++count;
  }
  return count;
}

Result<ExportFile::Base> ExportFile::FindBase(bool full) {
  Base base;
  const bool answered = declared_.deliver().has_ack();
  // Whoever it went to: rows that are missing now are missing in the source.
  auto newest = outbox_.LastDelivered(answered);
  if (!newest) return tl::unexpected<Error>(newest.error());
  if (*newest && (*newest)->terms.rows == terms_.rows) base.rows = (*newest)->rows;
  auto last = outbox_.LastDelivered(answered, &terms_);
  if (!last) return tl::unexpected<Error>(last.error());
  if (!*last) return base;
  base.run = **last;
  if (!mapping_ || mapping_->shape().mode == Mode::kFull || full) return base;
  auto since = CountRunsSinceFull();
  if (!since) return tl::unexpected<Error>(since.error());
  if (declared_.full_every() > 0 && *since + 1 >= declared_.full_every()) return base;
  // Other columns, or a state that retention has taken: a delta would be of something else.
  std::error_code ignored;
  const std::string state = StatePath(base.run.id);
  if (std::filesystem::exists(state, ignored)) base.state = state;
  return base;
}

std::optional<Made> ExportFile::CheckCount(uint64_t rows, const Base& base) {
  const uint64_t least = declared_.has_min_rows() ? declared_.min_rows() : 1;
  if (rows < least) {
    return Refuse(diag::code::kTooFewRows, fmt::format("{} rows, at least {}", rows, least),
                  "look at the source; `min_rows` says how few are published");
  }
  const uint64_t share = declared_.has_shrink_percent() ? declared_.shrink_percent() : kShrink;
  if (rows >= base.rows || (base.rows - rows) * 100 <= base.rows * share) return std::nullopt;
  return Refuse(diag::code::kTooFewRows,
                fmt::format("{} rows where the last file had {}; at most {} % fewer are published",
                            rows, base.rows, share),
                "look at the source; `shrink_percent` says how many may go at once");
}

Result<void> ExportFile::ForgetStates(const std::string& folder, Outbox& outbox, bool acknowledged,
                                      const Terms& receiver) {
  auto last = outbox.LastDelivered(acknowledged, &receiver);
  if (!last) return tl::unexpected<Error>(last.error());
  if (!*last) return {};
  auto runs = outbox.Runs(kHistory);
  if (!runs) return tl::unexpected<Error>(runs.error());
  std::set<std::string> older;
  for (const RunRow& run : *runs) {
    if (run.sequence < (*last)->sequence) older.insert(run.id);
  }
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder + "/states", failed)) {
    const std::string name = entry.path().filename().string();
    std::error_code ignored;
    if (older.contains(name.substr(0, name.find('-')))) std::filesystem::remove(entry, ignored);
  }
  return {};
}

}  // namespace postern::jobs
