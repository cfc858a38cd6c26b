#include "providers/filetransfer/openssh_io/server.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/host/account_editor.h"
#include "providers/filetransfer/host/account_plan.h"
#include "providers/filetransfer/host/change_times.h"
#include "providers/filetransfer/openssh_io/grant_writer.h"
#include "providers/filetransfer/server/entry_rules.h"
#include "providers/filetransfer/server/grant_rows.h"
#include "providers/filetransfer/server/session_operations.h"
#include "providers/filetransfer/server/way_rules.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

using object::Answer;
using object::Kind;
using object::Object;
using object::ObjectKey;
using object::Operation;
using object::Outcome;
using object::ReadAnswer;
using object::ScopeStatus;
using object::Status;

constexpr Kind kHostKinds[] = {Kind::kAccount, Kind::kSshKey, Kind::kServerGroup,
                               Kind::kServerMembership};
constexpr Kind kOwnKinds[] = {Kind::kGrant, Kind::kNativeRule, Kind::kSession};

bool IsHostKind(Kind kind) {
  return std::find(std::begin(kHostKinds), std::end(kHostKinds), kind) != std::end(kHostKinds);
}

bool Wants(std::span<const Kind> kinds, Kind kind) {
  return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

// An authority comes, or a name that its certificates may carry.
bool OpensCertificates(const Operation& operation) {
  const auto after = object::DecodeAs<kinds::SshKey>(operation.after);
  const auto before = object::DecodeAs<kinds::SshKey>(operation.before);
  const auto& had = before.principals().values();
  const auto& has = after.principals().values();
  return std::any_of(has.begin(), has.end(), [&](const std::string& name) {
    return std::find(had.begin(), had.end(), name) == had.end();
  });
}

// The key, or what an authority signed, is looked up in another revocation list than is declared.
bool MissesRevocation(const Operation& operation) {
  if (operation.kind != Kind::kSshKey || operation.after.empty()) return false;
  const auto before = object::DecodeAs<kinds::SshKey>(operation.before);
  const auto& options = before.options().values();
  return std::any_of(options.begin(), options.end(), [](const std::string& option) {
    return option == kUnrevoked || option.starts_with(kRevokedBy);
  });
}

// Opens what was shut, or may: such an operation waits for the account's block in the include.
bool Opens(const Operation& operation) {
  if (operation.after.empty()) return false;
  if (operation.kind == Kind::kSshKey) return OpensCertificates(operation);
  if (operation.kind != Kind::kAccount) return false;
  const auto after = object::DecodeAs<kinds::Account>(operation.after);
  if (operation.before.empty()) return true;
  const auto before = object::DecodeAs<kinds::Account>(operation.before);
  return !LocksAccount(operation) || (after.has_home() && after.home() != before.home());
}

// A directory's account is shut by its block; all else of it is nobody's here.
bool LocksByBlock(const SshdSnapshot& snapshot, const Operation& operation) {
  if (!LocksAccount(operation)) return false;
  const std::string login = LoginOfKey(operation.kind, operation.key);
  const posix::User* user = snapshot.host.accounts.FindUser(login);
  return user != nullptr && user->elsewhere;
}

// Those that will not be refused for what they are: for what is outside our scope, can be no login
// or isn't as it was expected, nothing is written.
std::vector<Operation> SoundOnes(const SshdSnapshot& snapshot,
                                 std::span<const Operation> operations,
                                 const object::Secrets& secrets) {
  MadeHashes hashes;
  const OrphanIds orphans;
  const AccountPlan plan(snapshot.host, snapshot.accounts, orphans, secrets, hashes);
  const HostScope scope(snapshot.host.accounts, snapshot.accounts);
  std::vector<Operation> out;
  for (const Operation& operation : operations) {
    // Files of keys weren't read: whose they are is all that is known here.
    const Status status = operation.kind == Kind::kAccount ? plan.Judge(operation).status
                          : scope.WhyOutside(operation.kind, operation.key).empty()
                              ? Status::kApplied
                              : Status::kDenied;
    if (status == Status::kApplied || status == Status::kAlreadySo) out.push_back(operation);
  }
  return out;
}

// The logins that these are about: also one outside the scope is known, and refused as such.
template <class List>
std::set<std::string, std::less<>> LoginsOf(const List& list) {
  std::set<std::string, std::less<>> out;
  for (const auto& one : list) {
    std::string login = LoginOfKey(one.kind, one.key);
    if (!login.empty() && one.kind != Kind::kSession) out.insert(std::move(login));
  }
  return out;
}

}  // namespace

