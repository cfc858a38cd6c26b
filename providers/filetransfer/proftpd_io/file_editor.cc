#include "providers/filetransfer/proftpd_io/file_editor.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/proftpd_io/password.h"
#include "providers/filetransfer/server/row_check.h"

namespace postern::filetransfer {
namespace {

using object::Kind;
using object::Operation;
using object::Outcome;
using object::Status;

constexpr std::string_view kSecretPrefix = "secret:";
constexpr uint32_t kCommentField = 7;
constexpr uint32_t kPasswordField = 8;

// Satisfies says nothing about secrets: what Compared left of a password is a new one.
bool SetsPassword(const Operation& operation, const std::string& compared) {
  return operation.kind == Kind::kAccount && !compared.empty() &&
         object::DecodeAs<kinds::Account>(compared).has_password();
}

std::string WhyLoginUnfit(const std::string& login) {
  if (login.empty() || login == "." || login == ".." || login.starts_with(".postern-") ||
      login.starts_with('#')) {
    return "no possible login";
  }
  // It names a file in the key folder, too.
  if (login.find('/') != std::string::npos) return "a slash in a login";
  return WhyFieldUnfit(login, true);
}

}  // namespace

FileEditor::FileEditor(const Snapshot& snapshot, const ServerSettings& settings,
                       const object::Secrets& secrets, HashCache& hashes)
    : snapshot_(snapshot),
      scope_(snapshot, settings),
      secrets_(secrets),
      hashes_(hashes),
      users_(snapshot.users),
      groups_(snapshot.groups),
      keys_(snapshot.keys) {
  for (const Kind kind :
       {Kind::kAccount, Kind::kSshKey, Kind::kServerGroup, Kind::kServerMembership}) {
    for (object::Object& object : ObjectsOf(snapshot, settings, kind)) {
      auto key = std::make_pair(kind, object.key);
      live_.emplace(std::move(key), std::move(object));
    }
  }
}

Outcome FileEditor::Take(const Operation& operation) {
  Outcome outcome;
  outcome.id = operation.id;
  std::string problem = ProblemOf(snapshot_, operation.kind);
  if (problem.empty()) problem = scope_.WhyOutside(operation.kind, operation.key);
  if (problem.empty() && operation.kind == Kind::kAccount && !scope_.group().empty() &&
      groups_.Find(scope_.group()) == nullptr) {
    problem = fmt::format("there is no group {} that would say which accounts are managed",
                          scope_.group());
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
  if (!check.go_on) return outcome;
  if (Refusal why = Edit(operation)) {
    outcome.status = Status::kDenied;
    outcome.message = std::move(*why);
  }
  return outcome;
}

FileEditor::Refusal FileEditor::Edit(const Operation& operation) {
  switch (operation.kind) {
    case Kind::kAccount:
      return EditAccount(operation);
    case Kind::kSshKey:
      return EditKey(operation);
    case Kind::kServerGroup:
      return EditGroup(operation);
    default:
      return EditMembership(operation);
  }
}

std::string FileEditor::Compared(const Operation& operation) const {
  auto live = live_.find({operation.kind, operation.key});
  if (live == live_.end()) live = live_.find({operation.kind, operation.new_key});
  if (operation.kind != Kind::kAccount || operation.after.empty() || live == live_.end()) {
    return operation.after;
  }
  auto after = object::DecodeAs<kinds::Account>(operation.after);
  const auto now = object::DecodeAs<kinds::Account>(live->second.body);
  // The file can't tell an empty comment from none.
  if (after.comment().empty() && !now.has_comment()) after.clear_comment();
  if (HasPassword(after, now)) after.clear_password();
  return object::EncodeBody(after);
}

bool FileEditor::IsRenamed(const Operation& operation) const {
  const auto found = live_.find({operation.kind, operation.new_key});
  if (operation.new_key.empty() || found == live_.end()) return false;
  const object::Object& live = found->second;
  return !SetsPassword(operation, Compared(operation)) &&
         (operation.expect_id.empty() || operation.expect_id == live.id) &&
         object::Satisfies(operation.kind, Compared(operation), live.body);
}

bool FileEditor::HasPassword(const kinds::Account& want, const kinds::Account& live) const {
  const auto* fields = users_.Find(want.login());
  const auto secret =
      secrets_.find(want.password().substr(std::min(want.password().size(), kSecretPrefix.size())));
  if (!want.has_password() || fields == nullptr || secret == secrets_.end()) return false;
  // With an unlocked account beside a locked hash the password doesn't open it.
  if (live.enabled() && IsLockedField((*fields)[1])) return false;
  return PasswordMatches(secret->second, (*fields)[1]);
}

Result<std::string> FileEditor::HashFor(const Operation& operation, const std::string& secret) {
  if (!secret.starts_with(kSecretPrefix)) {
    return Fail(ErrorCode::kInvalid, "a password is given by the name of a secret");
  }
  const auto value = secrets_.find(secret.substr(kSecretPrefix.size()));
  if (value == secrets_.end()) {
    return Fail(ErrorCode::kInvalid, fmt::format("{} wasn't sent along", secret));
  }
  if (const auto made = hashes_.find(operation.id); made != hashes_.end()) return made->second;
  auto hash = HashPassword(value->second);
  if (hash) hashes_[operation.id] = *hash;
  return hash;
}

bool FileEditor::Locked(const std::string& login) const {
  const auto* fields = users_.Find(login);
  const auto keys = keys_.find(login);
  const bool open = keys != keys_.end() && keys->second.open.OpensAny();
  return fields != nullptr && IsLockedField((*fields)[1]) && !open;
}

void FileEditor::MoveKeys(const std::string& login, bool aside) {
  const auto found = keys_.find(login);
  if (found == keys_.end()) return;
  KeyFile& from = aside ? found->second.open : found->second.aside;
  KeyFile& to = aside ? found->second.aside : found->second.open;
  for (const KeyFile::Block& block : from.blocks()) to.Add(block);
  from = KeyFile();
}

FileEditor::Refusal FileEditor::SetFields(const Operation& operation, const kinds::Account& want,
                                          UserLine& line) {
  if (want.has_home()) line.home = want.home();
  if (want.has_uid()) line.uid = want.uid();
  if (want.has_gid()) line.gid = want.gid();
  if (want.has_comment()) line.comment = want.comment();
  for (const uint32_t field : operation.clear) {
    if (field == kCommentField) line.comment.clear();
    if (field == kPasswordField) line.hash = IsLockedField(line.hash) ? "!*" : "*";
  }
  // A password that matches already was taken out: its hash, and with it the ledger's digest,
  // stays.
  const auto changed = object::DecodeAs<kinds::Account>(Compared(operation));
  if (changed.has_password()) {
    auto hash = HashFor(operation, want.password());
    if (!hash) return hash.error().message;
    line.hash = IsLockedField(line.hash) ? LockField(*hash) : *hash;
  }
  if (want.has_enabled())
    line.hash = want.enabled() ? UnlockField(line.hash) : LockField(line.hash);
  for (const std::string* text : {&line.home, &line.comment}) {
    if (const std::string why = WhyFieldUnfit(*text); !why.empty()) return why;
  }
  return std::nullopt;
}

FileEditor::Refusal FileEditor::Rename(const std::string& from, const std::string& to) {
  if (users_.Find(to) != nullptr) return fmt::format("{} exists already", to);
  if (const auto keys = keys_.find(from); keys != keys_.end()) {
    keys_[to] = std::move(keys->second);
    keys_[from] = LoginKeys();
  }
  return std::nullopt;
}

void FileEditor::Mark(const std::string& login, bool managed) {
  const auto* fields = groups_.Find(scope_.group());
  auto line = fields == nullptr ? std::nullopt : ParseGroup(*fields);
  if (scope_.group().empty() || !line || line->members.contains(login) == managed) return;
  if (managed) {
    line->members.insert(login);
  } else {
    line->members.erase(login);
  }
  groups_.Put(scope_.group(), FieldsOf(*line));
}

// Accounts outside of the scope aren't told, so a plan may take the uid of one.
FileEditor::Refusal FileEditor::WhyUidUnfit(const UserLine& line, const UserLine* before) const {
  if (scope_.group().empty() || (before != nullptr && before->uid == line.uid)) return std::nullopt;
  for (const std::string& login : snapshot_.users.names()) {
    const auto other = ParseUser(*snapshot_.users.Find(login));
    if (!other || other->uid != line.uid || scope_.Tells(login)) continue;
    return fmt::format(
        "uid {} belongs to {}, which isn't in the group {}: give the server a range "
        "of uids of its own",
        line.uid, login, scope_.group());
  }
  return std::nullopt;
}

FileEditor::Refusal FileEditor::EditAccount(const Operation& operation) {
  const auto parts = object::SplitKey(operation.key);
  const std::string login(parts.back());
  if (const std::string why = WhyLoginUnfit(login); !why.empty()) return why;
  if (operation.after.empty()) {
    // The keys that are left open nothing, also for an account that comes under the same login.
    MoveKeys(login, true);
    users_.Remove(login);
    Mark(login, false);
    return std::nullopt;
  }
  const auto want = object::DecodeAs<kinds::Account>(operation.after);
  if (want.has_expires()) return "ProFTPD's user file has no expiry date";
  const auto* fields = users_.Find(login);
  UserLine line;
  if (fields == nullptr) {
    if (!want.has_uid() || !want.has_gid() || !want.has_home()) {
      return "a new account needs uid, gid and home";
    }
    line.hash = "*";
  } else if (const auto parsed = ParseUser(*fields)) {
    line = *parsed;
  }
  line.login = want.login();
  if (const std::string why = WhyLoginUnfit(line.login); !why.empty()) return why;
  const std::optional<UserLine> before = fields == nullptr ? std::nullopt : ParseUser(*fields);
  if (Refusal why = SetFields(operation, want, line)) return why;
  if (Refusal why = WhyUidUnfit(line, before ? &*before : nullptr)) return why;
  if (line.login != login) {
    if (Refusal why = Rename(login, line.login)) return why;
    Mark(login, false);
  }
  Mark(line.login, true);
  if (want.has_enabled()) MoveKeys(line.login, !want.enabled());
  users_.Put(login, FieldsOf(line));
  return std::nullopt;
}

FileEditor::Refusal FileEditor::EditKey(const Operation& operation) {
  if (snapshot_.key_folder.empty()) {
    return "the server has no SFTPAuthorizedUserKeys file:FOLDER/%u";
  }
  const auto parts = object::SplitKey(operation.key);
  if (parts.size() != 3) return "no key of a key";
  const std::string login(parts[1]);
  if (const std::string why = WhyLoginUnfit(login); !why.empty()) return why;
  LoginKeys& keys = keys_[login];
  if (operation.after.empty()) {
    keys.open.Remove(parts[2]);
    keys.aside.Remove(parts[2]);
    return std::nullopt;
  }
  const auto want = object::DecodeAs<kinds::SshKey>(operation.after);
  if (want.has_enabled() && !want.enabled()) {
    keys.open.Quarantine(parts[2]);
    keys.aside.Quarantine(parts[2]);
    return std::nullopt;
  }
  auto key = ParseOpenSshKey(want.public_key());
  if (!key) return key.error().message;
  if (key->fingerprint != parts[2]) return "the key has another fingerprint";
  // A key for an account that is locked, or isn't there yet, must not open it.
  const bool aside = users_.Find(login) == nullptr || Locked(login);
  (aside ? keys.aside : keys.open).Add(*key);
  return std::nullopt;
}

FileEditor::Refusal FileEditor::EditGroup(const Operation& operation) {
  if (snapshot_.group_path.empty()) return "the configuration names no AuthGroupFile";
  const std::string name(object::SplitKey(operation.key).back());
  if (const std::string why = WhyFieldUnfit(name, true); !why.empty()) return why;
  if (operation.after.empty()) {
    groups_.Remove(name);
    return std::nullopt;
  }
  const auto want = object::DecodeAs<kinds::ServerGroup>(operation.after);
  GroupLine line;
  if (const auto* fields = groups_.Find(name)) {
    if (const auto parsed = ParseGroup(*fields)) line = *parsed;
  } else if (!want.has_gid()) {
    return "a new group needs a gid";
  }
  line.name = name;
  if (want.has_gid()) line.gid = want.gid();
  groups_.Put(name, FieldsOf(line));
  return std::nullopt;
}

FileEditor::Refusal FileEditor::EditMembership(const Operation& operation) {
  const auto parts = object::SplitKey(operation.key);
  if (snapshot_.group_path.empty() || parts.size() != 3) {
    return "the configuration names no AuthGroupFile";
  }
  const std::string name(parts[1]);
  const std::string login(parts[2]);
  if (const std::string why = WhyFieldUnfit(login, true); !why.empty()) return why;
  const auto* fields = groups_.Find(name);
  auto line = fields == nullptr ? std::nullopt : ParseGroup(*fields);
  // Gone with its group, by an operation before this one.
  if (!line && operation.after.empty()) return std::nullopt;
  if (!line) return fmt::format("there is no group {}", name);
  if (operation.after.empty()) {
    line->members.erase(login);
  } else {
    line->members.insert(login);
  }
  groups_.Put(name, FieldsOf(*line));
  return std::nullopt;
}

void FileEditor::AddKeyChange(const std::string& path, const KeyFile& keys,
                              std::vector<FileChange>& out) const {
  const FileState& state = snapshot_.File(path);
  const bool there = state.presence == Presence::kPresent;
  if (keys.empty()) {
    if (there) out.push_back({.action = Action::kDrop, .path = path, .expect = state.digest});
    return;
  }
  const std::string text = keys.Text();
  if (there && text == state.content) return;
  // Public keys are no secret, and the daemon may read them as an ordinary user.
  out.push_back({.path = path,
                 .expect = there ? state.digest : std::string(kAbsent),
                 .content = text,
                 .mode = there ? state.mode : 0644,
                 .uid = state.uid,
                 .gid = state.gid,
                 .own = there});
}

std::vector<FileChange> FileEditor::Changes() const {
  std::vector<FileChange> out;
  const auto add = [&](const std::string& path, const std::string& text) {
    const FileState& state = snapshot_.File(path);
    if (path.empty() || state.presence != Presence::kPresent || text == state.content) return;
    out.push_back({.path = path,
                   .expect = state.digest,
                   .content = text,
                   .mode = state.mode,
                   .uid = state.uid,
                   .gid = state.gid,
                   .own = true});
  };
  // Unchanged text stays unchanged, also a missing last newline.
  if (users_.Text() != snapshot_.users.Text()) add(snapshot_.user_path, users_.Text());
  if (groups_.Text() != snapshot_.groups.Text()) add(snapshot_.group_path, groups_.Text());
  for (const auto& [login, keys] : keys_) {
    const auto before = snapshot_.keys.find(login);
    const bool known = before != snapshot_.keys.end();
    if (!known || keys.open.Text() != before->second.open.Text() ||
        keys.aside.Text() != before->second.aside.Text()) {
      AddKeyChange(snapshot_.AsideKeyPath(login), keys.aside, out);
      AddKeyChange(snapshot_.OpenKeyPath(login), keys.open, out);
    }
  }
  return out;
}

}  // namespace postern::filetransfer
