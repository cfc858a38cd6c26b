// core/compile/facts.h: who works where, as an identity source shows it and as it will be.
//
// A source is an IAM system or a directory. What it shows is overlaid with this plan's own changes
// of it (design §3, strata), so that a role sees tomorrow's group and one plan carries both.
// Pure; one thread. Views point into the observed sets and the desired objects, which must outlive
// it. Cost: linear in users and memberships, once; an index of an attribute when a role first asks.
// Source of the comparison: RFC 7643 §2.2 and §4.3 (caseExact false), RFC 4518 for directories.
#pragma once
#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/time.h"
#include "core/ledger/ledger.h"
#include "core/object/object.h"

namespace postern::compile {

struct DesiredObject;
struct DesiredTarget;

// How far what was read of one thing can be relied on.
struct Reading {
  std::string held;  // why not: "corp was not observed: connection refused"; empty: it can be
  uint64_t count = 0;
  base::Instant at = 0;  // when the reading began; 0: not known
};

// A source as it was observed.
struct IdentitySource {
  std::string target;                          // "iam:corp", "directory:corp"
  const object::ObjectSet* objects = nullptr;  // null: not observed
  Reading users, memberships;
  bool is_iam() const { return target.starts_with("iam:"); }
  std::string_view name() const { return std::string_view(target).substr(target.find(':') + 1); }
};

// What roles can ask for, beside `active` and groups.
enum class Attribute : uint8_t {
  kDepartment,
  kDivision,
  kOrganization,
  kCostCenter,
  kTitle,
  kUserType,
  kEmployeeNumber,
  kExternalId,
  kUserName,
  kMail,  // one of several
};
inline constexpr size_t kTextAttributes = 9;
std::string_view NameOf(Attribute attribute);  // "cost_center"
// Whether users of such a source have it at all.
bool Has(bool iam, Attribute attribute);

// A user as it will be after this plan's own changes.
struct FactUser {
  std::string_view key;   // of the object: user name, or DN
  std::string_view name;  // as spelled: user name, or uid
  std::string_view id;    // the source's own; empty: not created yet
  std::array<std::string_view, kTextAttributes> text;
  std::string_view mail, ssh_keys;  // collections
  uint64_t unreadable = 0;          // bits of attributes (1 << Attribute)
  bool active = true, active_known = true;
  bool keys_known = true;                        // false: `ssh_keys` couldn't be read
  const object::ObjectView* observed = nullptr;  // null: this plan creates it
  bool pending = false;                          // this plan changes it
};

// Which isn't empty.
inline bool IsUnread(const FactUser& user, Attribute attribute) {
  return (user.unreadable >> static_cast<size_t>(attribute) & 1) != 0;
}

class SourceFacts {
 public:
  // `desired` and `recorded`: what this plan wants of the source and what it last applied; may be
  // null. `owner_of`: the declaration of what it wants, as the ledger writes it.
  using OwnerOf = std::function<std::string(const DesiredObject&)>;
  SourceFacts(const IdentitySource& source, const DesiredTarget* desired,
              const std::vector<ledger::Recorded>* recorded, const OwnerOf& owner_of = {});
  SourceFacts(const SourceFacts&) = delete;
  SourceFacts& operator=(const SourceFacts&) = delete;

  const IdentitySource& source() const { return source_; }
  std::span<const FactUser> users() const { return users_; }
  object::Kind user_kind() const;

  // Users with this value, compared without case. Valid until the next call for the attribute.
  std::span<const uint32_t> With(Attribute attribute, std::string_view value);
  // Users whose attribute couldn't be read.
  std::span<const uint32_t> Unread(Attribute attribute) const {
    return unread_[static_cast<size_t>(attribute)];
  }
  // Whether the user has it now, before this plan's changes.
  bool HadBefore(const FactUser& user, Attribute attribute, std::string_view value) const;
  bool WasActive(const FactUser& user) const;

