#include "providers/filetransfer/proftpd_io/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/kill_point.h"
#include "providers/filetransfer/proftpd_io/file_editor.h"
#include "providers/filetransfer/proftpd_io/foreign.h"
#include "providers/filetransfer/proftpd_io/grant_writer.h"
#include "providers/filetransfer/proftpd_io/sessions.h"
#include "providers/filetransfer/proftpd_io/tree_needs.h"
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

constexpr Kind kAllKinds[] = {Kind::kAccount,          Kind::kSshKey, Kind::kServerGroup,
                              Kind::kServerMembership, Kind::kGrant,  Kind::kNativeRule,
                              Kind::kServerConfig,     Kind::kSession};

// Objects of one kind, or why they can't be told.
struct Part {
  std::vector<Object> objects;
  std::string problem;
  bool sentinel = true;
};

}  // namespace

Result<std::vector<OpenSession>> ProftpdServer::Sessions(const Snapshot& snapshot) {
  const bool runs = snapshot.daemon.alive() || !snapshot.daemon_problem.empty();
  return ListSessions(transport_, snapshot.scoreboard, runs);
}

Result<std::vector<Object>> ProftpdServer::NativeRules(
    const Snapshot& snapshot, const std::vector<FolderEntry>& access_files) {
  std::vector<std::string> paths;
  for (const FolderEntry& entry : access_files) paths.push_back(entry.path);
  std::map<std::string, FileState> contents;
  if (!paths.empty()) {
    auto read = ReadFiles(transport_, paths);
    if (!read) return tl::unexpected(read.error());
    contents = std::move(*read);
  }
  auto config = Understand(snapshot, settings_, contents);
  if (!config) return tl::unexpected(config.error());
  if (auto done = AddComplaint(transport_, snapshot, settings_, &*config); !done) {
    return tl::unexpected(done.error());
  }
  auto ways = Ways(snapshot);
  if (!ways) return ways;
  std::vector<Object> out = ForeignRules(snapshot, settings_, *config);
  for (Object& way : *ways) out.push_back(std::move(way));
  return out;
}

Result<std::vector<Object>> ProftpdServer::Ways(const Snapshot& snapshot) {
  auto ways = ReadSecondWays(transport_, settings_.roots);
  if (!ways) return tl::unexpected(ways.error());
  GivenBehind given;
  Server* fitter = Fitter();
  const bool inside = std::any_of(ways->ways.begin(), ways->ways.end(),
                                  [](const SecondWay& way) { return !way.leads_out; });
  if (fitter != nullptr && inside) {
    const auto tree = fitter->TreeOfRoots();
    // Without it the daemon's rules are told alone: more, never less.
    if (tree) given = GivenByFolders(snapshot, *tree, ways->ways);
  }
  return WayRules(settings_.name, settings_.roots, *ways, given);
}

Result<std::vector<Object>> ProftpdServer::ObservedOnly(
    const Snapshot& snapshot, Kind kind, const std::vector<FolderEntry>* access_files) {
  if (access_files == nullptr) {
    return Fail(ErrorCode::kIncomplete,
                "the managed roots could not be searched for .ftpaccess files");
  }
  if (kind == Kind::kNativeRule) return NativeRules(snapshot, *access_files);
  return ConfigObjects(snapshot, settings_, *access_files);
}

Result<Snapshot> ProftpdServer::Take() {
  auto snapshot = TakeSnapshot(transport_, settings_);
  Server* fitter = Fitter();
  if (!snapshot || fitter == nullptr || !snapshot->grant_problem.empty()) return snapshot;
  auto shortfall = fitter->ShortfallOfPeers();
  if (shortfall) {
    Narrow(*shortfall, &*snapshot);
  } else if (shortfall.error().retryable()) {
    return tl::unexpected(shortfall.error());
  }
  // What the peer can't tell about folders leaves our rows as the daemon has them: a revocation
  // here never waits for another server's trouble.
  return snapshot;
}

Result<TreeNeeds> ProftpdServer::NeedsOfTree() {
  auto snapshot = TakeSnapshot(transport_, settings_);
  if (!snapshot) return tl::unexpected(snapshot.error());
  return TreeNeedsOf(*snapshot);
}

