// Accounts that nobody can come into: they gain nothing, so the change of access doesn't name them.
#include <fmt/format.h>

#include <algorithm>

#include "core/compile/identity.h"
#include "core/plan/planner.h"

namespace postern::plan {
namespace {

using object::Kind;

// What a role would have to find, where it is a role's.
std::string CauseOf(const config::Declarations& declarations, std::string_view owner) {
  const std::vector<std::string_view> roles = compile::RolesInOwner(owner);
  if (roles.empty()) return "";
  const std::string source(compile::SplitFactIdentity(compile::IdentityInOwner(owner)).target);
  const auto takes_keys = [&](const auto& role) {
    return role.message.account().has_keys_from() &&
           std::find(roles.begin(), roles.end(), role.message.name()) != roles.end();
  };
  if (std::none_of(declarations.roles.begin(), declarations.roles.end(), takes_keys)) {
    return "; its role takes no keys (keys_from)";
  }
  return fmt::format("; {} shows no ssh_keys", source.substr(source.find(':') + 1));
}

}  // namespace

// Of those that this plan makes, and those whose last way in goes with it.
void Planner::LookAtWaysIn() {
  for (uint32_t target = 0; target < plan_.targets.size(); ++target) {
    if (desired_[target] == nullptr) continue;
    for (const compile::DesiredObject& wanted : desired_[target]->objects) {
      if (wanted.kind != Kind::kAccount || IsSourced(wanted.kind, wanted.body)) continue;
      const auto parts = object::SplitKey(wanted.key);
      const access::Place place{plan_.targets[target].name, std::string(parts[0])};
      const auto server = after().servers.find(place);
      if (server == after().servers.end()) continue;
      const access::AccountState* state = server->second.FindAccount(parts[1]);
      if (state == nullptr || !state->exists || !state->enabled) continue;
      if (server->second.IsOpen(parts[1])) continue;
      const auto was = before_.servers.find(place);
      const access::AccountState* old =
          was == before_.servers.end() ? nullptr : was->second.FindAccount(parts[1]);
      const bool made = old == nullptr || !old->exists;
      if (!made && !was->second.IsOpen(parts[1])) continue;
      const std::string owner = in_.desired->OwnerOfSources(wanted.sources);
      plan_.looks.push_back(
          {object::Describe(wanted.kind, wanted.key) + ": no way in",
           "no key and no password" + CauseOf(*in_.declarations, owner),
           in_.sources->Place(in_.desired->provenance[wanted.sources.front()].span)});
    }
  }
}

}  // namespace postern::plan
