#include "providers/filetransfer/proftpd_io/grant_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/proftpd/product.h"
#include "providers/filetransfer/server/attempts.h"
#include "providers/filetransfer/server/checker.h"
#include "providers/filetransfer/server/grant_rows.h"
#include "providers/filetransfer/server/include_installer.h"
#include "providers/filetransfer/server/row_check.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

using object::Kind;
using object::Operation;
using object::Outcome;
using object::Status;

// Many blocks: see kRestartAbove.
LoadRule RuleFor(std::string_view text, std::chrono::seconds patience) {
  using std::chrono::seconds;
  const bool many = proftpd::CountBlocks(text) > kRestartAbove;
  return {.restart = many, .limit = many ? std::max(patience, seconds(300)) : patience};
}

bool OnlyTakes(const Operation& operation) {
  if (operation.after.empty()) return true;
  const auto after = object::DecodeAs<kinds::Grant>(operation.after);
  const auto before = object::DecodeAs<kinds::Grant>(operation.before);
  return access::Rights(before.rights()).Includes(access::Rights(after.rights()));
}

// Half-way between two worlds that the product can say may lie one that it can't: somebody creates
// where others still overwrite, or overwrites where creating is gone. Then nobody overwrites there
// until the rest is written: what takes away is never kept up.
std::vector<access::GrantRow> WithoutLoneOverwrite(std::vector<access::GrantRow> rows,
                                                   const access::Fit& fit) {
  constexpr auto kSwitch = access::Right::kOverwrite;
  for (access::GrantRow& row : rows) {
    const bool refused =
        std::any_of(fit.refusals.begin(), fit.refusals.end(),
                    [&](const access::Refusal& refusal) { return refusal.row == row; });
    const bool widens =
        std::any_of(fit.widenings.begin(), fit.widenings.end(), [&](const access::Widening& wider) {
          return wider.extra.Has(kSwitch) && access::IsWithin(wider.path, row.path);
        });
    if (refused || widens) row.rights = row.rights - kSwitch;
  }
  return rows;
}

}  // namespace

std::vector<Outcome> GrantWriter::Apply(std::span<const Operation> operations) {
  return TryRows(operations.size(),
                 [&](std::vector<Outcome>& outcomes) { return Try(operations, outcomes); });
}

Result<void> GrantWriter::Try(std::span<const Operation> operations,
                              std::vector<Outcome>& outcomes) {
  for (size_t i = 0; i < operations.size(); ++i) {
    outcomes[i] = Outcome{.id = operations[i].id, .status = Status::kApplied};
  }
  auto snapshot = take_();
  if (!snapshot) return tl::unexpected(snapshot.error());
  for (const std::string& problem : {snapshot->grant_problem, snapshot->daemon_problem}) {
    if (!problem.empty()) return Fail(ErrorCode::kDenied, problem);
  }
  if (snapshot->chain.IncludedBy(settings_.include) == nullptr) {
    return Fail(ErrorCode::kDenied,
                fmt::format("{} doesn't include {}; add \"Include {}\" inside <Global>",
                            settings_.config, settings_.include, settings_.include));
  }
  // What is written goes by the include; what is expected, by what is told.
  Rows rows;
  for (const access::GrantRow& row : snapshot->grants.rows) {
    rows[object::Encode(GrantOf(settings_.name, row)).key] = row;
  }
  std::map<std::string, object::Object> live;
  for (object::Object& object : ObjectsOf(*snapshot, settings_, Kind::kGrant)) {
    std::string key = object.key;
    live.emplace(std::move(key), std::move(object));
  }
  bool work = snapshot->reload_due;
  for (size_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    const auto found = live.find(operation.key);
    const RowCheck check =
        CheckRow(operation, found == live.end() ? nullptr : &found->second, operation.after);
    outcomes[i].status = check.status;
    outcomes[i].message = check.message;
    if (!check.go_on) continue;
    if (std::string why = WhyNoBaseline(operation, settings_.roots); !why.empty()) {
      outcomes[i].status = Status::kDenied;
      outcomes[i].message = std::move(why);
      continue;
    }
    if (operation.after.empty()) {
      rows.erase(operation.key);
    } else if (const auto row = RowOf(object::DecodeAs<kinds::Grant>(operation.after))) {
      rows[operation.key] = *row;
    } else {
      outcomes[i].status = Status::kDenied;
      outcomes[i].message = row.error().message;
      continue;
    }
    work = true;
  }
  if (!work) return {};
  auto text = Render(*snapshot, rows, std::all_of(operations.begin(), operations.end(), OnlyTakes));
  if (!text) return tl::unexpected(text.error());
  // Where only the folders kept a row from holding there is nothing to say to the daemon.
  if (*text == snapshot->File(settings_.include).content && !snapshot->reload_due) return {};
  if (auto checked = Check(*snapshot, *text); !checked) return checked;
  return Install(*snapshot, *text);
}

Result<std::string> GrantWriter::Render(const Snapshot& snapshot, const Rows& rows,
                                        bool only_takes) const {
  std::vector<access::GrantRow> wanted;
  for (const auto& [key, row] : rows) {
    // Baselines aren't rows to fit: every managed root gets its deny-all whenever the file is
    // written.
    const bool baseline = row.subject.type == access::Subject::Type::kEveryone;
    if (!baseline || !row.rights.empty()) wanted.push_back(row);
  }
  access::Fit fit = proftpd::Proftpd().FitRows(wanted, settings_.roots);
  if (only_takes && !(fit.refusals.empty() && fit.widenings.empty())) {
    wanted = WithoutLoneOverwrite(std::move(wanted), fit);
    fit = proftpd::Proftpd().FitRows(wanted, settings_.roots);
  }
  if (!fit.refusals.empty()) {
    const access::Refusal& refusal = fit.refusals.front();
    return Fail(ErrorCode::kDenied, fmt::format("{} for {}: {}", refusal.row.path,
                                                access::Format(refusal.row.subject), refusal.why));
  }
  if (!fit.widenings.empty()) {
    // Whoever planned this accepted what was in the rows, and nothing wider.
    const access::Widening& wider = fit.widenings.front();
    return Fail(ErrorCode::kDenied,
                fmt::format("{} for {} would come with {}: {}", wider.path,
                            access::Format(wider.subject), access::Format(wider.extra), wider.why));
  }
  return proftpd::Lower(fit.rows, settings_.roots, snapshot.grants.locked_logins);
}

Result<void> GrantWriter::Check(const Snapshot& snapshot, const std::string& text) {
  Candidate candidate{.folder = ScratchFolder()};
  auto files = snapshot.chain.With(settings_.include, text, candidate.folder);
  if (!files) return tl::unexpected(files.error());
  candidate.files = std::move(*files);
  candidate.command = CheckerCommand(snapshot.control, candidate.files.front().path);
  return RunChecker(transport_, candidate, "proftpd -t");
}

Result<void> GrantWriter::Install(const Snapshot& snapshot, const std::string& text) {
  return IncludeInstaller(transport_,
                          {.file = snapshot.File(settings_.include),
                           .pending = snapshot.File(snapshot.pending_path),
                           .daemon = snapshot.daemon,
                           .control = snapshot.control},
                          RuleFor)
      .Install(text);
}

}  // namespace postern::filetransfer