  // Who is in a group, directly or by groups in it.
  struct Group {
    std::vector<uint32_t> users;  // sorted
    // Of these, who isn't in it yet: by which memberships of this plan he comes. Sorted.
    std::vector<std::pair<uint32_t, std::vector<object::ObjectKey>>> newcomers;
    bool Holds(uint32_t user) const;
    // Empty: he is in it now already.
    std::span<const object::ObjectKey> NeedsOf(uint32_t user) const;
    // The memberships by which he is in it, as observed; those that this plan adds are left out.
    std::vector<const object::ObjectView*> WayTo(uint32_t user) const;

    struct Way {
      const object::ObjectView* membership = nullptr;  // null: none, or one of this plan
      uint32_t above = UINT32_MAX;                     // in `sets`; none: that is the group itself
    };
    std::vector<Way> of_users;  // parallel to `users`: `above` is the set that he is in himself
    std::vector<Way> sets;
  };
  // Null: no group of this name (or DN) is there.
  const Group* FindGroup(std::string_view name);
  // Whether the ledger knows a group of this name (or DN) as ours: one that isn't there is gone
  // then, by a point read, and no slip of a pen.
  bool WasOurs(std::string_view group);

  std::optional<uint32_t> ByKey(std::string_view key) const;
  std::optional<uint32_t> ById(std::string_view id);

 private:
  // Who is in a set directly after this plan, and how that differs from now. `by`: key of the
  // membership that this plan adds; empty: it is there.
  struct Inner {
    std::string_view set, by;
    const object::ObjectView* membership = nullptr;
  };
  struct Node {
    std::vector<uint32_t> users, gone_users;
    std::vector<const object::ObjectView*> memberships;  // of `users`; null: this plan adds it
    std::vector<std::pair<uint32_t, std::string_view>> new_users;  // with `by`
    std::vector<Inner> groups;
    std::vector<std::string_view> gone_groups;
  };
  class Walk;
  template <class Each>
  static void ForStanding(const Node& node, const Each& each);
  // Wanted key -> the user who has another one until this plan renames him.
  using Renamed = std::map<std::string_view, const object::ObjectView*>;
  Renamed FindRenamed(const DesiredTarget* desired, const std::vector<ledger::Recorded>* recorded,
                      const OwnerOf& owner_of) const;
  void TakeUsers(const DesiredTarget* desired, const std::vector<ledger::Recorded>* recorded,
                 const OwnerOf& owner_of);
  void TakeNewGroups(const DesiredTarget* desired);
  void AddUser(const object::ObjectView* observed, std::string_view wanted, std::string_view key,
               bool retired);
  void TakeMemberships(const DesiredTarget* desired, const std::vector<ledger::Recorded>* recorded);
  void AddEdge(std::string_view key, const object::ObjectView* live, bool after);
  std::vector<uint32_t> UsersBefore(std::string_view group) const;
  std::string GroupKey(std::string_view name);

  const IdentitySource& source_;
  const std::vector<ledger::Recorded>* recorded_;
  std::vector<FactUser> users_;     // by key
  std::deque<std::string> bodies_;  // of users that this plan changes
  absl::flat_hash_map<std::string_view, Node> nodes_;
  using Index = absl::flat_hash_map<std::string, std::vector<uint32_t>>;
  std::array<std::optional<Index>, kTextAttributes + 1> indexes_;
  std::array<std::vector<uint32_t>, kTextAttributes + 1> unread_;
  absl::flat_hash_map<std::string_view, uint32_t> by_key_;
  std::optional<absl::flat_hash_map<std::string_view, uint32_t>> by_id_;
  // Of a directory: first name -> key of the group; empty: several have it.
  std::optional<absl::flat_hash_map<std::string_view, std::string_view>> first_names_;
  // Groups that the ledger knows: keys, and in a directory "cn=" with their first names.
  std::optional<absl::flat_hash_set<std::string>> ours_;
  std::unordered_map<std::string, std::optional<Group>> groups_;
};

// One value under the comparison of facts.
std::string FoldValue(std::string_view value);

}  // namespace postern::compile
