#include "providers/filetransfer/host/account_scope.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace postern::filetransfer {
namespace {

using object::Kind;

constexpr std::string_view kGroupPrefix = "group:";

bool IsOrdinary(uint32_t id) {
  return id >= kFirstOrdinaryId && id != kNobodyId;
}

}  // namespace

std::string LoginOfKey(Kind kind, std::string_view key) {
  const auto parts = object::SplitKey(key);
  const bool second = kind == Kind::kAccount || kind == Kind::kSshKey || kind == Kind::kSession;
  if (second && parts.size() > 1) return std::string(parts[1]);
  if (kind == Kind::kServerMembership && parts.size() > 2) return std::string(parts[2]);
  return "";
}

HostScope::HostScope(const posix::HostAccounts& host, const AccountSettings& settings)
    : host_(host), settings_(settings) {
  if (settings.accounts.starts_with(kGroupPrefix)) {
    mark_ = settings.accounts.substr(kGroupPrefix.size());
    if (host.FindGroup(mark_) == nullptr) {
      problem_ =
          fmt::format("the host has no group {} that would say which accounts are managed", mark_);
      return;
    }
  } else if (settings.accounts == "all" && !settings.uids) {
    problem_ =
        "which of the host's accounts are managed isn't said: accounts = \"group:NAME\", or uids "
        "of the server";
    return;
  }
  FindAccounts();
  FindGroups();
}

// What a creation that was killed leaves: in our range, never opened, not yet in the mark group.
bool HostScope::HalfMade(const posix::User& user) const {
  const posix::Shadow* shadow = host_.FindShadow(user.name);
  return settings_.uids && settings_.uids->Has(user.uid) && user.gid == settings_.uids->gid &&
         shadow != nullptr && shadow->expires == posix::kLockDay &&
         shadow->password == posix::PasswordState::kLocked;
}

void HostScope::FindAccounts() {
  const posix::Group* mark = mark_.empty() ? nullptr : host_.FindGroup(mark_);
  std::set<std::string_view> members;
  if (mark != nullptr) members.insert(mark->members.begin(), mark->members.end());
  for (const posix::User& user : host_.users()) {
    if (!IsOrdinary(user.uid)) continue;
    const bool ours = mark != nullptr
                          ? user.gid == mark->gid || members.contains(user.name) || HalfMade(user)
                          : settings_.accounts == "all" && settings_.uids->Has(user.uid);
    if (ours) logins_.insert(user.name);
  }
  for (const std::string_view member : members) {
    if (host_.FindUser(member) == nullptr) logins_.emplace(member);
  }
}

void HostScope::FindGroups() {
  if (logins_.empty() && !settings_.uids) return;
  std::map<uint32_t, bool> mixed;  // by gid: an account outside has it as primary group
  for (const posix::User& user : host_.users()) mixed[user.gid] |= !Tells(user.name);
  for (const posix::Group& group : host_.groups()) {
    if (!IsOrdinary(group.gid) || group.name == mark_ || group.elsewhere) continue;
    if (settings_.uids) {
      if (settings_.uids->Has(group.gid) && group.gid != settings_.uids->gid) {
        groups_.insert(group.name);
      }
      continue;
    }
    const auto primary = mixed.find(group.gid);
    const bool only_ours = (primary == mixed.end() || !primary->second) &&
                           std::all_of(group.members.begin(), group.members.end(),
                                       [this](const std::string& member) { return Tells(member); });
    if (only_ours && (!group.members.empty() || primary != mixed.end())) {
      groups_.insert(group.name);
    }
  }
}

std::string HostScope::WhyOutside(Kind kind, std::string_view key) const {
  if (!problem_.empty()) return problem_;
  const auto parts = object::SplitKey(key);
  const bool of_group = kind == Kind::kServerGroup || kind == Kind::kServerMembership;
  if (of_group && !mark_.empty() && parts.size() > 1 && parts[1] == mark_) {
    return fmt::format(
        "{} is the group that says which accounts are managed (manage.accounts): it can't be "
        "declared as well",
        mark_);
  }
  if (kind == Kind::kServerGroup && parts.size() > 1 && host_.FindGroup(parts[1]) != nullptr &&
      !TellsGroup(parts[1])) {
    return fmt::format("the host has a group {} by other hands", parts[1]);
  }
  const std::string login = LoginOfKey(kind, key);
  const posix::User* user = login.empty() ? nullptr : host_.FindUser(login);
  if (user == nullptr || Tells(login)) return "";
  if (!IsOrdinary(user->uid)) {
    return fmt::format("{} is an account of the system (uid {}), which is never managed", login,
                       user->uid);
  }
  if (mark_.empty()) return fmt::format("the host has an account {} by other hands", login);
  return fmt::format(
      "the account {0} exists and isn't in the group {1}, whose accounts are managed; it can be "
      "managed once somebody has put it into {1} by hand",
      login, mark_);
}

bool HostScope::TellsObject(Kind kind, std::string_view key) const {
  const std::string login = LoginOfKey(kind, key);
  return (login.empty() || Tells(login)) && WhyOutside(kind, key).empty();
}

}  // namespace postern::filetransfer
