#include "providers/filetransfer/posix/accounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace postern::posix {
namespace {

std::vector<std::string_view> Fields(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <class Number>
bool ReadNumber(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// Empty, or a number. False: something else.
bool ReadDays(std::string_view text, std::optional<int64_t>* days) {
  int64_t number = 0;
  if (text.empty()) return true;
  if (!ReadNumber(text, &number)) return false;
  if (number >= 0) *days = number;  // -1 is "none", as in getspent(3)
  return true;
}

std::string ParseLine(const std::vector<std::string_view>& parts, User* user) {
  if (parts.size() != 7) return fmt::format("{} fields instead of 7", parts.size());
  if (!ReadNumber(parts[2], &user->uid)) return "the uid isn't a number";
  if (!ReadNumber(parts[3], &user->gid)) return "the gid isn't a number";
  user->name = parts[0];
  user->gecos = parts[4];
  user->home = parts[5];
  user->shell = parts[6];
  return "";
}

std::string ParseLine(const std::vector<std::string_view>& parts, Group* group) {
  if (parts.size() != 4) return fmt::format("{} fields instead of 4", parts.size());
  if (!ReadNumber(parts[2], &group->gid)) return "the gid isn't a number";
  group->name = parts[0];
  for (const std::string_view member : Fields(parts[3], ',')) {
    if (!member.empty()) group->members.emplace_back(member);
  }
  return "";
}

std::string ParseLine(const std::vector<std::string_view>& parts, Shadow* shadow) {
  if (parts.size() != 9) return fmt::format("{} fields instead of 9", parts.size());
  shadow->name = parts[0];
  shadow->password = StateOf(parts[1]);
  const bool days =
      ReadDays(parts[2], &shadow->last_change) && ReadDays(parts[4], &shadow->max_days) &&
      ReadDays(parts[6], &shadow->inactive_days) && ReadDays(parts[7], &shadow->expires);
  return days ? "" : "a day isn't a number";
}

// Calls take(entry) for every line that is one; tells the others.
template <class Entry, class Take>
void ForLines(std::string_view file, std::string_view text, std::vector<LineProblem>* problems,
              Take take) {
  uint32_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty() || line.front() == '#') continue;
    Entry entry;
    std::string why;
    if (line.front() == '+' || line.front() == '-') {
      why = "a compat line: which accounts it brings in isn't known here";
    } else if (line.front() == ':') {
      why = "no name";
    } else {
      why = ParseLine(Fields(line, ':'), &entry);
    }
    if (why.empty() && !take(std::move(entry))) why = "the name stands in an earlier line";
    if (!why.empty()) problems->push_back({std::string(file), number, std::move(why)});
  }
}

}  // namespace

PasswordState StateOf(std::string_view field) {
  if (field.empty()) return PasswordState::kEmpty;
  if (field.front() == '!') return PasswordState::kLocked;
  // crypt(3): a modular hash starts with "$", a traditional one has 13 characters.
  return field.front() == '$' || field.front() == '_' || field.size() == 13 ? PasswordState::kHash
                                                                            : PasswordState::kNone;
}

int64_t ExpiryDayFor(base::Instant until) {
  // The first second that must be refused is until + 1; sshd without PAM still lets the day
  // written in, so the day before the one that holds that second.
  const int64_t refused = until + 1;
  const int64_t day = refused / kSecondsPerDay - (refused % kSecondsPerDay < 0 ? 1 : 0);
  return std::max<int64_t>(day - 1, kLockDay);
}

HostAccounts HostAccounts::Parse(std::string_view passwd, std::string_view group,
                                 std::string_view shadow) {
  HostAccounts host;
  ForLines<User>("passwd", passwd, &host.problems_, [&](User user) {
    if (!host.user_index_.emplace(user.name, host.users_.size()).second) return false;
    host.names_of_uid_[user.uid].push_back(user.name);
    host.users_.push_back(std::move(user));
    return true;
  });
  ForLines<Group>("group", group, &host.problems_, [&](Group entry) {
    if (!host.group_index_.emplace(entry.name, host.groups_.size()).second) return false;
    host.names_of_gid_[entry.gid].push_back(entry.name);
    for (const std::string& member : entry.members) {
      host.groups_of_[member].push_back(host.groups_.size());
    }
    host.groups_.push_back(std::move(entry));
    return true;
  });
  ForLines<Shadow>("shadow", shadow, &host.problems_, [&](Shadow entry) {
    std::string name = entry.name;
    return host.shadow_.emplace(std::move(name), std::move(entry)).second;
  });
  return host;
}

void HostAccounts::AddElsewhere(User user, const Shadow* shadow,
                                const std::vector<uint32_t>& gids) {
  if (!user_index_.emplace(user.name, users_.size()).second) return;
  user.elsewhere = true;
  names_of_uid_[user.uid].push_back(user.name);
  if (shadow != nullptr) shadow_.emplace(user.name, *shadow);
  for (size_t i = 0; i < groups_.size(); ++i) {
    Group& group = groups_[i];
    if (std::find(gids.begin(), gids.end(), group.gid) == gids.end()) continue;
    auto& members = group.members;
    if (std::find(members.begin(), members.end(), user.name) != members.end()) continue;
    members.push_back(user.name);
    groups_of_[user.name].push_back(i);
  }
  users_.push_back(std::move(user));
}

void HostAccounts::AddElsewhere(Group group) {
  if (HasGid(group.gid) || !group_index_.emplace(group.name, groups_.size()).second) return;
  group.elsewhere = true;
  names_of_gid_[group.gid].push_back(group.name);
  for (const std::string& member : group.members) groups_of_[member].push_back(groups_.size());
  groups_.push_back(std::move(group));
}

const User* HostAccounts::FindUser(std::string_view name) const {
  const auto at = user_index_.find(name);
  return at == user_index_.end() ? nullptr : &users_[at->second];
}

const Group* HostAccounts::FindGroup(std::string_view name) const {
  const auto at = group_index_.find(name);
  return at == group_index_.end() ? nullptr : &groups_[at->second];
}

const Shadow* HostAccounts::FindShadow(std::string_view name) const {
  const auto at = shadow_.find(name);
  return at == shadow_.end() ? nullptr : &at->second;
}

const std::vector<std::string>& HostAccounts::NamesOf(uint32_t uid) const {
  static const std::vector<std::string> none;
  const auto at = names_of_uid_.find(uid);
  return at == names_of_uid_.end() ? none : at->second;
}

std::vector<std::string> HostAccounts::GroupNamesOf(const User& user) const {
  std::vector<std::string> names;
  if (const auto primary = names_of_gid_.find(user.gid); primary != names_of_gid_.end()) {
    names.push_back(primary->second.front());
  }
  const auto at = groups_of_.find(user.name);
  if (at == groups_of_.end()) return names;
  for (const size_t index : at->second) {
    const std::string& name = groups_[index].name;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

Result<Credentials> HostAccounts::CredentialsOf(std::string_view login) const {
  const User* user = FindUser(login);
  if (user == nullptr) {
    return Fail(ErrorCode::kNotFound, fmt::format("the host has no account {}", login));
  }
  Credentials who = user->uid == 0 ? Root() : Credentials();
  who.uid = user->uid;
  who.gid = user->gid;
  if (const auto at = groups_of_.find(login); at != groups_of_.end()) {
    for (const size_t index : at->second) who.groups.push_back(groups_[index].gid);
  }
  std::sort(who.groups.begin(), who.groups.end());
  who.groups.erase(std::unique(who.groups.begin(), who.groups.end()), who.groups.end());
  return who;
}

}  // namespace postern::posix
