// providers/filetransfer/host/account_plan.h: operations on accounts, keys, groups and memberships
// -> steps. Pure.
//
// Each operation is checked against what was read and answered alone. One plan a group of
// operations; take accounts first, then groups, memberships and keys.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/filetransfer/host/accounts_io.h"
#include "providers/filetransfer/host/host_batch.h"
#include "providers/filetransfer/openssh/keys.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {

// Hashes made once for an operation, however often it is tried again.
using MadeHashes = std::map<uint64_t, std::string>;

// Numbers that no account or group has and files in the managed roots still carry, with one of
// these files.
struct OrphanIds {
  std::map<uint32_t, std::string> uids, gids;
};

class AccountPlan {
 public:
  AccountPlan(const HostState& state, const AccountSettings& settings, const OrphanIds& orphans,
              const object::Secrets& secrets, MadeHashes& hashes);

  // What `Take` refuses before it looks at the way there: who is outside the scope, what can be no
  // login, what isn't as it was expected. kApplied: it may go on.
  object::Outcome Judge(const object::Operation& operation) const;
  // The outcome without its read-back. kApplied: it will be so when the steps are done. `index`
  // comes back with the steps that belong to the operation.
  object::Outcome Take(const object::Operation& operation, size_t index);

  struct Planned {
    Step step;
    std::set<size_t> operations;
  };
  // In the order in which they must be done.
  std::vector<Planned> Steps() const;

  // operation.after as it will read back: days instead of seconds, nothing where the lock stands.
  std::string AsRead(const object::Operation& operation) const;

 private:
  using Refusal = std::optional<std::string>;
  // One file of keys with what it had, what stays of it, and what it will have.
  struct KeyEdit {
    posix::User owner;
    std::string digest, before, kept, after;
    std::set<size_t> operations;
  };

  Refusal Edit(const object::Operation& operation, size_t index);
  Refusal EditAccount(const object::Operation& operation, size_t index);
  Refusal Create(const object::Operation& operation, const kinds::Account& want, size_t index);
  Refusal Change(const object::Operation& operation, const kinds::Account& want,
                 const posix::User& user, size_t index);
  Refusal SetPassword(const object::Operation& operation, const kinds::Account& want, bool locked,
                      size_t index);
  Refusal Delete(const posix::User& user, size_t index);
  Refusal PutKeysAside(const posix::User& user, size_t index);
  Refusal WhyNotOfEntry(const object::Operation& operation, const kinds::Account& want) const;
  Refusal EditGroup(const object::Operation& operation, size_t index);
  Refusal EditMembership(const object::Operation& operation, size_t index);
  Refusal EditKey(const object::Operation& operation, size_t index);
  Refusal WhyNoId(uint32_t id, bool of_group, const std::string& home) const;
  void SetExpiry(const object::Operation& operation, const kinds::Account& want,
                 const std::string& login, size_t index);
  bool HasPassword(const kinds::Account& want, const kinds::Account& live) const;
  // operation.after without what can't differ.
  std::string Compared(const object::Operation& operation) const;
  bool IsRenamed(const object::Operation& operation) const;
  const posix::User* FindUser(std::string_view login) const;
  void Add(Step::Verb verb, std::vector<std::string> args, size_t index, std::string content = "");

  const HostState& state_;
  const AccountSettings& settings_;
  const HostScope scope_;
  const OrphanIds& orphans_;
  const object::Secrets& secrets_;
  MadeHashes& hashes_;
  std::map<object::ObjectKey, object::Object> live_;
  std::map<std::string, posix::User, std::less<>> created_;
  std::map<std::string, uint32_t, std::less<>> created_groups_;
  std::set<std::string, std::less<>> deleted_;
  std::map<std::string, KeyEdit> keys_;  // by path
  std::vector<Planned> steps_;
};

}  // namespace postern::filetransfer
