// providers/directory/changes.h: operations as LDAP writes.
//
// Pure: an operation and what is live now give the next write, or the answer that none is needed.
// Values are changed by "delete this one, add that one", so that a write that meets another value
// than the one read fails instead of overwriting it; where the server has assertions, the entry's
// entryCSN is asserted as well.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "providers/directory/target.h"

namespace postern::directory {

// What the operation still needs.
struct Step {
  enum class Need { kNothing, kWrite, kRefuse } need = Need::kNothing;
  Write write;
  std::string why;            // kRefuse
  bool precondition = false;  // kRefuse: the world isn't as planned (else: the target can't)
  bool is_password = false;   // the write sets the password
};

// How far one operation has come.
struct Progress {
  bool renamed = false;
  bool written = false;  // one of our writes was carried out
  bool unsure = false;   // the answer to one of our writes was lost: it may have been carried out
  bool password_set = false;
  bool lock_tried = false;  // pwdAccountLockedTime was written; the server must honour it
};

struct ChangeContext {
  const Features* features = nullptr;
  const Reading* reading = nullptr;
  const object::Secrets* secrets = nullptr;
};

// `at`: the snapshot of the key where the entry is now (the new one once renamed).
Step NextUserStep(const object::Operation& op, const Progress& progress, const Snapshot& at,
                  const ChangeContext& context);
Step NextOuStep(const object::Operation& op, const Progress& progress, const Snapshot& at,
                const ChangeContext& context);
// `first_members`: with a creation, the members that come in the same call.
Step NextGroupStep(const object::Operation& op, const Progress& progress, const Snapshot& at,
                   const ChangeContext& context, const std::vector<std::string>& first_members);

// The modrdn that moves the entry at `from` to `to` (DNs as spelled).
Write RenameWrite(const std::string& from, const std::string& to, const Snapshot& at,
                  const ChangeContext& context);
// The operation's entry, in the spelling of its `after` (or its key).
std::string WantedDn(const object::Operation& op);

// The filter that holds only while the entry is what we read; empty where the server has no
// assertions.
std::string UnchangedSince(const Snapshot& at, const ChangeContext& context, bool whole_entry);

}  // namespace postern::directory
