#include "providers/filetransfer/host/account_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/proftpd_io/password.h"
#include "providers/filetransfer/proftpd_io/user_file.h"
#include "providers/filetransfer/server/row_check.h"

namespace postern::filetransfer {
namespace {

using object::Kind;
using object::Operation;
using object::Outcome;
using object::Status;
using Verb = Step::Verb;

constexpr std::string_view kSecretPrefix = "secret:";
constexpr uint32_t kCommentField = 7, kPasswordField = 8, kExpiresField = 9;
constexpr std::string_view kNever = "-1";

// What useradd would refuse, or what would mean something else to a tool.
std::string WhyLoginUnfit(std::string_view login) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@-";
  if (login.empty() || login.front() == '-' || login.front() == '.' || login.size() > 32 ||
      login.find_first_not_of(kLetters) != std::string_view::npos) {
    return "no possible login on this host: letters, digits and _ . @ - up to 32";
  }
  const bool number = login.find_first_not_of("0123456789") == std::string_view::npos;
  return number ? "a login of digits alone reads as a uid" : "";
}

// Far dates, "never" among them, are none.
bool IsNever(base::Instant until) {
  constexpr base::Instant kFar = int64_t{1} << 40;
  return until > kFar;
}

std::string DayOf(base::Instant until, const AccountSettings& settings) {
  if (IsNever(until)) return std::string(kNever);
  return std::to_string(posix::DayWritten(until, settings.pam.value_or(true)));
}

bool Clears(const Operation& operation, uint32_t field) {
  return std::find(operation.clear.begin(), operation.clear.end(), field) != operation.clear.end();
}

bool SetsPassword(const Operation& operation, const std::string& compared) {
  return operation.kind == Kind::kAccount && !compared.empty() &&
         object::DecodeAs<kinds::Account>(compared).has_password();
}

}  // namespace

AccountPlan::AccountPlan(const HostState& state, const AccountSettings& settings,
                         const OrphanIds& orphans, const object::Secrets& secrets,
                         MadeHashes& hashes)
    : state_(state),
      settings_(settings),
      scope_(state.accounts, settings),
      orphans_(orphans),
      secrets_(secrets),
      hashes_(hashes) {
  for (const Kind kind :
       {Kind::kAccount, Kind::kSshKey, Kind::kServerGroup, Kind::kServerMembership}) {
    for (object::Object& object : ObjectsOf(state, settings, kind)) {
      object::ObjectKey key{kind, object.key};
      live_.emplace(std::move(key), std::move(object));
    }
  }
}

Outcome AccountPlan::Judge(const Operation& operation) const {
  Outcome outcome;
  outcome.id = operation.id;
  outcome.status = Status::kApplied;
  const std::string login = LoginOfKey(operation.kind, operation.key);
  std::string problem = operation.kind == Kind::kSshKey
                            ? state_.key_problem
                            : ProblemOf(state_, settings_, operation.kind);
  if (problem.empty()) problem = scope_.WhyOutside(operation.kind, operation.key);
  if (const auto why = state_.unreadable_keys.find(login);
      problem.empty() && operation.kind == Kind::kSshKey && why != state_.unreadable_keys.end()) {
    problem = why->second;
  }
  if (!problem.empty()) {
    outcome.status = Status::kDenied;
    outcome.message = std::move(problem);
    return outcome;
  }
  const auto found = live_.find({operation.kind, operation.key});
  const object::Object* live = found == live_.end() ? nullptr : &found->second;
  if (live == nullptr && IsRenamed(operation)) {
    outcome.status = Status::kAlreadySo;
    return outcome;
  }
  const std::string after = Compared(operation);
  const RowCheck check = CheckRow(operation, live, after, SetsPassword(operation, after));
  outcome.status = check.status;
  outcome.message = check.message;
  if (!check.go_on || operation.kind != Kind::kAccount) return outcome;
  problem = WhyLoginUnfit(login);
  if (problem.empty() && !operation.after.empty() && state_.accounts.FindUser(login) == nullptr &&
      object::DecodeAs<kinds::Account>(operation.after).has_source()) {
    problem = fmt::format("no directory knows {}", login);
  }
  if (problem.empty()) return outcome;
  outcome.status = Status::kDenied;
  outcome.message = std::move(problem);
  return outcome;
}

