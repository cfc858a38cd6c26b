#include "providers/filetransfer/host/accounts_io.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/base/hash.h"
#include "providers/filetransfer/host/key_objects.h"
#include "providers/filetransfer/host/nss_accounts.h"
#include "providers/filetransfer/posix/accounts.h"
#include "providers/filetransfer/proftpd_io/password.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

using object::Answer;
using object::Kind;
using object::Object;
using object::ReadAnswer;
using object::ScopeStatus;

constexpr std::string_view kSwitchPath = "/etc/nsswitch.conf";
constexpr std::array kKinds = {Kind::kAccount, Kind::kSshKey, Kind::kServerGroup,
                               Kind::kServerMembership};

std::string WhyUnread(const FileState& file) {
  if (file.presence == Presence::kPresent && file.regular) return "";
  if (file.presence == Presence::kAbsent) return fmt::format("{} doesn't exist", file.path);
  return fmt::format("{}: {}", file.path, file.reason.empty() ? "not a file" : file.reason);
}

// "passwd:         files sss" -> both words.
std::vector<std::string> SourcesIn(std::string_view text) {
  std::vector<std::string> out;
  for (; !text.empty(); text.remove_prefix(std::min(text.size(), text.find('\n') + 1))) {
    std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with("passwd:")) {
      line.remove_prefix(7);
      line = line.substr(0, line.find('#'));
      while (!line.empty()) {
        const size_t from = line.find_first_not_of(" \t");
        if (from == std::string_view::npos) break;
        line.remove_prefix(from);
        const size_t end = std::min(line.find_first_of(" \t"), line.size());
        out.emplace_back(line.substr(0, end));
        line.remove_prefix(end);
      }
    }
    if (text.find('\n') == std::string_view::npos) break;
  }
  return out;
}

