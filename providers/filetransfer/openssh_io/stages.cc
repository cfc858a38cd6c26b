#include "providers/filetransfer/openssh_io/stages.h"

#include <algorithm>

namespace postern::filetransfer {
namespace {

using posix::Acl;
using posix::Node;
using posix::Perm;

using Entries = std::map<uint32_t, Perm>;

// Entries of both: a missing one is what its holder has without it, which isn't known here:
// nothing.
Entries MeetEntries(const Entries& before, Perm mask, const Entries& after) {
  Entries out;
  for (const auto& [id, perm] : after) {
    const auto at = before.find(id);
    const Perm both = at == before.end() ? Perm{0} : static_cast<Perm>(perm & at->second & mask);
    out[id] = both;
  }
  return out;
}

Acl MeetAcl(const Acl& before, const Acl& after) {
  const Perm mask = before.mask.value_or(7);
  Acl out;
  out.owner = before.owner & after.owner;
  out.group = before.group & mask & after.group;
  out.other = before.other & after.other;
  out.users = MeetEntries(before.users, mask, after.users);
  out.groups = MeetEntries(before.groups, mask, after.groups);
  posix::SetMask(&out);
  return out;
}

}  // namespace

Node Meet(const Node& before, const Node& after) {
  Node out = after;
  out.access = MeetAcl(before.access, after.access);
  if (before.default_acl && after.default_acl) {
    out.default_acl = MeetAcl(*before.default_acl, *after.default_acl);
  }
  out.sticky = before.sticky || after.sticky;
  return out;
}

Stages StagesOf(std::span<const posix::Change> changes) {
  Stages out;
  for (const posix::Change& change : changes) {
    Node both = Meet(change.before, change.after);
    if (!(both == change.before)) out.less.push_back({change.path, change.before, both});
    if (!(both == change.after)) out.more.push_back({change.path, std::move(both), change.after});
  }
  return out;
}

}  // namespace postern::filetransfer