Result<SshdSnapshot> OpenSshServer::Take(Parts parts) {
  parts.peers = [this] { return NeedsOfPeers(); };
  return TakeSshdSnapshot(transport_, settings_, parts);
}

// Grants, rules and sessions.
OpenSshServer::Part OpenSshServer::PartOf(const SshdSnapshot& snapshot, Kind kind) {
  if (kind == Kind::kGrant) return {GrantObjects(snapshot, settings_), snapshot.grant_problem};
  if (kind == Kind::kSession) {
    auto sessions = Sessions(snapshot);
    if (!sessions) return {{}, sessions.error().message};
    Part part;
    for (const SshdSession& session : *sessions) {
      part.objects.push_back(SessionObject(settings_.name, session));
    }
    return part;
  }
  if (!snapshot.config_problem.empty()) return {{}, snapshot.config_problem};
  Part part{RuleObjects(snapshot, settings_), snapshot.account_problem};
  auto ways = ReadSecondWays(transport_, settings_.roots);
  if (!ways) {
    part.problem = ways.error().message;
    return part;
  }
  for (Object& way : WayRules(settings_.name, settings_.roots, *ways, {})) {
    part.objects.push_back(std::move(way));
  }
  return part;
}

Result<posix::Tree> OpenSshServer::TreeOfRoots() {
  auto tree = ReadTree(transport_, settings_.roots);
  if (!tree) return tl::unexpected(tree.error());
  if (!tree->complete) return Fail(ErrorCode::kIncomplete, tree->why_not);
  return std::move(tree->tree);
}

SshdGrantWriter OpenSshServer::Writer() {
  return SshdGrantWriter(transport_, settings_, [this] { return NeedsOfPeers(); });
}

Result<void> OpenSshServer::FitTree() {
  return Writer().FitTree();
}

Result<TreeNeeds> OpenSshServer::NeedsOfTree() {
  auto snapshot = TakeSshdSnapshot(transport_, settings_, {});
  if (!snapshot) return tl::unexpected(snapshot.error());
  for (const std::string* problem :
       {&snapshot->config_problem, &snapshot->account_problem, &snapshot->include_problem}) {
    if (!problem->empty()) return Fail(ErrorCode::kIncomplete, *problem);
  }
  FitInput input = FitInputOf(snapshot->grants.content.rows, snapshot->host.accounts,
                              snapshot->Logins(), {}, settings_.roots);
  return TreeNeeds{.accounts = std::move(input.question.managed),
                   .wanted = std::move(input.wanted)};
}

Result<Shortfall> OpenSshServer::ShortfallOfPeers() {
  auto snapshot = Take({.keys = false, .grants = true});
  if (!snapshot) return tl::unexpected(snapshot.error());
  if (!snapshot->grant_problem.empty()) {
    return Fail(ErrorCode::kIncomplete, snapshot->grant_problem);
  }
  return PeersShortfall(LiveQuestionOf(*snapshot, settings_));
}

Result<std::vector<SshdSession>> OpenSshServer::Sessions(const SshdSnapshot& snapshot) {
  if (!snapshot.account_problem.empty()) {
    return Fail(ErrorCode::kUnavailable, snapshot.account_problem);
  }
  // Sessions outlive the daemon that took them: all of the host's are asked about.
  auto sessions = ListSshSessions(transport_, snapshot.host.accounts);
  if (!sessions) return sessions;
  const HostScope scope(snapshot.host.accounts, snapshot.accounts);
  std::erase_if(*sessions, [&](const SshdSession& session) { return !scope.Tells(session.login); });
  return sessions;
}

Result<void> OpenSshServer::AskTimes(SshdSnapshot* snapshot) {
  if (auto asked = filetransfer::AskTimes(transport_, &snapshot->notes); !asked) return asked;
  base::Instant newest = 0;
  for (const auto& [path, file] : snapshot->files.files()) {
    if (path != settings_.include) newest = std::max(newest, file.modified);
  }
  for (auto& [row, note] : snapshot->notes) {
    if (note.by_session) note.changed = std::max(note.changed, newest);
  }
  std::vector<std::string> nodes;
  for (const posix::ForeignEntry& entry : EntriesOf(*snapshot, settings_)) {
    nodes.push_back(entry.path);
  }
  auto times = ChangeTimes(transport_, nodes);
  if (!times) return tl::unexpected(times.error());
  snapshot->times = *std::move(times);
  return {};
}

