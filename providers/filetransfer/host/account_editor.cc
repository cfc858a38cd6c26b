#include "providers/filetransfer/host/account_editor.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/kill_point.h"
#include "providers/filetransfer/host/account_plan.h"
#include "providers/filetransfer/posix/tree.h"

namespace postern::filetransfer {
namespace {

using object::Answer;
using object::Kind;
using object::ObjectKey;
using object::Operation;
using object::Outcome;
using object::Status;

constexpr int kTries = 3;

// Arguments: the roots. Prints "UID GID PATH", NUL, for what belongs to nobody; NUL; then lines
// "user ID PATH" and "group ID PATH", the first of each number that an ACL names. What isn't there
// belongs to nobody either; anything else that find says ends it.
constexpr std::string_view kOrphanScript = R"sh(
{ err=$(find -H "$@" \( -nouser -o -nogroup \) -printf '%U %G %p\0' 2>&1 >&3); } 3>&1
err=$(printf '%s\n' "$err" | grep -v ': No such file or directory$' | head -n 1)
[ -z "$err" ] || { printf '%s\n' "$err" >&2; exit 1; }
printf '\0'
command -v getfacl >/dev/null || exit 0
getfacl -R -n -p -s -- "$@" 2>/dev/null | awk '
  /^# file: / { file = substr($0, 9) }
  /^(default:)?(user|group):[0-9]+:/ {
    sub(/^default:/, ""); split($0, part, ":")
    if (!seen[part[1] part[2]]++) print part[1], part[2], file
  }'
:
)sh";

uint32_t TakeNumber(std::string_view* text) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), id);
  text->remove_prefix(std::min<size_t>(text->size(), static_cast<size_t>(end - text->data()) + 1));
  return id;
}

Result<OrphanIds> FindOrphans(Transport& transport, const AccountSettings& settings,
                              const posix::HostAccounts& host) {
  OrphanIds out;
  if (settings.roots.empty()) return out;
  auto answer = RunBatch(transport, {.script = kOrphanScript,
                                     .args = settings.roots,
                                     .input = {},
                                     .limit = std::chrono::seconds(300)});
  if (!answer) return base::Wrap("look for numbers without an account", answer.error());
  const auto add = [&](bool group, uint32_t id, const std::string& path) {
    if (group ? !host.HasGid(id) : !host.HasUid(id)) {
      (group ? out.gids : out.uids).try_emplace(id, path);
    }
  };
  std::string_view rest = *answer;
  for (size_t end = rest.find('\0'); end != 0; end = rest.find('\0')) {
    if (end == std::string_view::npos) {
      return Fail(ErrorCode::kIncomplete, "the list of numbers without an account was cut");
    }
    std::string_view line = rest.substr(0, end);
    const uint32_t uid = TakeNumber(&line), gid = TakeNumber(&line);
    add(false, uid, std::string(line));
    add(true, gid, std::string(line));
    rest.remove_prefix(end + 1);
  }
  rest.remove_prefix(1);
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const bool group = line.starts_with("group ");
    line.remove_prefix(std::min<size_t>(line.size(), group ? 6 : 5));
    const uint32_t id = TakeNumber(&line);
    add(group, id, posix::UnescapeName(line) + " (ACL)");
  }
  return out;
}

// The files of keys of accounts that are about to be made: what lies there must not open them.
Result<void> ReadKeysOfNew(Transport& transport, const AccountSettings& settings,
                           std::span<const Operation> operations, HostState* state) {
  std::map<std::string, std::vector<std::string>> places;
  std::vector<std::string> paths;
  for (const Operation& operation : operations) {
    if (operation.kind != Kind::kAccount || operation.after.empty()) continue;
    const auto want = object::DecodeAs<kinds::Account>(operation.after);
    if (state->accounts.FindUser(want.login()) != nullptr || !want.home().starts_with('/')) {
      continue;
    }
    auto files = KeyPlacesOf(settings, {.name = want.login(),
                                        .uid = want.uid(),
                                        .gid = want.gid(),
                                        .gecos = {},
                                        .home = want.home(),
                                        .shell = settings.shell});
    if (!files) {
      state->unreadable_keys[want.login()] = files.error().message;
      continue;
    }
    paths.insert(paths.end(), files->begin(), files->end());
    places[want.login()] = std::move(*files);
  }
  auto read = ReadKeyFiles(transport, paths);
  if (!read) return tl::unexpected(read.error());
  for (const auto& [login, files] : places) {
    for (const std::string& path : files) {
      const KeyFileState& file = read->at(path);
      if (file.presence == Presence::kUnreadable) {
        state->unreadable_keys.try_emplace(login, fmt::format("{}: {}", path, file.reason));
      }
      state->keys[login].push_back(file);
    }
  }
  return {};
}

bool MakesSomebody(const Operation& operation) {
  return operation.before.empty() && !operation.after.empty() &&
         (operation.kind == Kind::kAccount || operation.kind == Kind::kServerGroup);
}

class AccountEditor {
 public:
  AccountEditor(Transport& transport, const AccountSettings& settings,
                std::span<const Operation> operations, const object::Secrets& secrets)
      : transport_(transport),
        settings_(settings),
        operations_(operations),
        secrets_(secrets),
        outcomes_(operations.size()),
        as_read_(operations.size()) {}