Outcome AccountPlan::Take(const Operation& operation, size_t index) {
  Outcome outcome = Judge(operation);
  if (outcome.status != Status::kApplied) return outcome;
  if (Refusal why = Edit(operation, index)) {
    outcome.status = Status::kDenied;
    outcome.message = std::move(*why);
    std::erase_if(steps_, [&](const Planned& step) { return step.operations.contains(index); });
  }
  return outcome;
}

AccountPlan::Refusal AccountPlan::Edit(const Operation& operation, size_t index) {
  switch (operation.kind) {
    case Kind::kAccount:
      return EditAccount(operation, index);
    case Kind::kSshKey:
      return EditKey(operation, index);
    case Kind::kServerGroup:
      return EditGroup(operation, index);
    default:
      return EditMembership(operation, index);
  }
}

void AccountPlan::Add(Verb verb, std::vector<std::string> args, size_t index, std::string content) {
  steps_.push_back({{verb, std::move(args), std::move(content)}, {index}});
}

const posix::User* AccountPlan::FindUser(std::string_view login) const {
  if (deleted_.contains(login)) return nullptr;
  const auto made = created_.find(login);
  return made == created_.end() ? state_.accounts.FindUser(login) : &made->second;
}

std::string AccountPlan::AsRead(const Operation& operation) const {
  if (operation.kind != Kind::kAccount || operation.after.empty()) return operation.after;
  auto after = object::DecodeAs<kinds::Account>(operation.after);
  const bool locked = after.has_enabled() ? !after.enabled()
                                          : state_.Locked(after.login()) ||
                                                state_.accounts.FindUser(after.login()) == nullptr;
  if (locked) after.clear_expires();
  if (after.has_expires()) {
    after.set_expires(IsNever(after.expires()) ? base::kForever : ExpiryAsTold(after.expires()));
  }
  if (after.comment().empty()) after.clear_comment();
  after.clear_password();
  return object::EncodeBody(after);
}

std::string AccountPlan::Compared(const Operation& operation) const {
  auto live = live_.find({operation.kind, operation.key});
  if (live == live_.end()) live = live_.find({operation.kind, operation.new_key});
  if (operation.kind != Kind::kAccount || operation.after.empty() || live == live_.end()) {
    return operation.after;
  }
  const auto wanted = object::DecodeAs<kinds::Account>(operation.after);
  const auto now = object::DecodeAs<kinds::Account>(live->second.body);
  auto after = object::DecodeAs<kinds::Account>(AsRead(operation));
  // The file can't tell an empty comment from none.
  if (wanted.has_comment() && (!wanted.comment().empty() || now.has_comment())) {
    after.set_comment(wanted.comment());
  }
  if (wanted.has_password() && !HasPassword(wanted, now)) after.set_password(wanted.password());
  return object::EncodeBody(after);
}

bool AccountPlan::IsRenamed(const Operation& operation) const {
  const auto found = live_.find({operation.kind, operation.new_key});
  if (operation.new_key.empty() || found == live_.end()) return false;
  const object::Object& live = found->second;
  const std::string after = Compared(operation);
  return !SetsPassword(operation, after) &&
         (operation.expect_id.empty() || operation.expect_id == live.id) &&
         object::Satisfies(operation.kind, after, live.body);
}

bool AccountPlan::HasPassword(const kinds::Account& want, const kinds::Account& live) const {
  const auto field = state_.password_fields.find(live.login());
  const auto secret =
      secrets_.find(want.password().substr(std::min(want.password().size(), kSecretPrefix.size())));
  if (field == state_.password_fields.end() || secret == secrets_.end()) return false;
  // With an unlocked account beside a locked hash the password doesn't open it.
  if (live.enabled() && IsLockedField(field->second)) return false;
  return PasswordMatches(secret->second, field->second);
}