void KeepFields(std::string_view shadow, const HostScope& scope, HostState* state) {
  while (!shadow.empty()) {
    const std::string_view line = shadow.substr(0, shadow.find('\n'));
    shadow.remove_prefix(std::min(line.size() + 1, shadow.size()));
    const size_t first = line.find(':');
    const size_t second = line.find(':', std::min(first, line.size() - 1) + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string_view login = line.substr(0, first);
    if (!scope.Tells(login)) continue;
    state->password_fields.try_emplace(std::string(login),
                                       line.substr(first + 1, second - first - 1));
  }
}

Result<void> FillKeys(Transport& transport, const AccountSettings& settings, const HostScope& scope,
                      HostState* state) {
  std::vector<std::pair<std::string, std::vector<std::string>>> places;
  std::vector<std::string> paths;
  for (const std::string& login : scope.logins()) {
    const posix::User* user = state->accounts.FindUser(login);
    if (user == nullptr) continue;
    auto files = KeyPlacesOf(settings, *user);
    if (!files) {
      state->unreadable_keys[login] = files.error().message;
      continue;
    }
    paths.insert(paths.end(), files->begin(), files->end());
    places.emplace_back(login, std::move(*files));
  }
  auto read = ReadKeyFiles(transport, paths);
  if (!read) return tl::unexpected(read.error());
  const bool shared = read->size() != paths.size();  // one file opens two accounts
  for (auto& [login, files] : places) {
    std::vector<KeyFileState>& told = state->keys[login];
    for (const std::string& path : files) {
      KeyFileState& file = read->at(path);
      if (file.presence == Presence::kUnreadable) {
        state->unreadable_keys.try_emplace(login, fmt::format("{}: {}", path, file.reason));
      }
      told.push_back(shared ? file : std::move(file));
    }
  }
  return {};
}

// What is told of its end; false: it can't be told.
bool TellEnd(const AccountSettings& settings, const posix::User& user, const posix::Shadow* shadow,
             kinds::Account* account) {
  if (!settings.pam || (user.elsewhere && shadow == nullptr)) return false;
  // Day 0 is none to sshd without PAM (shadow(5) leaves it open): the wider is told.
  const bool ends = shadow != nullptr && shadow->expires.value_or(0) > 0;
  if (account->enabled()) {
    account->set_expires(ends ? posix::LastSecondOf(*shadow->expires, *settings.pam)
                              : base::kForever);
  }
  return true;
}

void AppendAccounts(const HostState& state, const AccountSettings& settings, const HostScope& scope,
                    std::vector<Object>* out) {
  for (const std::string& login : scope.logins()) {
    const posix::User* user = state.accounts.FindUser(login);
    if (user == nullptr) continue;
    const bool locked =
        settings.denied.contains(login) || (!user->elsewhere && state.Locked(login));
    kinds::Account account;
    account.set_server(settings.server);
    account.set_login(login);
    account.set_enabled(!locked);
    account.set_home(user->home);
    account.set_uid(user->uid);
    account.set_gid(user->gid);
    if (!user->gecos.empty()) account.set_comment(user->gecos);
    if (user->elsewhere) account.set_source(std::string(object::kFromDirectory));
    const bool end_told = TellEnd(settings, *user, state.accounts.FindShadow(login), &account);
    const auto field = state.password_fields.find(login);
    const std::string hash = field == state.password_fields.end() ? "" : field->second;
    const bool usable = locked || !IsLockedField(hash);
    const std::string digest = usable ? PasswordDigest(settings.ledger_key, hash) : "";
    if (!digest.empty()) account.set_password(digest);
    Object object = object::Encode(account);
    if (!end_told) object.unreadable |= uint64_t{1} << kinds::Account::kExpiresFieldNumber;
    // A number that two names share doesn't say which of them is which.
    if (state.accounts.NamesOf(user->uid).size() == 1) object.id = std::to_string(user->uid);
    if (!user->elsewhere) SetChanged(state.File(kPasswdPath).modified, &object);
    out->push_back(std::move(object));
  }
}

void AppendGroups(const HostState& state, const AccountSettings& settings, const HostScope& scope,
                  Kind kind, std::vector<Object>* out) {
  for (const posix::Group& group : state.accounts.groups()) {
    if (group.name == scope.mark()) continue;
    if (kind == Kind::kServerGroup) {
      if (!scope.TellsGroup(group.name)) continue;
      kinds::ServerGroup object;
      object.set_server(settings.server);
      object.set_name(group.name);
      object.set_gid(group.gid);
      out->push_back(object::Encode(object));
      SetChanged(state.File(kGroupPath).modified, &out->back());
      continue;
    }
    for (const std::string& member : std::set(group.members.begin(), group.members.end())) {
      if (!scope.Tells(member)) continue;
      kinds::ServerMembership object;
      object.set_server(settings.server);
      object.set_group(group.name);
      object.set_login(member);
      out->push_back(object::Encode(object));
      SetChanged(state.File(kGroupPath).modified, &out->back());
    }
  }
}

}  // namespace

base::Instant ExpiryAsTold(base::Instant until) {
  return (posix::ExpiryDayFor(until) + 1) * posix::kSecondsPerDay - 1;
}

Result<std::vector<std::string>> KeyPlacesOf(const AccountSettings& settings,
                                             const posix::User& user) {
  if (settings.key_places) return settings.key_places(user);
  return std::vector<std::string>{user.home + "/.ssh/authorized_keys"};
}

bool HostState::Locked(std::string_view login) const {
  const posix::Shadow* shadow = accounts.FindShadow(login);
  return shadow != nullptr && shadow->expires == posix::kLockDay;
}

const FileState& HostState::File(std::string_view path) const {
  static const FileState none;
  const auto found = files.find(std::string(path));
  return found == files.end() ? none : found->second;
}

Result<HostState> ReadHost(Transport& transport, const AccountSettings& settings, ReadKeys keys) {
  FileReader reader(transport, std::string(kPasswdPath));
  return ReadHost(reader, settings, keys);
}

