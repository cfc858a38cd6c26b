// providers/filetransfer/server/entry_rules.h: entries of ACLs for accounts that aren't ours as
// native_rule objects (schemas/kinds.proto, `by` = "entry"). Pure.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/object/object.h"
#include "core/object/target.h"
#include "providers/filetransfer/posix/foreign_entries.h"

namespace postern::filetransfer {

// One rule a node; beyond the first few hundred the rest is one rule that says how many. `given`
// has the entries that give something now. `times`: when nodes last changed, where it is known.
std::vector<object::Object> EntryRules(const std::string& server,
                                       const std::vector<posix::ForeignEntry>& entries,
                                       const std::map<std::string, base::Instant>& times);

// Whether the operation takes such entries away.
bool IsEntryRemoval(const object::Operation& operation);

}  // namespace postern::filetransfer