AccountPlan::Refusal AccountPlan::WhyNoId(uint32_t id, bool of_group,
                                          const std::string& home) const {
  const std::string_view what = of_group ? "gid" : "uid";
  if (id < kFirstOrdinaryId || id == kNobodyId || id >= UINT32_MAX - 1) {
    return fmt::format("{} {} is the system's", what, id);
  }
  if (!of_group && settings_.accounts == "all" && !settings_.uids->Has(id)) {
    return fmt::format("uid {} lies outside the server's uids: it wouldn't be managed", id);
  }
  if (of_group ? state_.accounts.HasGid(id) : state_.accounts.HasUid(id)) {
    return fmt::format("{} {} is taken already", what, id);
  }
  for (const auto& [login, user] : created_) {
    if (!of_group && user.uid == id) return fmt::format("uid {} is for {} as well", id, login);
  }
  const auto& orphans = of_group ? orphans_.gids : orphans_.uids;
  // A home that was made before its account carries the number already.
  if (const auto at = orphans.find(id); at != orphans.end() && at->second != home) {
    return fmt::format("{} {} was somebody's: {} still carries it, and ids aren't used again", what,
                       id, at->second);
  }
  return std::nullopt;
}

AccountPlan::Refusal AccountPlan::EditAccount(const Operation& operation, size_t index) {
  const posix::User* user = state_.accounts.FindUser(LoginOfKey(Kind::kAccount, operation.key));
  if (operation.after.empty()) {
    if (user != nullptr && user->elsewhere) return WhyNotOfEntry(operation, {});
    return user == nullptr ? std::nullopt : Delete(*user, index);
  }
  const auto want = object::DecodeAs<kinds::Account>(operation.after);
  if (user != nullptr && user->elsewhere) return WhyNotOfEntry(operation, want);
  for (const std::string* text : {&want.home(), &want.comment()}) {
    if (const std::string why = WhyFieldUnfit(*text); !why.empty()) return why;
  }
  if (want.has_home() && !want.home().starts_with('/')) return "the home isn't absolute";
  return user == nullptr ? Create(operation, want, index) : Change(operation, want, *user, index);
}

// An entry of a directory is written by nobody here. Its lock is the server's, and was written
// before this: what still differs isn't.
AccountPlan::Refusal AccountPlan::WhyNotOfEntry(const Operation& operation,
                                                const kinds::Account& want) const {
  const std::string login = LoginOfKey(Kind::kAccount, operation.key);
  if (want.has_enabled() && want.enabled() == settings_.denied.contains(login)) {
    return fmt::format("{} comes from a directory, and its lock at {} wasn't written", login,
                       settings_.server);
  }
  return fmt::format("{} comes from a directory: its entry is never written here", login);
}

AccountPlan::Refusal AccountPlan::Create(const Operation& operation, const kinds::Account& want,
                                         size_t index) {
  if (!want.has_uid() || !want.has_gid() || !want.has_home()) {
    return "a new account needs uid, gid and home";
  }
  if (Refusal why = WhyNoId(want.uid(), false, want.home())) return why;
  const bool group_made =
      std::any_of(created_groups_.begin(), created_groups_.end(),
                  [&](const auto& group) { return group.second == want.gid(); });
  if (!state_.accounts.HasGid(want.gid()) && !group_made) {
    return fmt::format("the host has no group with gid {}: groupadd -g {} NAME", want.gid(),
                       want.gid());
  }
  const posix::Group* mark = state_.accounts.FindGroup(scope_.mark());
  const std::string mark_arg = mark == nullptr || mark->gid == want.gid() ? "" : scope_.mark();
  const posix::User user{.name = want.login(),
                         .uid = want.uid(),
                         .gid = want.gid(),
                         .gecos = want.comment(),
                         .home = want.home(),
                         .shell = settings_.shell};
  // Keys that lie there from before are nobody's that is known now.
  if (Refusal why = PutKeysAside(user, index)) return why;
  Add(Verb::kAdd,
      {user.name, std::to_string(user.uid), std::to_string(user.gid), user.home, user.shell,
       user.gecos, mark_arg},
      index);
  created_[user.name] = user;
  if (Refusal why = SetPassword(operation, want, true, index)) return why;
  if (want.enabled()) {
    Add(Verb::kUnlock,
        {user.name, want.has_expires() ? DayOf(want.expires(), settings_) : std::string(kNever)},
        index);
  }
  return std::nullopt;
}

