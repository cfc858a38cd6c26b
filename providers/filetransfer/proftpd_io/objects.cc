// A snapshot as objects.
#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/proftpd_io/password.h"
#include "providers/filetransfer/proftpd_io/snapshot.h"
#include "providers/filetransfer/server/grant_rows.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

using object::Kind;
using object::Object;

void Append(const google::protobuf::Message& message, const FileState& file, std::string id,
            std::vector<Object>& out) {
  out.push_back(ObjectFrom(message, file, std::move(id)));
}

void AppendAccounts(const Snapshot& snapshot, const ServerSettings& settings,
                    std::vector<Object>& out) {
  for (const std::string& login : snapshot.users.names()) {
    const auto user = ParseUser(*snapshot.users.Find(login));
    if (!user) continue;
    const bool locked = snapshot.Locked(login);
    kinds::Account account;
    account.set_server(settings.name);
    account.set_login(login);
    account.set_enabled(!locked);
    account.set_home(user->home);
    account.set_uid(user->uid);
    account.set_gid(user->gid);
    if (!user->comment.empty()) account.set_comment(user->comment);
    // A locked hash beside open keys is no usable password, though the account isn't locked.
    const bool usable = locked || !IsLockedField(user->hash);
    const std::string digest = usable ? PasswordDigest(settings.ledger_key, user->hash) : "";
    if (!digest.empty()) account.set_password(digest);
    Append(account, snapshot.File(snapshot.user_path), snapshot.IdOf(*user), out);
  }
}

void AppendKeys(const Snapshot& snapshot, const ServerSettings& settings,
                std::vector<Object>& out) {
  for (const auto& [login, keys] : snapshot.keys) {
    // Keys put aside belong to the account as long as it is locked; without one they wait for
    // nobody.
    const bool aside = snapshot.Locked(login) || snapshot.users.Find(login) == nullptr;
    KeyFile all = keys.open;
    if (aside) {
      for (const KeyFile::Block& block : keys.aside.blocks()) all.Add(block);
    }
    const FileState& open = snapshot.File(snapshot.OpenKeyPath(login));
    for (const auto& [key, text, quarantined] : all.blocks()) {
      kinds::SshKey object;
      object.set_server(settings.name);
      object.set_login(login);
      object.set_fingerprint(key.fingerprint);
      object.set_public_key(key.text);
      object.set_enabled(!quarantined);
      Append(
          object,
          open.presence == Presence::kPresent ? open : snapshot.File(snapshot.AsideKeyPath(login)),
          "", out);
    }
  }
}

void AppendGroups(const Snapshot& snapshot, const ServerSettings& settings, bool members,
                  std::vector<Object>& out) {
  const FileState& file = snapshot.File(snapshot.group_path);
  for (const std::string& name : snapshot.groups.names()) {
    const auto group = ParseGroup(*snapshot.groups.Find(name));
    if (!group) continue;
    if (!members) {
      kinds::ServerGroup object;
      object.set_server(settings.name);
      object.set_name(name);
      object.set_gid(group->gid);
      Append(object, file, "", out);
      continue;
    }
    for (const std::string& member : group->members) {
      kinds::ServerMembership object;
      object.set_server(settings.name);
      object.set_group(name);
      object.set_login(member);
      Append(object, file, "", out);
    }
  }
}

void AppendGrants(const Snapshot& snapshot, const ServerSettings& settings,
                  std::vector<Object>& out) {
  for (const access::GrantRow& row : snapshot.given) {
    out.push_back(GrantObject(settings.name, row, snapshot.notes, snapshot.File(settings.include)));
  }
  // The deny-all of each root: a row for everyone without rights (schemas/kinds.proto).
  for (const std::string& root : snapshot.grants.roots) {
    const bool opened =
        std::any_of(snapshot.grants.rows.begin(), snapshot.grants.rows.end(), [&](const auto& row) {
          return row.path == root && row.depth == access::Depth::kSubtree &&
                 row.subject.type == access::Subject::Type::kEveryone;
        });
    if (opened) continue;  // by hand: that row stands in its place
    const kinds::Grant baseline = GrantOf(
        settings.name, {root, access::Depth::kSubtree, {access::Subject::Type::kEveryone, ""}, {}});
    Append(baseline, snapshot.File(settings.include), "", out);
  }
}

}  // namespace