void ProftpdServer::FitTreeFor(std::span<const Operation> grants, std::vector<Outcome>& outcomes) {
  Server* fitter = Fitter();
  if (fitter == nullptr) return;
  const auto done = fitter->FitTree();
  if (done) return;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    // Whoever lost a row is shut out by the daemon, whatever the folders say; so with a deny-all.
    if (outcomes[i].status != Status::kApplied || grants[i].after.empty() ||
        object::DecodeAs<kinds::Grant>(grants[i].after).rights() == 0) {
      continue;
    }
    outcomes[i].status = done.error().retryable() ? Status::kUnknown : Status::kDenied;
    outcomes[i].message = "the folders could not be made to fit: " + done.error().message;
  }
}

Result<std::vector<ScopeStatus>> ProftpdServer::Enumerate(
    std::span<const Kind> kinds, const std::vector<FolderEntry>* access_files,
    object::ObjectSink& sink) {
  auto snapshot = Take();
  if (!snapshot) return tl::unexpected(snapshot.error());
  if (auto asked = AskTimes(transport_, &snapshot->notes); !asked) {
    return tl::unexpected(asked.error());
  }
  const AccountScope scope(*snapshot, settings_);
  std::vector<ScopeStatus> out;
  for (const Kind kind : kAllKinds) {
    if (!kinds.empty() && std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) continue;
    ScopeStatus status{
        .kind = kind, .scope = settings_.name, .complete = true, .sentinel_seen = true};
    std::vector<Object> objects;
    status.reason = ProblemOf(*snapshot, kind);
    if (kind == Kind::kSession) {
      auto sessions = Sessions(*snapshot);
      if (!sessions) {
        status.reason = sessions.error().message;
      } else {
        for (const auto& session : *sessions)
          objects.push_back(SessionObject(settings_.name, session));
      }
    } else if (object::TableOf(kind).observed_only) {
      auto seen = ObservedOnly(*snapshot, kind, access_files);
      if (seen) {
        objects = std::move(*seen);
      } else if (status.reason.empty()) {
        status.reason = seen.error().message;
      }
    } else {
      objects = ObjectsOf(*snapshot, settings_, kind);
    }
    // Without the group that says who is managed nobody could be told apart.
    if (LoginOf(kind, "x\x1fx\x1fx") == "x" && !scope.group().empty() &&
        snapshot->groups.Find(scope.group()) == nullptr && status.reason.empty()) {
      status.reason = fmt::format("there is no group {} that would say which accounts are managed",
                                  scope.group());
    }
    status.complete = status.sentinel_seen = status.reason.empty();
    for (const Object& object : objects) {
      if (!scope.TellsObject(kind, object.key)) continue;
      ++status.count;
      if (!sink.Add(object.view())) return Fail(ErrorCode::kCancelled, "the core went away");
    }
    out.push_back(std::move(status));
  }
  return out;
}

Result<std::vector<ReadAnswer>> ProftpdServer::Read(std::span<const ObjectKey> keys,
                                                    const std::vector<FolderEntry>* access_files) {
  auto snapshot = Take();
  if (!snapshot) return tl::unexpected(snapshot.error());
  std::map<Kind, Part> parts;
  for (const ObjectKey& key : keys) {
    if (parts.contains(key.kind)) continue;
    Part& part = parts[key.kind];
    part.problem = ProblemOf(*snapshot, key.kind);
    if (key.kind == Kind::kSession) {
      auto sessions = Sessions(*snapshot);
      if (!sessions) {
        part.problem = sessions.error().message;
        continue;
      }
      for (const auto& session : *sessions) {
        part.objects.push_back(SessionObject(settings_.name, session));
      }
    } else if (object::TableOf(key.kind).observed_only) {
      auto seen = ObservedOnly(*snapshot, key.kind, access_files);
      if (seen) {
        part.objects = std::move(*seen);
      } else if (part.problem.empty()) {
        part.problem = seen.error().message;
      }
    } else {
      part.objects = ObjectsOf(*snapshot, settings_, key.kind);
    }
  }
  std::map<ObjectKey, const Object*> index;
  for (const auto& [kind, part] : parts) {
    for (const Object& object : part.objects) index[{kind, object.key}] = &object;
  }
  const AccountScope scope(*snapshot, settings_);
  std::vector<ReadAnswer> out;
  for (const ObjectKey& key : keys) {
    ReadAnswer answer;
    answer.object.kind = key.kind;
    answer.object.key = key.key;
    const auto found = index.find(key);
    const Part& part = parts.at(key.kind);
    if (!part.problem.empty()) {
      answer.reason = part.problem;
    } else if (std::string why = scope.WhyOutside(key.kind, key.key); !why.empty()) {
      answer.reason = std::move(why);
    } else if (found == index.end()) {
      answer.answer = Answer::kAbsent;
    } else {
      answer.answer = Answer::kValue;
      answer.object = *found->second;
    }
    out.push_back(std::move(answer));
  }
  return out;
}

