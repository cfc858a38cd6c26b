#include "core/jobs/import_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/jobs/import_run.h"
#include "core/ledger/payload.h"

namespace postern::jobs {
namespace {

constexpr char kReleased[] = "released", kAccepted[] = "accepted";
constexpr std::string_view kImportPrefix = "import.";

// When it came to its state, as far as that is known.
base::Instant MomentOf(const ImportRunRow& run) {
  const base::Instant last = run.decisions.empty() ? 0 : run.decisions.back().at;
  return std::max({run.file.ended, run.file.taken_at, last});
}

// A run whose state is gone, as the ledger has it.
FileOutcome FromLedger(const Decision& first) {
  FileOutcome file;
  file.run = first.event.run;
  file.sha256 = first.event.file_sha256;
  file.plan_digest = first.event.plan_digest;
  return file;
}

std::string Short(const std::string& digest) {
  constexpr size_t kDigits = 12;
  return digest.substr(0, kDigits);
}

void CheckRelease(const Decision& decision, Evidence* evidence) {
  const ledger::JobEvent& event = decision.event;
  if (!decision.signature) return;
  const ReleaseVerdict& verdict = *decision.signature;
  if (verdict.releaser == event.who) {
    evidence->checked.push_back(
        fmt::format("signature of {} over plan {}", event.who, Short(event.plan_digest)));
  } else if (verdict.of_unknown_key) {
    evidence->missing.push_back(fmt::format(
        "whose signature the release by {} has: it is one over this plan, by a key that no "
        "releaser has now",
        event.who));
  } else {
    evidence->faults.push_back(fmt::format(
        "release by {}: {}", event.who,
        verdict.releaser.empty() ? verdict.why : "the signature is that of " + verdict.releaser));
  }
}

// Whether somebody's release stands before what was accepted by it.
bool IsReleased(const ImportRunRow& run, const ledger::JobEvent& accepted) {
  return std::any_of(run.decisions.begin(), run.decisions.end(), [&](const Decision& one) {
    return one.event.what == kReleased && one.event.plan_digest == accepted.plan_digest &&
           accepted.note == "released by " + one.event.who;
  });
}

void CheckDecisions(const ImportRunRow& run, Evidence* evidence) {
  const FileOutcome& file = run.file;
  bool is_accepted = false;
  for (const Decision& decision : run.decisions) {
    const ledger::JobEvent& event = decision.event;
    if (event.file_sha256 != file.sha256) {
      evidence->faults.push_back(fmt::format("the ledger has {} {} of a file of SHA-256 {}",
                                             event.what, base::FormatInstant(decision.at),
                                             event.file_sha256));
    }
    if (event.what == kReleased) CheckRelease(decision, evidence);
    if (event.what != kAccepted) continue;
    is_accepted = true;
    if (event.note.starts_with("released by ") && !IsReleased(run, event)) {
      evidence->faults.push_back(
          fmt::format("accepted {}: {}, and the ledger has no such release of that plan",
                      base::FormatInstant(decision.at), event.note));
    }
  }
  if (!run.decisions.empty()) {
    evidence->checked.push_back(fmt::format(
        "{} events of the ledger (its chain: postern ledger verify)", run.decisions.size()));
  }
  if (file.taken && !is_accepted) {
    evidence->faults.push_back(fmt::format(
        "its state is {}, and the ledger has accepted no such run", ToString(file.state)));
  }
}

}  // namespace

Result<std::vector<Decision>> DecisionsOf(ledger::Ledger& ledger, const std::string& job) {
  std::vector<Decision> decisions;
  std::optional<Error> broken;
  const auto read = ledger.Events(1, [&](const ledger::Event& event) {
    if (event.type != "job") return true;
    auto parsed = ledger::ParseEvent(event.type, event.payload);
    if (!parsed) {
      broken = parsed.error();
      return false;
    }
    auto& done = std::get<ledger::JobDone>(*parsed);
    if (done.event.job == job) decisions.push_back({event.at, std::move(done.event), {}});
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  if (broken) return tl::unexpected(*std::move(broken));
  return decisions;
}

Result<std::vector<ImportRunRow>> ImportRuns(const std::string& folder, const std::string& job,
                                             ledger::Ledger& ledger) {
  auto files = Quarantine(folder + "/in").Files();
  if (!files) return tl::unexpected(files.error());
  auto decisions = DecisionsOf(ledger, job);
  if (!decisions) return tl::unexpected(decisions.error());
  std::map<std::string, ImportRunRow> runs;
  for (FileOutcome& file : *files) {
    const std::string run = file.run;
    runs[run].file = std::move(file);
  }
  for (Decision& decision : *decisions) {
    const auto [at, is_new] = runs.try_emplace(decision.event.run);
    if (is_new) {
      at->second.file = FromLedger(decision);
      at->second.kept = false;
    }
    at->second.decisions.push_back(std::move(decision));
  }
  std::vector<ImportRunRow> out;
  for (auto& [run, row] : runs) out.push_back(std::move(row));
  std::stable_sort(out.begin(), out.end(), [](const ImportRunRow& a, const ImportRunRow& b) {
    return MomentOf(a) > MomentOf(b);
  });
  return out;
}

Result<void> CheckSignatures(const std::string& folder, const config::Declarations& declarations,
                             ImportRunRow* run) {
  for (Decision& decision : run->decisions) {
    const ledger::JobEvent& event = decision.event;
    if (event.what != kReleased) continue;
    HeldRun held = HeldOf(event.job, run->file);
    held.run = event.run;
    held.file_sha256 = event.file_sha256;
    held.plan_digest = event.plan_digest;
    // Who started it was judged then; by now the file may have been said anew by another.
    held.started_by.clear();
    held.behind.clear();
    auto verdict = VerifyRelease(held, event.reason, event.signature, declarations, folder);
    if (!verdict) return tl::unexpected(verdict.error());
    decision.signature = *std::move(verdict);
  }
  return {};
}

Evidence CheckImport(const std::string& folder, const std::string& job, const ImportRunRow& run) {
  Evidence evidence;
  const FileOutcome& file = run.file;
  if (!run.kept) {
    evidence.missing.push_back("the file's state in " + folder +
                               "/in: removed by somebody, the ledger alone knows the run");
  } else {
    const std::string import = job.substr(kImportPrefix.size());
    if (ImportRunId(import, file.key) != file.run) {
      evidence.faults.push_back(fmt::format("run {}: it isn't that of its file's key", file.run));
    }
    CheckKeptFile(Quarantine(folder + "/in").FilePath(file.key), file.name, file.bytes, file.sha256,
                  &evidence);
  }
  CheckDecisions(run, &evidence);
  return evidence;
}

}  // namespace postern::jobs