std::vector<Object> ObjectsOf(const Snapshot& snapshot, const ServerSettings& settings, Kind kind) {
  std::vector<Object> out;
  if (kind == Kind::kAccount) AppendAccounts(snapshot, settings, out);
  if (kind == Kind::kSshKey) AppendKeys(snapshot, settings, out);
  if (kind == Kind::kServerGroup) AppendGroups(snapshot, settings, false, out);
  if (kind == Kind::kServerMembership) AppendGroups(snapshot, settings, true, out);
  if (kind == Kind::kGrant) AppendGrants(snapshot, settings, out);
  return out;
}

const std::string& ProblemOf(const Snapshot& snapshot, Kind kind) {
  switch (kind) {
    case Kind::kAccount:
      // Whether an account is locked is known from both.
      return snapshot.user_problem.empty() ? snapshot.key_problem : snapshot.user_problem;
    case Kind::kSshKey:
      return snapshot.key_problem.empty() ? snapshot.user_problem : snapshot.key_problem;
    case Kind::kServerGroup:
    case Kind::kServerMembership:
      return snapshot.group_problem;
    case Kind::kGrant:
      return snapshot.grant_problem;
    default:
      return snapshot.config_problem;
  }
}

std::string LoginOf(Kind kind, std::string_view key) {
  const auto parts = object::SplitKey(key);
  if (kind == Kind::kAccount || kind == Kind::kSshKey || kind == Kind::kSession) {
    return std::string(parts.size() > 1 ? parts[1] : "");
  }
  if (kind == Kind::kServerMembership) return std::string(parts.size() > 2 ? parts[2] : "");
  return "";
}

AccountScope::AccountScope(const Snapshot& snapshot, const ServerSettings& settings)
    : snapshot_(snapshot) {
  if (settings.accounts == "all") {
    managed_.insert(snapshot.users.names().begin(), snapshot.users.names().end());
    for (const auto& [login, keys] : snapshot.keys) managed_.insert(login);
    for (const std::string& name : snapshot.groups.names()) {
      const auto group = ParseGroup(*snapshot.groups.Find(name));
      if (group) managed_.insert(group->members.begin(), group->members.end());
    }
  } else if (settings.accounts.starts_with("group:")) {
    group_ = settings.accounts.substr(6);
    const auto* fields = snapshot.groups.Find(group_);
    const auto group = fields == nullptr ? std::nullopt : ParseGroup(*fields);
    if (group) managed_ = group->members;
    for (const auto& [login, keys] : snapshot.keys) {
      if (!keys.aside.empty() && snapshot.users.Find(login) == nullptr) managed_.insert(login);
    }
  }
}

std::string AccountScope::WhyOutside(Kind kind, std::string_view key) const {
  if (group_.empty()) return "";
  const auto parts = object::SplitKey(key);
  const bool of_group = kind == Kind::kServerGroup || kind == Kind::kServerMembership;
  if (of_group && parts.size() > 1 && parts[1] == group_) {
    return fmt::format(
        "{} is the group that says which accounts are managed (manage.accounts): it "
        "can't be declared as well",
        group_);
  }
  const std::string login = LoginOf(kind, key);
  if (login.empty() || Tells(login) || snapshot_.users.Find(login) == nullptr) return "";
  return fmt::format(
      "the account {0} exists and isn't in the group {1}, whose accounts are managed; "
      "it can be managed once somebody has put it into {1} by hand",
      login, group_);
}

bool AccountScope::TellsObject(Kind kind, std::string_view key) const {
  const std::string login = LoginOf(kind, key);
  return (login.empty() || Tells(login)) && WhyOutside(kind, key).empty();
}

}  // namespace postern::filetransfer
