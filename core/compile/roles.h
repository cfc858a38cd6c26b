// core/compile/roles.h: who is in a role, by what sources show and by whom the declaration names.
//
// Pure; one thread. A source that can't be relied on decides nothing: who was in the role by the
// ledger stays in it as recorded, and nobody comes to it. Cost: linear in members, by the indexes
// of core/compile/facts.h; never roles x identities.
#pragma once
#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/compile/desired.h"
#include "core/compile/identity.h"
#include "core/config/declarations.h"

namespace postern::compile {

struct RoleMember {
  std::string identity;
  std::optional<FactRef> face;  // whose attributes fill the templates
  std::string cause;            // "ann is in Marketing (department), seen in corp 10:02Z"
  std::vector<PendingFact> needs;
  std::string held;  // why it stays as recorded; empty: it is a member for certain
};

struct RoleMembers {
  std::vector<RoleMember> members;  // an identity stands once
  // Why nothing is decided by a selector, with the source; those members above are `held`.
  std::vector<std::pair<std::string, std::string>> held_sources;
};

// Whom the ledger knows in which role, by the owners of accounts, keys and rows.
class RecordedRoles {
 public:
  explicit RecordedRoles(const Facts& facts);
  using Identities = absl::btree_set<std::string_view>;
  // Null: nobody.
  const Identities* In(std::string_view role) const;
  const std::map<std::string_view, Identities>& all() const { return of_role_; }

 private:
  std::map<std::string_view, Identities> of_role_;
};

class RoleEvaluator {
 public:
  // Identities of a declared group; the identity behind "person:x", "user:x", ...
  using Flatten = std::function<const std::set<std::string>&(const std::string& group)>;
  using IdentityOf = std::function<std::string(std::string_view address)>;
  RoleEvaluator(People* people, const RecordedRoles& recorded, base::Instant now, Flatten flatten,
                IdentityOf identity_of);

  // A declared identity is also shown by this user.
  void Link(const std::string& identity, FactRef ref);
  RoleMembers MembersOf(const config::Declared<decl::Role>& role);
  // Why somebody that the ledger knows in the role isn't in it any more: by what is seen now.
  Departure WhyGone(const decl::Role& role, std::string_view identity);

 private:
  struct Candidate {
    FactRef ref;
    std::string what;  // "Marketing (department)", "group ops"
    std::vector<PendingFact> needs;
  };
  struct Work {
    RoleMembers out;
    absl::flat_hash_map<std::string, size_t> position;  // identity -> in out.members
    const RecordedRoles::Identities* recorded = nullptr;
  };
  void Select(const decl::RoleMember& selector, Work* work);
  void TakeFitting(const decl::RoleMember& selector, uint32_t source,
                   const SourceFacts::Group* group, Work* work);
  void Name(const std::string& who, Work* work);
  void NameOne(const std::string& identity, Work* work);
  void Take(const Candidate& candidate, Work* work);
  void Add(RoleMember member, Work* work);
  void Hold(uint32_t source, const std::string& why, Work* work);
  void HoldUnread(const decl::RoleMember& selector, uint32_t source, Work* work);
  bool MayBeOf(std::string_view identity, uint32_t source) const;
  const std::string& Seen(uint32_t source);
  std::optional<FactRef> FactOf(std::string_view identity) const;
  std::string WhyNot(const decl::RoleMember& selector, FactRef ref, std::string* fact);

  People* people_;
  const RecordedRoles& recorded_;
  base::Instant now_;
  Flatten flatten_;
  IdentityOf identity_of_;
  std::map<std::string, std::vector<FactRef>, std::less<>> facts_of_;  // declared identities
  std::vector<std::string> seen_;                                      // by source; Seen()
};

// The attributes that a selector asks for, with their values.
std::vector<std::pair<Attribute, std::string_view>> AsksOf(const decl::Where& where);

}  // namespace postern::compile