void AccountPlan::SetExpiry(const Operation& operation, const kinds::Account& want,
                            const std::string& login, size_t index) {
  if (!want.has_expires() && !Clears(operation, kExpiresField)) return;
  const posix::Shadow* shadow = state_.accounts.FindShadow(login);
  const std::string day =
      want.has_expires() ? DayOf(want.expires(), settings_) : std::string(kNever);
  const int64_t now = shadow == nullptr ? 0 : shadow->expires.value_or(0);
  if (day == kNever ? now <= 0 : day == std::to_string(now)) return;
  const bool shorter = day != kNever && (now <= 0 || std::stoll(day) < now);
  Add(shorter ? Verb::kShorten : Verb::kExpire, {login, day}, index);
}

AccountPlan::Refusal AccountPlan::Change(const Operation& operation, const kinds::Account& want,
                                         const posix::User& user, size_t index) {
  if ((want.has_uid() && want.uid() != user.uid) || (want.has_gid() && want.gid() != user.gid)) {
    return fmt::format(
        "the uid or primary group of {} isn't changed: usermod would change the owner of its "
        "files; do it by hand, or declare {} and {}",
        user.name, user.uid, user.gid);
  }
  const std::string& login = want.login();
  const bool was_locked = state_.Locked(user.name);
  const bool locked = want.has_enabled() ? !want.enabled() : was_locked;
  const posix::Group* mark = state_.accounts.FindGroup(scope_.mark());
  const bool marked =
      mark == nullptr || mark->gid == user.gid ||
      std::find(mark->members.begin(), mark->members.end(), user.name) != mark->members.end();
  if (!marked) Add(Verb::kJoin, {user.name, scope_.mark()}, index);
  if (locked && !was_locked) Add(Verb::kLock, {user.name}, index);
  if (!locked && !was_locked) SetExpiry(operation, want, user.name, index);
  if (want.has_home() && want.home() != user.home)
    Add(Verb::kHome, {user.name, want.home()}, index);
  const std::string comment = Clears(operation, kCommentField) ? "" : want.comment();
  if ((want.has_comment() || Clears(operation, kCommentField)) && comment != user.gecos) {
    Add(Verb::kComment, {user.name, comment}, index);
  }
  if (Refusal why = SetPassword(operation, want, locked || was_locked, index)) return why;
  if (login != user.name) {
    if (const std::string why = WhyLoginUnfit(login); !why.empty()) return why;
    if (FindUser(login) != nullptr) return fmt::format("{} exists already", login);
    Add(Verb::kRename, {user.name, login}, index);
  }
  if (!locked && was_locked) {
    Add(Verb::kUnlock,
        {login, want.has_expires() ? DayOf(want.expires(), settings_) : std::string(kNever)},
        index);
  }
  return std::nullopt;
}

AccountPlan::Refusal AccountPlan::SetPassword(const Operation& operation,
                                              const kinds::Account& want, bool locked,
                                              size_t index) {
  const std::string login = LoginOfKey(Kind::kAccount, operation.key);
  std::string field;
  if (object::DecodeAs<kinds::Account>(Compared(operation)).has_password()) {
    if (!want.password().starts_with(kSecretPrefix)) {
      return "a password is given by the name of a secret";
    }
    const auto value = secrets_.find(want.password().substr(kSecretPrefix.size()));
    if (value == secrets_.end()) return fmt::format("{} wasn't sent along", want.password());
    auto made = hashes_.find(operation.id);
    if (made == hashes_.end()) {
      auto hash = HashPassword(value->second);
      if (!hash) return hash.error().message;
      made = hashes_.emplace(operation.id, *hash).first;
    }
    field = made->second;
  } else if (Clears(operation, kPasswordField)) {
    field.assign(1, '*');
  }
  if (field.empty()) return std::nullopt;
  if (locked) field = LockField(field);
  Add(Verb::kHash, {login}, index, login + ":" + field + "\n");
  return std::nullopt;
}

