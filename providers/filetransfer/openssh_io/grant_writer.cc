#include "providers/filetransfer/openssh_io/grant_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/kill_point.h"
#include "providers/filetransfer/openssh/product.h"
#include "providers/filetransfer/server/attempts.h"
#include "providers/filetransfer/server/checker.h"
#include "providers/filetransfer/server/grant_rows.h"
#include "providers/filetransfer/server/include_installer.h"
#include "providers/filetransfer/server/row_check.h"

namespace postern::filetransfer {
namespace {

using access::GrantRow;
using access::Subject;
using object::Kind;
using object::Operation;
using object::Outcome;
using object::Status;

// sshd reads its blocks within milliseconds, however many there are.
LoadRule ReloadAlways(std::string_view, std::chrono::seconds patience) {
  return {.restart = false, .limit = patience};
}

std::string KeyOf(const std::string& server, const GrantRow& row) {
  return object::Encode(GrantOf(server, row)).key;
}

// Nothing can be written before all of it is known.
std::string WhyUnwritable(const SshdSnapshot& snapshot, const ServerSettings& settings) {
  for (const std::string& problem :
       {snapshot.config_problem, snapshot.account_problem, snapshot.include_problem,
        snapshot.daemon_problem, snapshot.grant_problem}) {
    if (!problem.empty()) return problem;
  }
  std::string why = snapshot.files.WhyNotReached();
  if (why.empty()) return "";
  return fmt::format("{}; put \"Include {}\" before the first Match line of {}", why,
                     settings.include, settings.config);
}

// sshd refuses a chroot that others than root may write: what another server's accounts would
// change there isn't given, or every session of ours would end. Answers what was left out; empty:
// nothing.
std::string KeepChroots(const openssh::IncludeContent& content, TreeNeeds* peers) {
  std::string why;
  for (posix::Wanted& wanted : peers->wanted) {
    if (!(posix::NeedsOf(wanted.rights).folder & posix::kWrite)) continue;
    for (const openssh::ManagedAccount& account : content.accounts) {
      if (account.chroot.empty() || !access::IsWithin(account.chroot, wanted.path)) continue;
      why = fmt::format("account {}: sshd refuses the chroot {} where somebody may change {}",
                        account.login, account.chroot, wanted.path);
      for (int bit = 0; bit < access::kRightCount; ++bit) {
        const access::Rights right = static_cast<access::Right>(bit);
        if (posix::NeedsOf(right).folder & posix::kWrite) wanted.rights = wanted.rights - right;
      }
      break;
    }
  }
  return why;
}

// A revocation must not wait for the list: the blocks go on saying what they said of it.
void KeepRevocation(const SshdSnapshot& snapshot, std::vector<openssh::ManagedAccount>* accounts) {
  const auto& before = snapshot.grants.content.accounts;
  for (openssh::ManagedAccount& account : *accounts) {
    const auto at = std::find_if(before.begin(), before.end(),
                                 [&](const auto& block) { return block.login == account.login; });
    account.revoked = at == before.end() ? "" : at->revoked;
  }
}

// Whether the operation shuts an account, and does nothing else with it.
bool OnlyLocks(const Operation& operation) {
  if (operation.kind != Kind::kAccount) return true;
  return !operation.after.empty() && LocksAccount(operation);
}

// Everyone's rows are the deny-alls of the roots: lines of their own.
bool IsEveryone(const GrantRow& row) {
  return row.subject.type == Subject::Type::kEveryone;
}

}  // namespace

bool LocksAccount(const Operation& operation) {
  if (operation.kind != Kind::kAccount || operation.after.empty()) return false;
  const auto after = object::DecodeAs<kinds::Account>(operation.after);
  return after.has_enabled() && !after.enabled();
}

std::vector<Outcome> SshdGrantWriter::Apply(std::span<const Operation> operations) {
  return TryRows(operations.size(),
                 [&](std::vector<Outcome>& outcomes) { return Try(operations, outcomes); });
}

bool SshdGrantWriter::Merge(std::span<const Operation> operations, const SshdSnapshot& snapshot,
                            Rows* rows, std::vector<std::string>* roots,
                            std::vector<Outcome>& outcomes) {
  std::map<std::string, object::Object> live;
  for (const GrantRow& row : snapshot.rows) {
    if (!IsEveryone(row)) (*rows)[KeyOf(settings_.name, row)] = row;
  }
  for (object::Object& object : GrantObjects(snapshot, settings_)) {
    std::string key = object.key;
    live.emplace(std::move(key), std::move(object));
  }
  // What the include says of a row counts, also where the tree gives less for a while.
  for (const GrantRow& row : snapshot.grants.content.rows) {
    (*rows)[KeyOf(settings_.name, row)] = row;
  }
  *roots = snapshot.grants.content.roots;
  bool work = snapshot.reload_due;
  for (size_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    const auto found = live.find(operation.key);
    const RowCheck check =
        CheckRow(operation, found == live.end() ? nullptr : &found->second, operation.after);
    outcomes[i].status = check.status;
    outcomes[i].message = check.message;
    if (!check.go_on) continue;
    std::string why = WhyNoBaseline(operation, settings_.roots);
    const bool removes = operation.after.empty();
    const auto row =
        RowOf(object::DecodeAs<kinds::Grant>(removes ? operation.before : operation.after));
    if (why.empty() && !row) why = row.error().message;
    if (why.empty() && !removes && !IsEveryone(*row) &&
        snapshot.host.accounts.FindUser(row->subject.name) == nullptr) {
      why = fmt::format("the host has no account {}", row->subject.name);
    }
    if (!why.empty()) {
      outcomes[i].status = Status::kDenied;
      outcomes[i].message = std::move(why);
      continue;
    }
    work = true;
    if (IsEveryone(*row)) {
      roots->push_back(row->path);
    } else if (removes) {
      rows->erase(operation.key);
    } else {
      (*rows)[operation.key] = *row;
    }
  }
  return work;
}

Result<openssh::IncludeContent> SshdGrantWriter::ContentOf(const SshdSnapshot& snapshot,
                                                           const Rows& rows,
                                                           std::vector<std::string> roots) const {
  std::vector<GrantRow> wanted;
  for (const auto& [key, row] : rows) wanted.push_back(row);
  const access::Fit fit = openssh::OpenSsh().FitRows(wanted, settings_.roots);
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
  openssh::IncludeContent content{.rows = fit.rows, .roots = std::move(roots), .accounts = {}};
  std::sort(content.roots.begin(), content.roots.end());
  content.roots.erase(std::unique(content.roots.begin(), content.roots.end()), content.roots.end());
  content.accounts = AccountBlocks(snapshot, settings_);
  if (!WhyNoRevocation(snapshot, settings_).empty()) KeepRevocation(snapshot, &content.accounts);
  for (const GrantRow& row : content.rows) {
    const bool known = std::any_of(
        content.accounts.begin(), content.accounts.end(),
        [&](const openssh::ManagedAccount& account) { return account.login == row.subject.name; });
    if (!known) content.accounts.push_back({.login = row.subject.name});
  }
  std::sort(content.accounts.begin(), content.accounts.end());
  return content;
}

Result<void> SshdGrantWriter::Try(std::span<const Operation> operations,
                                  std::vector<Outcome>& outcomes) {
  for (size_t i = 0; i < operations.size(); ++i) {
    outcomes[i] = Outcome{.id = operations[i].id, .status = Status::kApplied};
  }
  auto snapshot =
      TakeSshdSnapshot(transport_, settings_, {.keys = false, .grants = true, .peers = peers_});
  if (!snapshot) return tl::unexpected(snapshot.error());
  if (std::string why = WhyUnwritable(*snapshot, settings_); !why.empty()) {
    return Fail(ErrorCode::kDenied, std::move(why));
  }
  Rows rows;
  std::vector<std::string> roots;
  if (!Merge(operations, *snapshot, &rows, &roots, outcomes)) return {};
  auto content = ContentOf(*snapshot, rows, std::move(roots));
  if (!content) return tl::unexpected(content.error());
  auto text = openssh::Lower(*content);
  if (!text) return tl::unexpected(text.error());
  if (auto checked = Check(*snapshot, *text); !checked) return checked;
  const auto stages = StagesFor(*snapshot, *content);
  if (!stages) return tl::unexpected(stages.error());
  if (auto done = WriteStage(stages->less); !done) return done;
  base::KillPoint("filetransfer.tree-less");
  if (auto done = Install(*snapshot, *text); !done) return done;
  return WriteStage(stages->more);
}

Result<Stages> SshdGrantWriter::StagesFor(const SshdSnapshot& snapshot,
                                          const openssh::IncludeContent& content) const {
  TreeNeeds peers = snapshot.peers;
  KeepChroots(content, &peers);
  const FitInput input =
      FitInputOf(content.rows, snapshot.host.accounts, snapshot.Logins(), peers, content.roots);
  auto fit = posix::Fit(snapshot.tree.tree, input.wanted, input.question);
  if (!fit) return tl::unexpected(fit.error());
  return StagesOf(fit->changes);
}

Result<void> SshdGrantWriter::FitTree() {
  Result<void> done = {};
  for (int attempt = 0; attempt < 3; ++attempt) {
    auto snapshot =
        TakeSshdSnapshot(transport_, settings_, {.keys = false, .grants = true, .peers = peers_});
    if (!snapshot) return tl::unexpected(snapshot.error());
    if (std::string why = WhyUnwritable(*snapshot, settings_); !why.empty()) {
      return Fail(ErrorCode::kDenied, std::move(why));
    }
    const auto stages = StagesFor(*snapshot, snapshot->grants.content);
    if (!stages) return tl::unexpected(stages.error());
    done = WriteStage(stages->less);
    if (done) done = WriteStage(stages->more);
    if (done) {
      const std::string why = KeepChroots(snapshot->grants.content, &snapshot->peers);
      if (!why.empty()) return Fail(ErrorCode::kDenied, why);
    }
    if (done || done.error().code != ErrorCode::kConflict) break;
  }
  return done;
}

Result<void> SshdGrantWriter::EnsureBlocks(std::span<const Operation> operations) {
  Result<void> done = {};
  for (int attempt = 0; attempt < 3; ++attempt) {
    done = TryBlocks(operations);
    if (done || done.error().code != ErrorCode::kConflict) break;
  }
  return done;
}

Result<void> SshdGrantWriter::TryBlocks(std::span<const Operation> operations) {
  auto snapshot = TakeSshdSnapshot(transport_, settings_, {});
  if (!snapshot) return tl::unexpected(snapshot.error());
  if (std::string why = WhyUnwritable(*snapshot, settings_); !why.empty()) {
    return Fail(ErrorCode::kDenied, std::move(why));
  }
  std::string no_list = WhyNoRevocation(*snapshot, settings_);
  if (!no_list.empty() && !std::all_of(operations.begin(), operations.end(), OnlyLocks)) {
    return Fail(ErrorCode::kDenied, std::move(no_list));
  }
  std::map<std::string, openssh::ManagedAccount> blocks;
  for (openssh::ManagedAccount& block : AccountBlocks(*snapshot, settings_)) {
    std::string login = block.login;
    blocks.emplace(std::move(login), std::move(block));
  }
  // Rows of who is gone keep their block.
  for (const openssh::ManagedAccount& block : snapshot->grants.content.accounts) {
    blocks.try_emplace(block.login, block);
  }
  for (const Operation& operation : operations) {
    if (operation.kind != Kind::kAccount || operation.after.empty()) continue;
    const auto account = object::DecodeAs<kinds::Account>(operation.after);
    const posix::User* user = snapshot->host.accounts.FindUser(account.login());
    const std::string home = account.has_home() ? account.home()
                             : user == nullptr  ? ""
                                                : user->home;
    openssh::ManagedAccount& block = blocks[account.login()];
    const bool was_locked = block.locked;
    block = AccountBlock(account.login(), home, settings_);
    block.locked = was_locked && !(account.has_enabled() && account.enabled());
    if (user == nullptr || !user->elsewhere) continue;
    const bool meant =
        operation.expect_id.empty() || operation.expect_id == std::to_string(user->uid);
    if (account.has_enabled() && meant) block.locked = !account.enabled();
    if (!meant) block.locked = was_locked;
  }
  openssh::IncludeContent content = snapshot->grants.content;
  content.accounts.clear();
  for (auto& [login, block] : blocks) content.accounts.push_back(std::move(block));
  if (!no_list.empty()) KeepRevocation(*snapshot, &content.accounts);
  std::sort(content.accounts.begin(), content.accounts.end());
  auto text = openssh::Lower(content);
  if (!text) return tl::unexpected(text.error());
  if (*text == snapshot->include.content && !snapshot->reload_due) return {};
  if (auto checked = Check(*snapshot, *text); !checked) return checked;
  return Install(*snapshot, *text);
}

Result<void> SshdGrantWriter::Check(const SshdSnapshot& snapshot, const std::string& text) {
  Candidate candidate{.folder = ScratchFolder()};
  auto files = snapshot.files.CopyWith(text, candidate.folder);
  if (!files) return tl::unexpected(files.error());
  candidate.files = std::move(*files);
  const auto& start = settings_.control.start;
  const bool known = !start.empty() && start[0].ends_with("/sshd");
  candidate.command = {known ? start[0] : "sshd", "-t", "-f", candidate.files.front().path};
  return RunChecker(transport_, candidate, "sshd -t");
}

Result<void> SshdGrantWriter::Install(const SshdSnapshot& snapshot, const std::string& text) {
  if (text == snapshot.include.content && !snapshot.reload_due) return {};
  return IncludeInstaller(transport_,
                          {.file = snapshot.include,
                           .pending = snapshot.pending,
                           .daemon = snapshot.daemon,
                           .control = snapshot.control},
                          ReloadAlways)
      .Install(text);
}

Result<void> SshdGrantWriter::WriteStage(std::span<const posix::Change> changes) {
  if (changes.empty()) return {};
  auto written = WriteTree(transport_, changes, settings_.roots);
  if (!written) return tl::unexpected(written.error());
  if (written->refused.empty()) return {};
  const auto& first = written->refused.front();
  return Fail(ErrorCode::kConflict,
              fmt::format("{} of {} nodes were left as they are, the first: {}: {}",
                          written->refused.size(), changes.size(), posix::EscapeName(first.path),
                          first.why));
}

}  // namespace postern::filetransfer
