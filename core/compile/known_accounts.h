// core/compile/known_accounts.h: the accounts of hosts as they are recorded and live, by key.
//
// For roles, which ask once for each member. Pure; one thread. Views into what was observed and
// recorded, which must outlive it. Cost: one walk over the accounts, then O(1) a question.
#pragma once
#include <absl/container/flat_hash_map.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/compile/desired.h"

namespace postern::compile {

class KnownAccounts {
 public:
  explicit KnownAccounts(const Facts& facts);

  struct Account {
    const ledger::Recorded* recorded = nullptr;  // null: the ledger doesn't have it
    bool live = false;
  };
  Account Find(const std::string& target, std::string_view key) const;
  // The account that a role gave somebody at a server, by the ledger; null: none.
  const ledger::Recorded* Given(const std::string& server, const std::string& identity,
                                std::string_view role);
  // The keys of an account, as they are recorded.
  std::vector<const ledger::Recorded*> KeysOf(const std::string& target,
                                              std::string_view account) const;

 private:
  void IndexGiven();

  const Facts& facts_;
  std::map<std::string, absl::flat_hash_map<std::string_view, Account>> accounts_;  // by target
  bool given_indexed_ = false;
  // (server, identity) -> what roles gave
  std::multimap<std::pair<std::string_view, std::string_view>, const ledger::Recorded*> given_;
};

}  // namespace postern::compile