Result<std::vector<ScopeStatus>> OpenSshServer::Enumerate(std::span<const Kind> kinds,
                                                          const std::vector<FolderEntry>*,
                                                          object::ObjectSink& sink) {
  auto snapshot = Take(PartsFor(kinds));
  if (!snapshot) return tl::unexpected(snapshot.error());
  if (auto asked = AskTimes(&*snapshot); !asked) return tl::unexpected(asked.error());
  std::vector<Kind> of_host;
  for (const Kind kind : kHostKinds) {
    if (Wants(kinds, kind)) of_host.push_back(kind);
  }
  std::vector<ScopeStatus> out;
  if (!of_host.empty()) {
    auto statuses = EnumerateAccounts(snapshot->host, snapshot->accounts, of_host, sink);
    if (!statuses) return tl::unexpected(statuses.error());
    for (ScopeStatus& status : *statuses) {
      // Where the keys stand only sshd can say.
      if (status.kind == Kind::kSshKey && !snapshot->config_problem.empty()) {
        status.complete = status.sentinel_seen = false;
        status.reason = snapshot->config_problem;
      }
      out.push_back(std::move(status));
    }
  }
  for (const Kind kind : kOwnKinds) {
    if (!Wants(kinds, kind)) continue;
    const Part part = PartOf(*snapshot, kind);
    ScopeStatus status{.kind = kind, .scope = settings_.name, .reason = part.problem};
    status.complete = status.sentinel_seen = part.problem.empty();
    status.count = part.objects.size();
    for (const Object& object : part.objects) {
      if (!sink.Add(object.view())) return Fail(ErrorCode::kCancelled, "the core went away");
    }
    out.push_back(std::move(status));
  }
  return out;
}

Result<std::vector<ReadAnswer>> OpenSshServer::Read(std::span<const ObjectKey> keys,
                                                    const std::vector<FolderEntry>*) {
  std::vector<Kind> kinds;
  for (const ObjectKey& key : keys) kinds.push_back(key.kind);
  if (kinds.empty()) return std::vector<ReadAnswer>();
  Parts wanted = PartsFor(kinds);
  wanted.asked = LoginsOf(keys);
  auto snapshot = Take(std::move(wanted));
  if (!snapshot) return tl::unexpected(snapshot.error());
  std::vector<ReadAnswer> out = AnswerAccounts(snapshot->host, snapshot->accounts, keys);
  std::map<Kind, Part> parts;
  std::map<ObjectKey, Object> index;
  for (const Kind kind : kOwnKinds) {
    if (!Wants(kinds, kind)) continue;
    Part& part = parts[kind];
    part = PartOf(*snapshot, kind);
    for (Object& object : part.objects) {
      ObjectKey key{kind, object.key};
      index.emplace(std::move(key), std::move(object));
    }
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    ReadAnswer& answer = out[i];
    if (IsHostKind(keys[i].kind)) {
      if (keys[i].kind == Kind::kSshKey && !snapshot->config_problem.empty()) {
        answer = {};
        answer.object.kind = keys[i].kind;
        answer.object.key = keys[i].key;
        answer.reason = snapshot->config_problem;
      }
      continue;
    }
    answer = {};
    answer.object.kind = keys[i].kind;
    answer.object.key = keys[i].key;
    const std::string& problem = parts[keys[i].kind].problem;
    const auto found = index.find(keys[i]);
    if (!problem.empty()) {
      answer.reason = problem;
    } else if (found == index.end()) {
      answer.answer = Answer::kAbsent;
    } else {
      answer.answer = Answer::kValue;
      answer.object = found->second;
    }
  }
  return out;
}