AccountPlan::Refusal AccountPlan::PutKeysAside(const posix::User& user, size_t index) {
  const auto files = state_.keys.find(user.name);
  if (const auto why = state_.unreadable_keys.find(user.name);
      why != state_.unreadable_keys.end()) {
    return fmt::format("its keys can't be put aside: {}", why->second);
  }
  if (files == state_.keys.end()) return std::nullopt;
  for (const KeyFileState& file : files->second) {
    if (file.link) return fmt::format("{} is a link: it is not followed", file.path);
    if (file.presence != Presence::kPresent) continue;
    Add(Verb::kAside,
        {std::to_string(user.uid), std::to_string(user.gid), user.home, file.path, file.digest},
        index);
  }
  return std::nullopt;
}

AccountPlan::Refusal AccountPlan::Delete(const posix::User& user, size_t index) {
  if (Refusal why = PutKeysAside(user, index)) return why;
  Add(Verb::kLock, {user.name}, index);
  Add(Verb::kDelete, {user.name}, index);
  deleted_.insert(user.name);
  return std::nullopt;
}

AccountPlan::Refusal AccountPlan::EditGroup(const Operation& operation, size_t index) {
  const std::string name(object::SplitKey(operation.key).back());
  if (const std::string why = WhyLoginUnfit(name); !why.empty()) return why;
  const posix::Group* group = state_.accounts.FindGroup(name);
  if (operation.after.empty()) {
    Add(Verb::kDeleteGroup, {name}, index);
    return std::nullopt;
  }
  const auto want = object::DecodeAs<kinds::ServerGroup>(operation.after);
  if (group == nullptr && !want.has_gid()) return "a new group needs a gid";
  if (!want.has_gid() || (group != nullptr && group->gid == want.gid())) return std::nullopt;
  if (Refusal why = WhyNoId(want.gid(), true, "")) return why;
  if (settings_.uids && !settings_.uids->Has(want.gid())) {
    return fmt::format("gid {} lies outside the server's uids: it wouldn't be managed", want.gid());
  }
  Add(group == nullptr ? Verb::kAddGroup : Verb::kMoveGroup, {name, std::to_string(want.gid())},
      index);
  created_groups_[name] = want.gid();
  return std::nullopt;
}

AccountPlan::Refusal AccountPlan::EditMembership(const Operation& operation, size_t index) {
  const auto parts = object::SplitKey(operation.key);
  if (parts.size() != 3) return "no key of a membership";
  const std::string name(parts[1]), login(parts[2]);
  for (const std::string& text : {name, login}) {
    if (const std::string why = WhyLoginUnfit(text); !why.empty()) return why;
  }
  if (operation.after.empty()) {
    Add(Verb::kLeave, {login, name}, index);
    return std::nullopt;
  }
  const posix::Group* group = state_.accounts.FindGroup(name);
  if (group == nullptr && !created_groups_.contains(name)) {
    return fmt::format("there is no group {}", name);
  }
  if (group != nullptr && !scope_.TellsGroup(name)) {
    // Without a range, an empty group of ours looks like anybody's.
    if (settings_.uids || group->gid < kFirstOrdinaryId || !group->members.empty()) {
      return fmt::format("the host has a group {} by other hands", name);
    }
  }
  if (FindUser(login) == nullptr) return fmt::format("there is no account {}", login);
  Add(Verb::kJoin, {login, name}, index);
  return std::nullopt;
}

}  // namespace postern::filetransfer
