// core/access/effective.h: who may do what where, computed from objects; and what a plan changes of
// it.
//
// Access is kept as rules (subject, path, depth, rights) and expanded to identities only for what
// differs between two worlds: cost follows the size of the change, never principals x folders.
// Pure; one thread at a time. A world keeps the names it needs in an arena that its copies share.
#pragma once
#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/overlay.h"
#include "core/access/rights.h"
#include "core/base/time.h"
#include "core/object/object.h"

namespace postern::access {

// Where access is: a server of a host, a directory, or an IAM system, which is a directory here.
struct Place {
  std::string target;  // "host:edge", "directory:corp", "iam:corp"
  std::string server;  // empty for a directory
  auto operator<=>(const Place&) const = default;
};

// What an account is as far as access goes.
struct AccountState {
  bool exists = false;
  bool enabled = false;
  bool password = false;  // has a usable one
  uint32_t keys = 0;      // public keys that open it
  std::string home;
  // Someone can come in: enabled, and by at least one way.
  bool open() const { return exists && enabled && (password || keys > 0); }
  bool operator==(const AccountState&) const = default;
};

// A row's place in a world: path and depth.
using RowPlace = std::pair<std::string_view, uint8_t>;

// One server's access as rules. Mutable, so that the invariant checker can play steps into it.
// Names that it hands out live as long as it or a copy of it does; what Put changes may move the
// rest. B-trees: a world is raised, copied and thrown away with each plan, and a node for every
// entry would cost more than all that is asked of it.
class ServerWorld {
 public:
  using Accounts = absl::btree_map<std::string_view, AccountState>;
  using Names = absl::btree_set<std::string_view>;
  using Rows = absl::btree_map<RowPlace, absl::btree_map<Subject, Rights>>;
  // Fingerprint -> where the key may come from, until when, for which names: a body of those
  // fields.
  using Keys = absl::btree_map<std::string_view, std::string_view>;

  // Takes any object of a server kind; `present` false removes it. Others are ignored.
  void Put(object::Kind kind, std::string_view key, std::string_view body, bool present);

  const AccountState* FindAccount(std::string_view login) const;
  std::vector<std::string> Members(std::string_view group) const;
  const Names& GroupsOf(std::string_view login) const;
  const Keys& KeysOf(std::string_view login) const;
  const Accounts& accounts() const { return accounts_; }

  // Rows that name the account, one of its groups, or everyone; in path order.
  std::vector<GrantRow> RowsOf(std::string_view login) const;
  // Logins a subject stands for.
  std::vector<std::string> LoginsOf(const Subject& subject) const;
  const Rows& rows() const { return rows_; }

  // What rules by other hands change of these rows; null: nothing is known to. It stands for the
  // rows that it was computed from: whoever changes rows sets it anew.
  const Overlay* overlay() const { return overlay_.get(); }
  void SetOverlay(std::shared_ptr<const Overlay> overlay) { overlay_ = std::move(overlay); }
  // Someone can come in as this account.
  bool IsOpen(std::string_view login) const;

 private:
  void PutKey(const object::KeyParts& parts, std::string_view body, bool present);
  void PutGrant(const object::KeyParts& parts, std::string_view body, bool present);