Result<HostState> ReadHost(FileReader& reader, const AccountSettings& settings, ReadKeys keys) {
  const std::vector<std::string> paths = {std::string(kPasswdPath), std::string(kGroupPath),
                                          std::string(kShadowPath), std::string(kSwitchPath)};
  auto read = reader.Read(paths);
  if (!read) return tl::unexpected(read.error());
  HostState state;
  const FileState& passwd = read->at(paths[0]);
  const FileState& group = read->at(paths[1]);
  const FileState& shadow = read->at(paths[2]);
  state.group_problem = WhyUnread(group);
  state.account_problem = WhyUnread(passwd);
  // Whether an account is locked stands in shadow, whether it is ours in group.
  if (state.account_problem.empty()) state.account_problem = WhyUnread(shadow);
  if (state.account_problem.empty()) state.account_problem = state.group_problem;
  if (state.group_problem.empty()) state.group_problem = state.account_problem;
  state.accounts = posix::HostAccounts::Parse(passwd.content, group.content, shadow.content);
  state.sources = SourcesIn(read->at(paths[3]).content);
  std::string shadow_elsewhere;
  if (state.account_problem.empty()) {
    auto added = AddNssAccounts(reader.transport(), settings, &state, &shadow_elsewhere);
    if (!added && added.error().retryable()) return tl::unexpected(added.error());
    if (!added) state.account_problem = state.group_problem = added.error().message;
  }
  const HostScope scope(state.accounts, settings);
  KeepFields(shadow.content, scope, &state);
  KeepFields(shadow_elsewhere, scope, &state);
  state.key_problem = state.account_problem;
  if (keys == ReadKeys::kYes && state.key_problem.empty()) {
    if (auto filled = FillKeys(reader.transport(), settings, scope, &state); !filled) {
      return tl::unexpected(filled.error());
    }
  }
  for (size_t i = 0; i < 3; ++i) {
    FileState& file = read->at(paths[i]);
    file.content.clear();
    state.files[paths[i]] = std::move(file);
  }
  return state;
}

std::vector<Object> ObjectsOf(const HostState& state, const AccountSettings& settings, Kind kind) {
  std::vector<Object> out;
  const HostScope scope(state.accounts, settings);
  if (kind == Kind::kAccount) AppendAccounts(state, settings, scope, &out);
  if (kind == Kind::kSshKey) AppendKeys(state, settings, scope, &out);
  if (kind == Kind::kServerGroup || kind == Kind::kServerMembership) {
    AppendGroups(state, settings, scope, kind, &out);
  }
  return out;
}

std::string ProblemOf(const HostState& state, const AccountSettings& settings, Kind kind) {
  const HostScope scope(state.accounts, settings);
  std::string problem = kind == Kind::kAccount  ? state.account_problem
                        : kind == Kind::kSshKey ? state.key_problem
                                                : state.group_problem;
  if (problem.empty()) problem = scope.problem();
  if (problem.empty() && kind == Kind::kSshKey && !state.unreadable_keys.empty()) {
    const auto& [login, why] = *state.unreadable_keys.begin();
    problem = fmt::format("the keys of {} of {} accounts can't be told; {}: {}",
                          state.unreadable_keys.size(), scope.logins().size(), login, why);
  }
  return problem;
}

Result<std::vector<ScopeStatus>> EnumerateAccounts(const HostState& state,
                                                   const AccountSettings& settings,
                                                   std::span<const Kind> kinds,
                                                   object::ObjectSink& sink) {
  std::vector<ScopeStatus> out;
  for (const Kind kind : kKinds) {
    if (!kinds.empty() && std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) continue;
    ScopeStatus status{.kind = kind, .scope = settings.server};
    status.reason = ProblemOf(state, settings, kind);
    status.complete = status.sentinel_seen = status.reason.empty();
    for (const Object& object : ObjectsOf(state, settings, kind)) {
      ++status.count;
      if (!sink.Add(object.view())) return Fail(ErrorCode::kCancelled, "the core went away");
    }
    out.push_back(std::move(status));
  }
  return out;
}

