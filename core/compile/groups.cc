// Groups: sets of identities, projected to the servers where they are granted something.
#include <fmt/format.h>

#include "core/compile/compiler.h"
#include "core/diag/codes.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {

// Identities of a group, nested groups included. The loader has refused cycles; a set that is being
// built answers what it has.
const std::set<std::string>& Compiler::Flatten(const std::string& group) {
  const auto [at, fresh] = flat_.try_emplace(group);
  if (!fresh) return at->second;
  std::set<std::string>& identities = at->second;  // stays where it is: a node map
  const auto declared = groups_.find(group);
  if (declared == groups_.end()) return identities;
  for (const std::string& member : declared->second->message.members().values()) {
    if (member.starts_with("group:")) {
      const std::set<std::string>& inner = Flatten(member.substr(6));
      identities.insert(inner.begin(), inner.end());
    } else {
      identities.insert(IdentityOf(member));
    }
  }
  return identities;
}

// A group is granted something many times; who its members are at the servers is found once.
const std::vector<GroupLogins>& Compiler::LoginsOf(const std::string& group) {
  const auto [at, fresh] = logins_of_.try_emplace(group);
  if (!fresh) return at->second;
  std::map<std::pair<std::string, std::string>, GroupLogins> by_home;  // server, login folder
  for (const std::string& identity : Flatten(group)) {
    for (const uint32_t index : AccountsOf(identity)) {
      const AccountInfo& account = accounts_[index];
      GroupLogins& logins = by_home[{account.server->message.name(), account.home}];
      logins.server = account.server;
      logins.accounts.push_back(index);
    }
  }
  for (auto& [home, logins] : by_home) at->second.push_back(std::move(logins));
  return at->second;
}

// The group and its members at one server: those identities that have an account there.
void Compiler::ProjectGroup(const std::string& group, const std::string& server, uint32_t source) {
  if (!projected_.emplace(std::pair(server, group), true).second) return;
  const auto& declared = *servers_.at(server);
  const std::string target = "host:" + declared.message.host();
  kinds::ServerGroup object;
  object.set_server(server);
  object.set_name(group);
  if (declared.message.has_uids()) {
    object.set_gid(UidFor(server, group, true, groups_.at(group)->span));
  }
  Emit(target, object, {source});
  SetAuthority(target, object::Kind::kServerMembership, server + object::kKeySeparator + group,
               Authority::kExact);
  std::vector<std::string> without;
  for (const std::string& identity : Flatten(group)) {
    bool found = false;
    for (const uint32_t index : AccountsOf(identity)) {
      const AccountInfo& account = accounts_[index];
      if (account.server->message.name() != server) continue;
      found = true;
      kinds::ServerMembership membership;
      membership.set_server(server);
      membership.set_group(group);
      membership.set_login(account.login);
      Emit(target, membership, {source});
    }
    if (!found) without.push_back(identity);
  }
  if (without.empty()) return;
  const size_t shown = std::min<size_t>(without.size(), 5);
  std::string names = fmt::format(
      "{}", fmt::join(without.begin(), without.begin() + static_cast<long>(shown), ", "));
  if (without.size() > shown) names += fmt::format(" and {} more", without.size() - shown);
  desired_.diagnostics.Add(
      {.severity = diag::Severity::kWarning,
       .code = diag::code::kMemberWithout,
       .summary = fmt::format("group \"{}\" has {} without an account at server \"{}\"", group,
                              without.size() == 1 ? "a member" : "members", server),
       .span = groups_.at(group)->span,
       .label = names,
       .notes = {"what the group is granted there doesn't reach them"}});
}

}  // namespace postern::compile