  std::shared_ptr<object::Arena> names_ = std::make_shared<object::Arena>();
  Accounts accounts_;
  absl::btree_map<std::string_view, Names> members_, groups_of_;
  absl::btree_map<std::string_view, Keys> keys_of_;
  Rows rows_;
  std::shared_ptr<const Overlay> overlay_;
  struct SubjectHash {
    size_t operator()(const Subject& subject) const {
      return std::hash<std::string_view>()(subject.name) * 3 + static_cast<size_t>(subject.type);
    }
  };
  absl::flat_hash_map<Subject, absl::btree_set<RowPlace>, SubjectHash> rows_of_;
};

// Before the client id of an OAuth client: what names its entry in a directory's world.
inline constexpr char kClientEntry[] = "oauth_client:";

// The entry that an object of a directory or IAM system is: its key, a client's behind
// kClientEntry; of a relation the member. Empty: no single entry (a group in a group).
std::string EntryOf(object::Kind kind, std::string_view key);

// One directory's access: entries that can log in, and what they are members of. In a directory
// those are groups by DN, and only what an entry is in itself; in an IAM system sets ("group:ops",
// "role:reader", "access_role:Access to Archive"), with those that a set of the entry is in.
class DirectoryWorld {
 public:
  using Sets = std::set<std::string>;
  void Put(object::Kind kind, std::string_view key, std::string_view body, bool present);
  bool CanLogIn(std::string_view entry) const;
  const std::map<std::string, bool, std::less<>>& users() const { return users_; }
  // Cost in an IAM system: the sets that are reached.
  Sets GroupsOf(std::string_view entry) const;
  // The set of the entry's own by which it is in `group`; empty: it is in it itself.
  std::string Through(std::string_view group, std::string_view entry) const;
  // Every entry that a member of an IAM system stands for: "user:x", "group:ops", "partition:p".
  std::vector<std::string> EntriesIn(std::string_view member) const;

 private:
  Sets OwnNodes(std::string_view entry) const;
  Sets Above(Sets nodes) const;
  void PutRelation(std::string_view key, bool present);

  std::map<std::string, bool, std::less<>> users_;  // entry -> can log in
  bool is_iam_ = false;
  std::map<std::string, Sets, std::less<>> groups_of_;   // member -> sets
  std::map<std::string, Sets, std::less<>> members_of_;  // set -> members, of an IAM system
};

struct World {
  std::map<Place, ServerWorld> servers;
  std::map<std::string, DirectoryWorld> directories;  // by target

  void Put(std::string_view target, object::Kind kind, std::string_view key, std::string_view body,
           bool present);
};

// Names the identity behind an account or directory entry: "partner:acme"; for what nobody
// declared, "account:edge-ftp/tmpuser" or "directory:corp/uid=x,...".
using IdentityOf = std::function<std::string(const Place& place, std::string_view account)>;

// One line of what somebody loses or gains.
struct AccessChange {
  std::string identity;
  Place place;
  std::string account;  // login; in a directory the entry: DN, user name
  std::string path;     // folder; or group DN, "group:ops" of an IAM; or empty: the login itself
  Depth depth = Depth::kSubtree;
  Rights rights;            // lost or gained; empty for a directory's line
  bool everything = false;  // all that the account had or gets is in this delta
  std::string through;      // "group:ops" when a group gives it
  // Of `still` and `already`: who else of the identity has it: "server edge-sftp", or "bea-2 at
  // edge-sftp" where that is the same server.
  std::string elsewhere;
  bool operator==(const AccessChange&) const = default;
};

// A host's access is the union over its servers: what one account loses and another of the same
// identity has before and after is no loss of the identity's.
struct AccessDelta {
  std::vector<AccessChange> lost, gained;    // by identity, place, path
  std::vector<AccessChange> still, already;  // an account's losses and gains that are nobody's
  bool empty() const { return lost.empty() && gained.empty(); }
};

// Which accounts a change can touch; the delta looks at no others.
struct Touched {
  std::set<std::pair<Place, std::string>> accounts;  // login or entry
};

// Who may lose or gain by one object's change, judged in both worlds.
void Touch(std::string_view target, object::Kind kind, std::string_view key, const World& before,
           const World& after, Touched* touched);

// Differences for the touched accounts. An identity that keeps a right through another of its
// accounts on the same host has not lost it. An account that passes from one identity (`was`) to
// another (`is`) takes all it had from the first and gives all it has to the second.
AccessDelta Delta(const World& before, const World& after, const Touched& touched,
                  const IdentityOf& was, const IdentityOf& is);
inline AccessDelta Delta(const World& before, const World& after, const Touched& touched,
                         const IdentityOf& identity_of) {
  return Delta(before, after, touched, identity_of, identity_of);
}

}  // namespace postern::access
