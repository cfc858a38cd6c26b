// providers/filetransfer/proftpd_io/file_editor.h: operations on accounts, keys and groups -> new
// files.
//
// Works on copies of one snapshot's files; each operation is checked against what the snapshot says
// and answered alone. Nothing is written here. One editor a group of operations.
// A lock stops every way in: the `!` before the hash stops passwords only (observed: a key still
// opens the account), so the key file is put aside as well, under a name that can't be a login's.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/filetransfer/proftpd_io/snapshot.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {

// Hashes made once for an operation, however often it is tried again.
using HashCache = std::map<uint64_t, std::string>;

class FileEditor {
 public:
  FileEditor(const Snapshot& snapshot, const ServerSettings& settings,
             const object::Secrets& secrets, HashCache& hashes);

  // The outcome without its read-back. kApplied: it will be so when Changes() are carried out.
  object::Outcome Take(const object::Operation& operation);
  // One change for each file that differs; what takes access away comes first.
  std::vector<FileChange> Changes() const;

 private:
  using Refusal = std::optional<std::string>;

  Refusal Edit(const object::Operation& operation);
  Refusal EditAccount(const object::Operation& operation);
  Refusal EditKey(const object::Operation& operation);
  Refusal EditGroup(const object::Operation& operation);
  Refusal EditMembership(const object::Operation& operation);
  Refusal SetFields(const object::Operation& operation, const kinds::Account& want, UserLine& line);
  Refusal Rename(const std::string& from, const std::string& to);
  // Into the group that says which accounts are managed, or out of it.
  void Mark(const std::string& login, bool managed);
  Refusal WhyUidUnfit(const UserLine& line, const UserLine* before) const;
  Result<std::string> HashFor(const object::Operation& operation, const std::string& secret);
  // operation.after without what can't differ: a password that opens the account already, an empty
  // comment where there is none.
  std::string Compared(const object::Operation& operation) const;
  // A rename that was done before: the object stands under its new key.
  bool IsRenamed(const object::Operation& operation) const;
  // The account `want` has that password, and it opens the account.
  bool HasPassword(const kinds::Account& want, const kinds::Account& live) const;
  bool Locked(const std::string& login) const;
  void MoveKeys(const std::string& login, bool aside);
  void AddKeyChange(const std::string& path, const KeyFile& keys,
                    std::vector<FileChange>& out) const;

  const Snapshot& snapshot_;
  const AccountScope scope_;
  const object::Secrets& secrets_;
  HashCache& hashes_;
  std::map<std::pair<object::Kind, std::string>, object::Object> live_;
  ColonFile users_, groups_;
  std::map<std::string, LoginKeys> keys_;
};

}  // namespace postern::filetransfer