std::vector<Outcome> ProftpdServer::ApplyFiles(std::span<const Operation> operations,
                                               const object::Secrets& secrets) {
  HashCache hashes;
  std::vector<Outcome> out;
  Result<void> done = {};
  for (int attempt = 0; attempt < 3; ++attempt) {
    out.clear();
    auto snapshot = TakeSnapshot(transport_, settings_);
    if (!snapshot) {
      for (const Operation& operation : operations) {
        out.push_back({.id = operation.id,
                       .status = Status::kTransient,
                       .live = {},
                       .message = snapshot.error().message});
      }
      return out;
    }
    FileEditor editor(*snapshot, settings_, secrets, hashes);
    for (const Operation& operation : operations) out.push_back(editor.Take(operation));
    auto changes = editor.Changes();
    if (changes.empty()) return out;
    auto staged = Stage(transport_, std::move(changes));
    if (!staged) {
      done = tl::unexpected(staged.error());
      break;
    }
    base::KillPoint("filetransfer.before-accounts");
    done = Swap(transport_, *staged);
    base::KillPoint("filetransfer.after-accounts");
    if (done || done.error().code != ErrorCode::kConflict) break;
  }
  if (done) return out;
  const ErrorCode code = done.error().code;
  for (Outcome& outcome : out) {
    if (outcome.status != Status::kApplied) continue;
    // After a lost answer only the read-back knows.
    outcome.status = code == ErrorCode::kDenied || code == ErrorCode::kInvalid ? Status::kDenied
                     : code == ErrorCode::kConflict                            ? Status::kTransient
                                                                               : Status::kUnknown;
    outcome.message = done.error().message;
  }
  return out;
}

std::vector<Outcome> ProftpdServer::ApplySessions(std::span<const Operation> operations) {
  auto snapshot = TakeSnapshot(transport_, settings_);
  return EndNamedSessions<OpenSession>(
      operations, settings_.name,
      [&]() -> Result<std::vector<OpenSession>> {
        if (!snapshot) return tl::unexpected(snapshot.error());
        return Sessions(*snapshot);
      },
      [&](const std::vector<OpenSession>& ending) -> Result<void> {
        // A session is one by its parent.
        if (!snapshot->daemon_problem.empty()) {
          return Fail(ErrorCode::kUnavailable, snapshot->daemon_problem);
        }
        return EndSessions(transport_, ending, snapshot->daemon.pid);
      });
}

std::vector<Outcome> ProftpdServer::Apply(std::span<const Operation> operations,
                                          const object::Secrets& secrets) {
  std::vector<Operation> files, grants, sessions;
  std::vector<Outcome> out;
  for (const Operation& operation : operations) {
    switch (operation.kind) {
      case Kind::kGrant:
        grants.push_back(operation);
        break;
      case Kind::kSession:
        sessions.push_back(operation);
        break;
      case Kind::kNativeRule:
      case Kind::kServerConfig:
        out.push_back(Refusal(operation, "rules by other hands are never written"));
        break;
      default:
        files.push_back(operation);
    }
  }
  const auto carry = [&](const std::vector<Operation>& some, std::vector<Outcome> outcomes) {
    if (some.empty()) return;
    ReadBack(some, outcomes);
    for (Outcome& outcome : outcomes) out.push_back(std::move(outcome));
  };
  // A client may log in again at once: locks come before ends.
  if (!files.empty()) carry(files, ApplyFiles(files, secrets));
  if (!grants.empty()) {
    auto outcomes = GrantWriter(transport_, settings_, [this] { return Take(); }).Apply(grants);
    FitTreeFor(grants, outcomes);
    carry(grants, std::move(outcomes));
  }
  if (!sessions.empty()) carry(sessions, ApplySessions(sessions));
  return out;
}

}  // namespace postern::filetransfer
