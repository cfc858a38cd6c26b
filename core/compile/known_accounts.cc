#include "core/compile/known_accounts.h"

#include <algorithm>

namespace postern::compile {
namespace {

using object::Kind;
using Rows = std::vector<ledger::Recorded>;

// Rows are sorted by kind and key.
Rows::const_iterator LowerBound(const Rows& rows, Kind kind, std::string_view key) {
  return std::lower_bound(rows.begin(), rows.end(), std::pair(kind, key),
                          [](const ledger::Recorded& row, const auto& wanted) {
                            return std::pair(row.kind, std::string_view(row.key)) < wanted;
                          });
}

}  // namespace

KnownAccounts::KnownAccounts(const Facts& facts) : facts_(facts) {
  if (facts.recorded != nullptr) {
    for (const auto& [target, rows] : *facts.recorded) {
      auto& accounts = accounts_[target];
      for (auto at = LowerBound(rows, Kind::kAccount, {});
           at != rows.end() && at->kind == Kind::kAccount; ++at) {
        accounts[at->key].recorded = &*at;
      }
    }
  }
  for (const auto& [target, objects] : facts.live) {
    auto& accounts = accounts_[target];
    const auto live = objects->OfKind(Kind::kAccount);
    accounts.reserve(live.size());
    for (const object::ObjectView& account : live) accounts[account.key].live = true;
  }
}

KnownAccounts::Account KnownAccounts::Find(const std::string& target, std::string_view key) const {
  const auto accounts = accounts_.find(target);
  if (accounts == accounts_.end()) return {};
  const auto at = accounts->second.find(key);
  return at == accounts->second.end() ? Account{} : at->second;
}

const ledger::Recorded* KnownAccounts::Given(const std::string& server, const std::string& identity,
                                             std::string_view role) {
  if (!given_indexed_) IndexGiven();
  const auto [first, last] = given_.equal_range({server, identity});
  for (auto at = first; at != last; ++at) {
    const auto roles = RolesInOwner(at->second->owner);
    if (std::find(roles.begin(), roles.end(), role) != roles.end()) return at->second;
  }
  return nullptr;
}

void KnownAccounts::IndexGiven() {
  given_indexed_ = true;
  if (facts_.recorded == nullptr) return;
  for (const auto& [target, rows] : *facts_.recorded) {
    for (auto at = LowerBound(rows, Kind::kAccount, {});
         at != rows.end() && at->kind == Kind::kAccount; ++at) {
      if (at->retired_at != 0 || !at->owner.starts_with("role:")) continue;
      given_.emplace(std::pair(object::SplitKey(at->key)[0], IdentityInOwner(at->owner)), &*at);
    }
  }
}

std::vector<const ledger::Recorded*> KnownAccounts::KeysOf(const std::string& target,
                                                           std::string_view account) const {
  std::vector<const ledger::Recorded*> keys;
  if (facts_.recorded == nullptr) return keys;
  const auto rows = facts_.recorded->find(target);
  if (rows == facts_.recorded->end()) return keys;
  const std::string prefix = std::string(account) + object::kKeySeparator;
  for (auto at = LowerBound(rows->second, Kind::kSshKey, prefix);
       at != rows->second.end() && at->kind == Kind::kSshKey && at->key.starts_with(prefix); ++at) {
    keys.push_back(&*at);
  }
  return keys;
}

}  // namespace postern::compile