std::vector<Outcome> OpenSshServer::ApplyToAccounts(std::span<const Operation> operations,
                                                    const object::Secrets& secrets) {
  const Parts parts{.asked = LoginsOf(operations)};
  auto snapshot = TakeSshdSnapshot(transport_, settings_, parts);
  const auto fail = [&](const Operation& operation, Status status, const std::string& why) {
    return Outcome{.id = operation.id, .status = status, .live = {}, .message = why};
  };
  std::vector<Outcome> out;
  if (!snapshot) {
    for (const Operation& operation : operations) {
      out.push_back(fail(operation, Status::kTransient, snapshot.error().message));
    }
    ReadBack(operations, out);
    return out;
  }
  const auto needs_block = [&](const Operation& operation) {
    return Opens(operation) || LocksByBlock(*snapshot, operation);
  };
  // What will be refused leaves no block behind.
  const std::vector<Operation> sound = SoundOnes(*snapshot, operations, secrets);
  const auto is_sound = [&](const Operation& operation) {
    return std::any_of(sound.begin(), sound.end(),
                       [&](const Operation& one) { return one.id == operation.id; });
  };
  const bool needed = std::any_of(sound.begin(), sound.end(), needs_block);
  const bool heals = std::any_of(sound.begin(), sound.end(), MissesRevocation);
  Result<void> blocks = {};
  if (needed || heals) {
    blocks = Writer().EnsureBlocks(sound);
    // What the blocks say now counts in the read-back.
    auto again = TakeSshdSnapshot(transport_, settings_, parts);
    if (again) snapshot = std::move(again);
  }
  std::vector<Operation> going, held;
  const std::string no_keys = WhyNoKeys(*snapshot, settings_);
  for (const Operation& operation : operations) {
    const bool keys =
        operation.kind == Kind::kSshKey && !operation.after.empty() && !no_keys.empty();
    (keys || (!blocks && is_sound(operation) && needs_block(operation)) ? held : going)
        .push_back(operation);
  }
  for (const Operation& operation : held) {
    const bool of_blocks = !blocks && needs_block(operation);
    out.push_back(fail(
        operation, of_blocks && blocks.error().retryable() ? Status::kTransient : Status::kDenied,
        !of_blocks ? no_keys
        : LocksByBlock(*snapshot, operation)
            ? "the account isn't shut: " + blocks.error().message
            : "the account isn't confined: " + blocks.error().message));
  }
  if (!held.empty()) ReadBack(held, out);
  if (going.empty()) return out;
  const std::string no_list =
      blocks ? WhyNoRevocation(*snapshot, settings_) : blocks.error().message;
  auto done = ApplyAccounts(transport_, snapshot->accounts, going, secrets);
  for (size_t i = 0; i < done.size(); ++i) {
    const bool so = done[i].status == Status::kApplied || done[i].status == Status::kAlreadySo;
    if (!so && !no_list.empty() && MissesRevocation(going[i])) {
      done[i].status = !blocks && blocks.error().retryable() ? Status::kTransient : Status::kDenied;
      done[i].message = "the account's revocation list stays as it is: " + no_list;
    }
    out.push_back(std::move(done[i]));
  }
  return out;
}

std::vector<Outcome> OpenSshServer::ApplySessions(std::span<const Operation> operations) {
  return EndNamedSessions<SshdSession>(
      operations, settings_.name,
      [&]() -> Result<std::vector<SshdSession>> {
        auto snapshot = TakeSshdSnapshot(transport_, settings_, {});
        if (!snapshot) return tl::unexpected(snapshot.error());
        return Sessions(*snapshot);
      },
      [&](const std::vector<SshdSession>& ending) { return EndSshSessions(transport_, ending); });
}

std::vector<Outcome> OpenSshServer::Apply(std::span<const Operation> operations,
                                          const object::Secrets& secrets) {
  std::vector<Operation> accounts, grants, entries, sessions;
  std::vector<Outcome> out;
  for (const Operation& operation : operations) {
    if (IsHostKind(operation.kind)) {
      accounts.push_back(operation);
    } else if (operation.kind == Kind::kGrant) {
      grants.push_back(operation);
    } else if (operation.kind == Kind::kSession) {
      sessions.push_back(operation);
    } else if (IsEntryRemoval(operation)) {
      entries.push_back(operation);
    } else {
      out.push_back(Refusal(operation, "rules by other hands are never written"));
    }
  }
  const auto add = [&](std::vector<Outcome> outcomes) {
    for (Outcome& outcome : outcomes) out.push_back(std::move(outcome));
  };
  // A client may log in again at once: locks come before ends.
  if (!accounts.empty()) add(ApplyToAccounts(accounts, secrets));
  if (!grants.empty()) {
    auto outcomes = Writer().Apply(grants);
    ReadBack(grants, outcomes);
    add(std::move(outcomes));
  }
  if (!entries.empty()) {
    auto outcomes = ApplyEntries(entries);
    ReadBack(entries, outcomes);
    add(std::move(outcomes));
  }
  if (!sessions.empty()) {
    auto outcomes = ApplySessions(sessions);
    ReadBack(sessions, outcomes);
    add(std::move(outcomes));
  }
  return out;
}

}  // namespace postern::filetransfer