std::vector<ReadAnswer> AnswerAccounts(const HostState& state, const AccountSettings& settings,
                                       std::span<const object::ObjectKey> keys) {
  std::map<object::ObjectKey, Object> live;
  std::map<Kind, std::string> problems;
  const HostScope scope(state.accounts, settings);
  for (const object::ObjectKey& key : keys) {
    if (problems.contains(key.kind)) continue;
    problems[key.kind] = ProblemOf(state, settings, key.kind);
    for (Object& object : ObjectsOf(state, settings, key.kind)) {
      object::ObjectKey name{key.kind, object.key};
      live[std::move(name)] = std::move(object);
    }
  }
  std::vector<ReadAnswer> out;
  for (const object::ObjectKey& key : keys) {
    ReadAnswer answer;
    answer.object.kind = key.kind;
    answer.object.key = key.key;
    const auto found = live.find(key);
    answer.reason = problems.at(key.kind);
    if (key.kind == Kind::kSshKey && state.key_problem.empty() && scope.problem().empty()) {
      // One account's unreadable file says nothing about another's.
      const auto why = state.unreadable_keys.find(LoginOfKey(key.kind, key.key));
      answer.reason = why == state.unreadable_keys.end() ? "" : why->second;
    }
    if (answer.reason.empty()) answer.reason = scope.WhyOutside(key.kind, key.key);
    const std::string login = LoginOfKey(key.kind, key.key);
    if (answer.reason.empty() && state.nss_silent && state.unknown.contains(login)) {
      answer.reason = fmt::format(
          "NSS ({}) answers for none of the accounts that it is asked for: the directory may be "
          "down; an account that is gone for good is taken out of the group {}",
          fmt::join(DirectorySources(state.sources), ", "), scope.mark());
    }
    if (answer.reason.empty() && found == live.end()) answer.answer = Answer::kAbsent;
    if (answer.reason.empty() && found != live.end()) {
      answer.answer = Answer::kValue;
      answer.object = found->second;
    }
    out.push_back(std::move(answer));
  }
  return out;
}

std::vector<std::string> FindingsOf(const HostState& state, const AccountSettings& settings) {
  std::vector<std::string> out;
  const HostScope scope(state.accounts, settings);
  for (const posix::LineProblem& line : state.accounts.problems()) {
    out.push_back(fmt::format("/etc/{}:{}: {}", line.file, line.line, line.why));
  }
  const posix::Group* mark = state.accounts.FindGroup(scope.mark());
  for (const posix::User& user : state.accounts.users()) {
    const auto& names = state.accounts.NamesOf(user.uid);
    const bool member = mark != nullptr && std::find(mark->members.begin(), mark->members.end(),
                                                     user.name) != mark->members.end();
    if (member && !scope.Tells(user.name)) {
      out.push_back(fmt::format("{} is in the group {}, but uid {} is never managed", user.name,
                                scope.mark(), user.uid));
    }
    if (!scope.Tells(user.name)) continue;
    if (state.shadowing.contains(user.name)) {
      out.push_back(fmt::format(
          "{} stands in /etc/passwd and in a directory ({}) as well: the host's own stands first",
          user.name, fmt::join(DirectorySources(state.sources), ", ")));
    }
    if (names.size() > 1) {
      out.push_back(
          fmt::format("uid {} has {} names, and they are one account to the kernel: {} and {}",
                      user.uid, names.size(), names[0], names[1]));
    }
    const auto field = state.password_fields.find(user.name);
    if (field != state.password_fields.end() && IsLockedField(field->second) &&
        !state.Locked(user.name)) {
      out.push_back(fmt::format("{} has `!` before its hash: with PAM a key opens it all the same",
                                user.name));
    }
  }
  return out;
}

}  // namespace postern::filetransfer
