// core/compile/roles.h: who is in a role, by what sources show and by whom the declaration names.
//
// Pure; one thread. A source that can't be relied on decides nothing: who was in the role by the
// ledger stays in it as recorded, and nobody comes to it. Selectors say who is in it for certain
// (roles.cc); then of everybody else whom the ledger knows in it is asked what leaves that open
// (role_holds.cc). Cost: linear in members, by the indexes of core/compile/facts.h; never roles x
// identities.
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
  std::string_view recorded;    // as whom the ledger knows it in the role; empty: as nobody
  std::optional<FactRef> face;  // whose attributes fill the templates
  FactRefs halves;              // all users that show it
  std::string cause;            // "ann is in Marketing (department), seen in corp 10:02Z"
  std::vector<PendingFact> needs;
  std::string held;            // why it stays as recorded; empty: it is a member for certain
  std::optional<uint32_t> by;  // the source that shows it, or leaves it open; none: it is named
  FactReads reads;             // what a saved plan relies on
  uint16_t asked = 0;          // bits (1 << Attribute) of what its selector asks for
  bool Shows(FactRef ref) const;
  // By their names, or by a user that shows both.
  bool IsSame(const RoleMember& other) const;
  // Whether the identity is one of its names: under another, or declared only now, a source's own
  // id tells, of whichever half.
  bool Was(std::string_view other, const People& people) const;
  // The name to ask the ledger by.
  std::string_view known() const { return recorded.empty() ? identity : recorded; }
};

struct RoleMembers {
  std::vector<RoleMember> members;  // an identity stands once
  // Why nothing is decided by a selector, with the source.
  std::vector<std::pair<std::string, std::string>> held_sources;
  std::vector<int> missing_groups;  // positions of selectors whose group isn't there
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

  // A user of the source is declared for the identity; and is there.
  void Declare(const std::string& identity, uint32_t source);
  void Link(const std::string& identity, FactRef ref);
  RoleMembers MembersOf(const config::Declared<decl::Role>& role);
  // As whom a source shows somebody now whom the ledger knows; none: it doesn't.
  std::optional<std::string> KnownAs(std::string_view identity);
  // Why somebody that the ledger knows in the role isn't in it any more: by what is seen now.
  Departure WhyGone(const decl::Role& role, std::string_view identity);

 private:
  struct Candidate {
    FactRef ref;
    std::string what;  // "Marketing (department)", "group ops"
    std::vector<PendingFact> needs;
    std::vector<const object::ObjectView*> memberships;  // on the way to him
    uint16_t asked = 0;                                  // as in RoleMember
  };
  struct Work {
    RoleMembers out;                                    // for certain, then who is held
    absl::flat_hash_map<std::string, size_t> position;  // identity -> in out.members
    std::vector<RoleMember> doubtful;  // a selector finds them, `held` says the rest
  };
  // Somebody whom the ledger knows in a role and no selector takes for certain.
  struct Known {
    std::string_view identity;
    FactRefs own;                            // users that have this very name
    absl::InlinedVector<uint32_t, 2> homes;  // sources that show it by this name
    std::string held;
    std::optional<uint32_t> by;  // whose word is missing; none: it is named
  };
  void Select(const decl::RoleMember& selector, int position, Work* work);
  void TakeFitting(const decl::RoleMember& selector, uint32_t source,
                   const SourceFacts::Group* group, Work* work);
  void Name(const std::string& who, Work* work);
  void NameOne(const std::string& identity, Work* work);
  void Take(const Candidate& candidate, Work* work);
  static void Add(RoleMember member, Work* work);
  void Read(FactRef ref, FactReads* reads) const;
  const std::string& Seen(uint32_t source);
  std::string NoSuchGroup(const decl::RoleMember& selector, uint32_t source) const;
  PendingFact ChangeOf(FactRef ref) const;
  // role_holds.cc
  void HoldRecorded(const decl::Role& role, Work* work);
  std::vector<Known> OpenOf(const RecordedRoles::Identities& recorded, Work* work);
  Known KnownOf(std::string_view identity) const;
  static void HoldDoubtful(Work* work, std::vector<Known>* open);
  void HoldBy(const decl::RoleMember& selector, std::vector<Known>* open);
  bool IsOut(uint32_t source, const Known& known);
  std::string Doubt(const decl::RoleMember& selector, uint32_t source, const Known& known);
  FactRefs ShownIn(uint32_t source, const Known& known, std::string* open);
  static void TellNewcomers(size_t certain, Work* work);
  std::string UnjoinedFitting(const decl::RoleMember& selector, uint32_t source);
  enum class Fit : uint8_t { kNo, kYes, kUnknown };
  Fit FitOf(const decl::RoleMember& selector, FactRef ref, std::string* why);
  std::string WhyNot(const decl::RoleMember& selector, FactRef ref, std::string* fact);

  People* people_;
  const RecordedRoles& recorded_;
  base::Instant now_;
  Flatten flatten_;
  IdentityOf identity_of_;
  // Declared identities: the users that show them, and the sources that have one.
  std::map<std::string, FactRefs, std::less<>> facts_of_;
  std::map<std::string, std::vector<uint32_t>, std::less<>> homes_of_;
  std::vector<std::string> seen_;  // by source; Seen()
};

// The attributes that a selector asks for, with their values.
std::vector<std::pair<Attribute, std::string_view>> AsksOf(const decl::Where& where);
// "iam:corp" of a selector that reads a source.
std::string TargetOf(const decl::RoleMember& selector);
bool Fits(const SourceFacts& facts, uint32_t user, Attribute attribute, std::string_view folded);
// "10:02Z" of today, with the day of any other; empty: not known.
std::string TimeOf(base::Instant at, base::Instant now);

}  // namespace postern::compile