  std::vector<Outcome> Run() {
    for (int tries = 0; tries < kTries; ++tries) {
      const Result<void> done = Once();
      if (done || done.error().code != ErrorCode::kConflict) break;
    }
    ReadBack();
    return std::move(outcomes_);
  }

 private:
  // Everything that would have been done gets the status instead.
  void Spoil(Status status, const Error& error) {
    for (size_t i = 0; i < outcomes_.size(); ++i) {
      if (outcomes_[i].status != Status::kApplied) continue;
      outcomes_[i].status = status;
      outcomes_[i].message = error.message;
    }
  }

  Result<void> FailAll(const Error& error) {
    for (size_t i = 0; i < outcomes_.size(); ++i) {
      outcomes_[i] = {.id = operations_[i].id,
                      .status = Status::kTransient,
                      .live = {},
                      .message = error.message};
    }
    return tl::unexpected(error);
  }

  Result<void> Once() {
    auto state = ReadHost(transport_, settings_);
    if (!state) return FailAll(state.error());
    OrphanIds orphans;
    if (std::any_of(operations_.begin(), operations_.end(), MakesSomebody)) {
      auto found = FindOrphans(transport_, settings_, state->accounts);
      if (!found) return FailAll(found.error());
      orphans = std::move(*found);
      auto read = ReadKeysOfNew(transport_, settings_, operations_, &*state);
      if (!read) return FailAll(read.error());
    }
    AccountPlan plan(*state, settings_, orphans, secrets_, hashes_);
    // A group may be an account's, an account a membership's.
    for (const Kind kind :
         {Kind::kServerGroup, Kind::kAccount, Kind::kServerMembership, Kind::kSshKey}) {
      for (size_t i = 0; i < operations_.size(); ++i) {
        if (operations_[i].kind != kind) continue;
        outcomes_[i] = plan.Take(operations_[i], i);
        as_read_[i] = plan.AsRead(operations_[i]);
      }
    }
    return Carry(plan.Steps(), *state);
  }

  Result<void> Carry(const std::vector<AccountPlan::Planned>& planned, const HostState& state) {
    if (planned.empty()) return {};
    std::vector<Step> steps;
    for (const auto& one : planned) steps.push_back(one.step);
    std::vector<FileDigest> expect;
    for (const auto& [path, file] : state.files) expect.push_back({path, file.digest});
    base::KillPoint("filetransfer.before-host");
    auto answers = RunSteps(transport_, steps, expect);
    base::KillPoint("filetransfer.after-host");
    if (!answers) {
      const ErrorCode code = answers.error().code;
      // After a lost answer only the read-back knows.
      Spoil(code == ErrorCode::kInvalid    ? Status::kDenied
            : code == ErrorCode::kConflict ? Status::kTransient
                                           : Status::kUnknown,
            answers.error());
      return tl::unexpected(answers.error());
    }
    for (size_t i = 0; i < planned.size(); ++i) {
      if ((*answers)[i].empty()) continue;
      for (const size_t index : planned[i].operations) {
        if (outcomes_[index].status != Status::kApplied) continue;
        const bool later =
            (*answers)[i].ends_with(kKeyFileChanged) || (*answers)[i].starts_with("not done");
        outcomes_[index].status = later ? Status::kTransient : Status::kDenied;
        outcomes_[index].message = (*answers)[i];
      }
    }
    return {};
  }

  void ReadBack() {
    std::vector<ObjectKey> keys;
    for (const Operation& operation : operations_) {
      keys.push_back(
          {operation.kind, operation.new_key.empty() ? operation.key : operation.new_key});
    }
    auto state = ReadHost(transport_, settings_);
    std::vector<object::ReadAnswer> live(keys.size());
    if (state) live = AnswerAccounts(*state, settings_, keys);
    for (size_t i = 0; i < keys.size(); ++i) {
      Outcome& outcome = outcomes_[i];
      outcome.live = std::move(live[i]);
      outcome.live.object.kind = keys[i].kind;
      outcome.live.object.key = keys[i].key;
      if (!state) outcome.live.reason = state.error().message;
      if (outcome.status != Status::kApplied) continue;
      const std::string why = WhyNotAsWanted(i);
      if (why.empty()) continue;
      outcome.status = Status::kUnknown;
      outcome.message = "written; " + why;
    }
  }

  std::string WhyNotAsWanted(size_t i) const {
    const object::ReadAnswer& live = outcomes_[i].live;
    if (live.answer == Answer::kUnreadable) return "reading it back failed: " + live.reason;
    const bool there = live.answer == Answer::kValue;
    if (operations_[i].after.empty()) return there ? "and it is still there" : "";
    if (!there) return "and it isn't there";
    const bool as_wanted = object::Satisfies(operations_[i].kind, as_read_[i], live.object.body);
    return as_wanted ? "" : "and it reads back differently";
  }

  Transport& transport_;
  const AccountSettings& settings_;
  std::span<const Operation> operations_;
  const object::Secrets& secrets_;
  MadeHashes hashes_;
  std::vector<Outcome> outcomes_;
  std::vector<std::string> as_read_;
};

}  // namespace

std::vector<Outcome> ApplyAccounts(Transport& transport, const AccountSettings& settings,
                                   std::span<const Operation> operations,
                                   const object::Secrets& secrets) {
  return AccountEditor(transport, settings, operations, secrets).Run();
}

}  // namespace postern::filetransfer
